-- name   feed_steps
-- grain  one row a unit, a collection that feeds it, and an interval in which what it says and how well it is known are constant
-- reads  fed_units, units, scope_steps, level_steps, unit_days
-- params start_s, stop_s
-- why    Computed levels, and kept ones of the days that need more than a glance, cut to the period.
select
    u.unit_key,
    s.feed_key,
    s.starts_at_s,
    s.ends_at_s,
    s.occupied_bytes,
    s.held_count,
    s.missing_count
from scope_steps as s
inner join fed_units as f
    on s.feed_key = f.feed_key
inner join units as u
    on f.account = u.account
    and f.location = u.location
union all
select
    u.unit_key,
    s.feed_key,
    greatest(s.starts_at_s, $start_s) as starts_at_s,
    least(s.ends_at_s, $stop_s) as ends_at_s,
    s.occupied_bytes,
    s.held_count,
    s.missing_count
from fed_units as f
inner join units as u
    on f.account = u.account
    and f.location = u.location
inner join level_steps as s
    on f.feed_key = s.feed_key
left join unit_days as d
    on s.feed_key = d.feed_key
    and s.starts_at_s - s.starts_at_s % 86400 = d.day_s
where
    f.is_kept
    and s.ends_at_s > $start_s
    and s.starts_at_s < $stop_s
    and d.feed_key is null
