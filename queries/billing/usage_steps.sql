-- name   usage_steps
-- grain  one row a unit and interval [starts_at_s, ends_at_s) in which all is constant: occupied, entitled, state, rate, UTC date
-- reads  usage_levels, units, rate_steps
-- params stop_s
-- why    The one table that everything is summed from. Burst is the positive part of occupied - entitled here, at every
--        instant, before anything is added up. Time before the first poll of the first collection is in no state, so not here.
--        Its levels are the running sums of usage_instants.
select
    l.unit_key,
    u.account,
    u.location,
    l.starts_at_s,
    coalesce(l.next_starts_at_s, $stop_s) as ends_at_s,
    coalesce(l.next_starts_at_s, $stop_s) - l.starts_at_s as step_seconds,
    l.occupied_bytes,
    l.entitled_bytes,
    greatest(l.occupied_bytes - l.entitled_bytes, 0) as burst_bytes,
    greatest(l.entitled_bytes - l.occupied_bytes, 0) as unused_bytes,
    case
        when l.state_counts // 4398046511104 = l.state_counts % 2097152 then 'missing'
        when l.state_counts >= 4398046511104 then 'partial'
        when l.state_counts >= 2097152 then 'held'
        else 'measured'
    end as state,
    r.rate_key
from usage_levels as l
inner join units as u
    on l.unit_key = u.unit_key
inner join rate_steps as r
    on u.currency = r.currency
    and u.location = r.location
    and l.rate_ordinal = r.ordinal
where l.state_counts > 0
