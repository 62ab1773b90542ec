-- name   occupied_changes
-- grain  one row a unit, feeding collection and instant at which what it says changes
-- reads  feed_steps
-- params none
-- why    A step function as its changes: sizes change rarely, so they are few, and those of several collections can be added.
with

compared as (
    select
        unit_key,
        starts_at_s,
        occupied_bytes,
        held_count,
        missing_count,
        coalesce(lag(occupied_bytes) over (partition by unit_key, collection_key order by starts_at_s), 0) as occupied_before_bytes,
        coalesce(lag(held_count) over (partition by unit_key, collection_key order by starts_at_s), 0) as held_count_before,
        coalesce(lag(missing_count) over (partition by unit_key, collection_key order by starts_at_s), 0) as missing_count_before,
        coalesce(lag(1) over (partition by unit_key, collection_key order by starts_at_s), 0) as known_count_before
    from feed_steps
)

select
    unit_key,
    starts_at_s,
    occupied_bytes - occupied_before_bytes as occupied_bytes,
    1 - known_count_before as known_count,
    held_count - held_count_before as held_count,
    missing_count - missing_count_before as missing_count
from compared
where
    occupied_bytes <> occupied_before_bytes
    or held_count <> held_count_before
    or missing_count <> missing_count_before
    or known_count_before = 0
