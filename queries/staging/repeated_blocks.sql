-- name   repeated_blocks
-- grain  one row a collection and block of four hours of the batch that the store has, alike to the last sample
-- reads  known_blocks, staged_runs, sample_runs
-- params none
-- why    Facts that come again, as whole months do, are told by runs: a bit a poll of the block, in the order of the keys, on both
--        sides. Keys are put into buckets of 64, so that runs and blocks meet by equality; `bit_or` makes those that meet twice one.
with

block_buckets as (
    select
        collection_key,
        block_s,
        first_poll_key,
        first_poll_key + poll_count - 1 as last_poll_key,
        unnest(generate_series(first_poll_key // 64, (first_poll_key + poll_count - 1) // 64)) as bucket
    from known_blocks
),

run_buckets as (
    select
        series_key,
        allocated_size,
        label_key,
        first_poll_key,
        last_poll_key,
        unnest(generate_series(first_poll_key // 64, last_poll_key // 64)) as bucket
    from sample_runs
),

stored as (
    select
        b.collection_key,
        b.block_s,
        r.series_key,
        r.allocated_size,
        r.label_key,
        cast(greatest(r.first_poll_key, b.first_poll_key) - b.first_poll_key as integer) as first_rank,
        cast(least(r.last_poll_key, b.last_poll_key) - b.first_poll_key as integer) as last_rank
    from run_buckets as r
    inner join block_buckets as b
        on r.bucket = b.bucket
    where
        r.first_poll_key <= b.last_poll_key
        and r.last_poll_key >= b.first_poll_key
),

brought as (
    select
        k.collection_key,
        k.block_s,
        k.slots as block_slots,
        r.series_key,
        r.allocated_size,
        r.label_key,
        r.slots,
        bit_count(k.slots & ((cast(1 as bigint) << r.first_slot) - 1)) as first_rank,
        bit_count(k.slots & ((cast(1 as bigint) << (r.last_slot + 1)) - 1)) - 1 as last_rank
    from staged_runs as r
    inner join known_blocks as k
        on r.collection_key = k.collection_key
        and r.block_s = k.block_s
    where r.series_key <> 0
),

sides as (
    select
        collection_key,
        block_s,
        series_key,
        allocated_size,
        label_key,
        bit_or(
            (cast(1 as bigint) << (last_rank + 1)) - (cast(1 as bigint) << first_rank)
        ) as ranks
    from stored
    group by collection_key, block_s, series_key, allocated_size, label_key
    union all
    select
        collection_key,
        block_s,
        series_key,
        allocated_size,
        label_key,
        (cast(1 as bigint) << (last_rank + 1)) - (cast(1 as bigint) << first_rank) as ranks
    from brought
    where last_rank - first_rank + 1 = bit_count(slots)
    union all
    select
        b.collection_key,
        b.block_s,
        b.series_key,
        b.allocated_size,
        b.label_key,
        bit_or(cast(1 as bigint) << bit_count(b.block_slots & ((cast(1 as bigint) << s.slot) - 1))) as ranks
    from brought as b
    cross join (select unnest(generate_series(0, 47)) as slot) as s
    where
        b.last_rank - b.first_rank + 1 <> bit_count(b.slots)
        and (b.slots & (cast(1 as bigint) << s.slot)) <> 0
    group by b.collection_key, b.block_s, b.series_key, b.allocated_size, b.label_key
),

differing as (
    select distinct
        collection_key,
        block_s
    from (
        select
            collection_key,
            block_s
        from sides
        group by collection_key, block_s, series_key, allocated_size, label_key
        having
            count(*) <> 2
            or min(ranks) <> max(ranks)
    ) as d
)

select
    k.collection_key,
    k.block_s,
    k.poll_count,
    k.row_count
from known_blocks as k
left join differing as d
    on k.collection_key = d.collection_key
    and k.block_s = d.block_s
where d.block_s is null
