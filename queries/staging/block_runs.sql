-- name   block_runs
-- grain  one row a run of the batch that lies within one block, in blocks that needed no closer look
-- reads  staged_runs, staged_blocks, accepted_blocks
-- params none
-- why    Bits to keys. Where all polls of the block between a run's first and last slot are its own, it is one range of keys.
select
    r.series_key,
    r.allocated_size,
    r.label_key,
    r.slots,
    b.slots as block_slots,
    a.first_poll_key as block_first_poll_key,
    a.first_poll_key + bit_count(b.slots & ((cast(1 as bigint) << r.first_slot) - 1)) as first_poll_key,
    bit_count(r.slots) as poll_count,
    bit_count(
        b.slots & ((cast(1 as bigint) << (r.last_slot + 1)) - (cast(1 as bigint) << r.first_slot))
    ) = bit_count(r.slots) as is_range
from staged_runs as r
inner join staged_blocks as b
    on r.collection_key = b.collection_key
    and r.block_s = b.block_s
inner join accepted_blocks as a
    on r.collection_key = a.collection_key
    and r.block_s = a.block_s
where
    not b.is_looked_into
    and r.series_key <> 0
