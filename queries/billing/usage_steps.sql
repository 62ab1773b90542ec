-- name   usage_steps
-- grain  one row a unit and interval [starts_at_s, ends_at_s) in which all is constant: occupied, entitled, state, rate, UTC date
-- reads  units, occupied_changes, entitled_changes, rate_steps
-- params stop_s, first_midnight_s
-- why    The one table that everything is summed from. Burst is the positive part of occupied - entitled here, at every
--        instant, before anything is added up. Time before the first poll of the first collection is in no state, so not here.
--        A running sum takes as long as all the rest, so how many collections are known, held and missing is one number:
--        2^21 for each that is held, 2^42 for each that is missing.
with

changes as (
    select
        unit_key,
        starts_at_s,
        occupied_bytes,
        cast(0 as decimal(38, 0)) as entitled_bytes,
        known_count + 2097152 * held_count + 4398046511104 * missing_count as state_counts,
        0 as rate_count
    from occupied_changes
    union all
    select
        unit_key,
        starts_at_s,
        cast(0 as decimal(38, 0)) as occupied_bytes,
        entitled_bytes,
        cast(0 as bigint) as state_counts,
        0 as rate_count
    from entitled_changes
    union all
    select
        u.unit_key,
        r.starts_at_s,
        cast(0 as decimal(38, 0)) as occupied_bytes,
        cast(0 as decimal(38, 0)) as entitled_bytes,
        cast(0 as bigint) as state_counts,
        1 as rate_count
    from units as u
    inner join rate_steps as r
        on u.currency = r.currency
        and u.location = r.location
    union all
    select
        u.unit_key,
        d.midnight_s as starts_at_s,
        cast(0 as decimal(38, 0)) as occupied_bytes,
        cast(0 as decimal(38, 0)) as entitled_bytes,
        cast(0 as bigint) as state_counts,
        0 as rate_count
    from units as u
    cross join (select unnest(generate_series($first_midnight_s, $stop_s - 1, 86400)) as midnight_s) as d
),

instants as (
    select
        unit_key,
        starts_at_s,
        sum(occupied_bytes) as occupied_bytes,
        sum(entitled_bytes) as entitled_bytes,
        cast(sum(state_counts) as bigint) as state_counts,
        sum(rate_count) as rate_count
    from changes
    group by unit_key, starts_at_s
),

levels as (
    select
        unit_key,
        starts_at_s,
        lead(starts_at_s, 1, $stop_s) over (partition by unit_key order by starts_at_s) as ends_at_s,
        sum(occupied_bytes) over (partition by unit_key order by starts_at_s rows unbounded preceding) as occupied_bytes,
        sum(entitled_bytes) over (partition by unit_key order by starts_at_s rows unbounded preceding) as entitled_bytes,
        sum(state_counts) over (partition by unit_key order by starts_at_s rows unbounded preceding) as state_counts,
        sum(rate_count) over (partition by unit_key order by starts_at_s rows unbounded preceding) as rate_ordinal
    from instants
)

select
    l.unit_key,
    u.account,
    u.location,
    l.starts_at_s,
    l.ends_at_s,
    l.ends_at_s - l.starts_at_s as step_seconds,
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
from levels as l
inner join units as u
    on l.unit_key = u.unit_key
inner join rate_steps as r
    on u.currency = r.currency
    and u.location = r.location
    and l.rate_ordinal = r.ordinal
where l.state_counts > 0
