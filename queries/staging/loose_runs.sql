-- name   loose_runs
-- grain  one row a run of the batch that had to be put together from single polls
-- reads  block_runs, staged_samples, looked_into_keys
-- params none
-- why    Islands: neighbouring poll keys in which a series was listed alike.
with

listed as (
    select
        r.series_key,
        r.allocated_size,
        r.label_key,
        r.block_first_poll_key + bit_count(r.block_slots & ((cast(1 as bigint) << s.slot) - 1)) as poll_key
    from block_runs as r
    cross join (select unnest(generate_series(0, 47)) as slot) as s
    where
        not r.is_range
        and (r.slots & (cast(1 as bigint) << s.slot)) <> 0
    union all
    select
        x.series_key,
        x.allocated_size,
        x.label_key,
        k.poll_key
    from staged_samples as x
    inner join looked_into_keys as k
        on x.collection_key = k.collection_key
        and x.poll_s = k.poll_s
    where x.series_key <> 0
),

numbered as (
    select
        *,
        poll_key - row_number() over (partition by series_key, allocated_size, label_key order by poll_key) as island
    from listed
)

select
    series_key,
    allocated_size,
    label_key,
    min(poll_key) as first_poll_key,
    max(poll_key) as last_poll_key
from numbered
group by series_key, allocated_size, label_key, island
