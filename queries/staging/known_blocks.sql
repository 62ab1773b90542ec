-- name   known_blocks
-- grain  one row a collection and block of four hours with the same polls in the batch as in the store
-- reads  staged_runs, collections_reaching_back, rejected_blocks, staged_phases, polls
-- params none
-- why    A poll's key less its rank among the bits of the block is the block's first key. Where all say the same one, the block's
--        polls are numbered by time without a gap: no two share a slot, none is late and none was replaced.
with

poll_counts as (
    select
        collection_key,
        block_s,
        count(*) as poll_count
    from staged_phases
    group by collection_key, block_s
),

batch as (
    select
        r.collection_key,
        r.block_s,
        bit_or(r.slots) as slots,
        min(r.least_phase_s) as phase_s,
        max(r.greatest_phase_s) as greatest_phase_s,
        sum(r.row_count) as row_count
    from staged_runs as r
    inner join collections_reaching_back as c
        on r.collection_key = c.collection_key
    left join rejected_blocks as x
        on r.collection_key = x.collection_key
        and r.block_s = x.block_s
    left join poll_counts as p
        on r.collection_key = p.collection_key
        and r.block_s = p.block_s
    where x.block_s is null
    group by r.collection_key, r.block_s
    having
        min(r.first_poll_s) >= 0
        and max(r.listing) = 0
        and coalesce(min(p.poll_count), bit_count(bit_or(r.slots))) = bit_count(bit_or(r.slots))
),

stored as (
    select
        b.collection_key,
        b.block_s,
        b.slots,
        b.row_count,
        case
            when f.poll_s is not null then 1
            when b.phase_s = b.greatest_phase_s and p.poll_s % 300 = b.phase_s then 1
            else 0
        end as is_brought,
        cast((p.poll_s - b.block_s) // 300 as integer) as slot,
        p.poll_key - bit_count(b.slots & ((cast(1 as bigint) << cast((p.poll_s - b.block_s) // 300 as integer)) - 1)) as first_poll_key
    from polls as p
    inner join batch as b
        on p.collection_key = b.collection_key
        and p.poll_s - p.poll_s % 14400 = b.block_s
    left join staged_phases as f
        on p.collection_key = f.collection_key
        and p.poll_s = f.poll_s
)

select
    collection_key,
    block_s,
    min(slots) as slots,
    min(first_poll_key) as first_poll_key,
    count(*) as poll_count,
    min(row_count) as row_count
from stored
group by collection_key, block_s
having
    min(first_poll_key) = max(first_poll_key)
    and bit_or(cast(1 as bigint) << slot) = min(slots)
    and min(is_brought) = 1
