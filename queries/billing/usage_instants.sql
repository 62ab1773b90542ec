-- name   usage_instants
-- grain  one row a unit and instant at which something of it changes, or a day begins
-- reads  units, occupied_changes, entitled_changes, rate_steps
-- params stop_s, first_midnight_s
-- why    What is occupied and entitled, the state and the rate, as changes: what they add up to, from one to the next, are usage
--        steps. How many collections are known, held and missing is one number: 2^21 for each that is held, 2^42 for each that is
--        missing.
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
)

select
    unit_key,
    starts_at_s,
    sum(occupied_bytes) as occupied_bytes,
    sum(entitled_bytes) as entitled_bytes,
    cast(sum(state_counts) as bigint) as state_counts,
    cast(sum(rate_count) as bigint) as rate_count
from changes
group by unit_key, starts_at_s
