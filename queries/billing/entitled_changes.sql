-- name   entitled_changes
-- grain  one row a unit, subscription and end of it that touches the period
-- reads  known_subscriptions, units
-- params start_s, stop_s
-- why    A subscription entitles from its start until its end, the end not included; overlapping ones add up.
select
    u.unit_key,
    greatest(s.start_s, $start_s) as starts_at_s,
    s.amount as entitled_bytes
from known_subscriptions as s
inner join units as u
    on s.account = u.account
    and s.location = u.location
where
    s.start_s < $stop_s
    and s.end_s > $start_s
union all
select
    u.unit_key,
    s.end_s as starts_at_s,
    -s.amount as entitled_bytes
from known_subscriptions as s
inner join units as u
    on s.account = u.account
    and s.location = u.location
where
    s.start_s < $stop_s
    and s.end_s > $start_s
    and s.end_s < $stop_s
