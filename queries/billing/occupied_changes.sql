-- name   occupied_changes
-- grain  one row a unit, feeding collection and instant at which what it says changes
-- reads  feed_steps
-- params none
-- why    A step function as its changes: sizes change rarely, so they are few, and those of several collections can be added.
--        Where steps do not go on, what they said is taken back.
with

steps as (
    select
        unit_key,
        starts_at_s,
        ends_at_s,
        occupied_bytes,
        held_count,
        missing_count,
        coalesce(lag(ends_at_s) over (partition by feed_key order by starts_at_s) = starts_at_s, false) as goes_on,
        lag(occupied_bytes) over (partition by feed_key order by starts_at_s) as occupied_before_bytes,
        lag(held_count) over (partition by feed_key order by starts_at_s) as held_count_before,
        lag(missing_count) over (partition by feed_key order by starts_at_s) as missing_count_before,
        coalesce(lead(starts_at_s) over (partition by feed_key order by starts_at_s) = ends_at_s, false) as is_followed
    from feed_steps
)

select
    unit_key,
    starts_at_s,
    occupied_bytes - case when goes_on then occupied_before_bytes else 0 end as occupied_bytes,
    case when goes_on then 0 else 1 end as known_count,
    held_count - case when goes_on then held_count_before else 0 end as held_count,
    missing_count - case when goes_on then missing_count_before else 0 end as missing_count
from steps
where
    not goes_on
    or occupied_bytes <> occupied_before_bytes
    or held_count <> held_count_before
    or missing_count <> missing_count_before
union all
select
    unit_key,
    ends_at_s as starts_at_s,
    -occupied_bytes as occupied_bytes,
    -1 as known_count,
    -held_count as held_count,
    -missing_count as missing_count
from steps
where not is_followed
