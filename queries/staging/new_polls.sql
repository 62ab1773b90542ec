-- name   new_polls
-- grain  one row an accepted poll of the batch
-- reads  looked_into_keys, staged_blocks, staged_phases, accepted_blocks
-- params ingest_seq
-- why    The polls to keep. A slot's rank among the bits of its block is its poll's place in the block. Blocks are sorted before
--        they are unfolded, so that a collection's polls are written one after the other and pack well; sorting polls takes
--        four times as long as all the rest. What rests on an order sorts for itself.
with

blocks as (
    select
        b.collection_key,
        b.block_s,
        b.slots,
        b.phase_s,
        b.is_jittering,
        b.file_number,
        a.first_poll_key
    from staged_blocks as b
    inner join accepted_blocks as a
        on b.collection_key = a.collection_key
        and b.block_s = a.block_s
    where not b.is_looked_into
    order by a.first_poll_key
),

slots as (
    select
        collection_key,
        block_s,
        slots,
        phase_s,
        file_number,
        first_poll_key,
        unnest(generate_series(0, 47)) as slot
    from blocks
    where not is_jittering
),

keyed as (
    select
        first_poll_key + bit_count(slots & ((cast(1 as bigint) << slot) - 1)) as poll_key,
        collection_key,
        block_s + slot * 300 + phase_s as poll_s,
        file_number
    from slots
    where (slots & (cast(1 as bigint) << slot)) <> 0
    union all
    select
        b.first_poll_key
        + bit_count(b.slots & ((cast(1 as bigint) << cast((p.poll_s % 14400) // 300 as integer)) - 1)) as poll_key,
        b.collection_key,
        p.poll_s,
        b.file_number
    from staged_phases as p
    inner join blocks as b
        on p.collection_key = b.collection_key
        and p.block_s = b.block_s
    union all
    select
        poll_key,
        collection_key,
        poll_s,
        file_number
    from looked_into_keys
)

select
    poll_key,
    collection_key,
    poll_s,
    file_number,
    $ingest_seq as ingest_seq
from keyed
