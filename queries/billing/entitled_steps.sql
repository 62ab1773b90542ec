-- name   entitled_steps
-- grain  one row a unit and interval [starts_at_s, ends_at_s) in which what it is entitled to is constant
-- reads  units, entitled_changes
-- params start_s, stop_s
-- why    Entitlement as steps, zero included, for the days that are taken at a glance.
with

changes as (
    select
        unit_key,
        starts_at_s,
        entitled_bytes
    from entitled_changes
    union all
    select
        unit_key,
        $start_s as starts_at_s,
        cast(0 as decimal(38, 0)) as entitled_bytes
    from units
),

instants as (
    select
        unit_key,
        starts_at_s,
        sum(entitled_bytes) as entitled_change
    from changes
    group by unit_key, starts_at_s
    having
        sum(entitled_bytes) <> 0
        or starts_at_s = $start_s
)

select
    unit_key,
    starts_at_s,
    lead(starts_at_s, 1, $stop_s) over (partition by unit_key order by starts_at_s) as ends_at_s,
    sum(entitled_change) over (partition by unit_key order by starts_at_s rows unbounded preceding) as entitled_bytes
from instants
