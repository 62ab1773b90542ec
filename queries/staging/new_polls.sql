-- name   new_polls
-- grain  one row an accepted poll of the batch
-- reads  looked_into_keys, staged_blocks, staged_phases, accepted_blocks
-- params ingest_seq
-- why    The polls to keep, in the order of their keys: a collection's one after the other, so that they pack well. A slot's rank
--        among the bits of its block is its poll's place in the block.
with

slots as (
    select
        b.collection_key,
        b.block_s,
        s.slot,
        b.block_s + s.slot * 300 + b.phase_s as poll_s
    from staged_blocks as b
    cross join (select unnest(generate_series(0, 47)) as slot) as s
    where
        not b.is_looked_into
        and not b.is_jittering
        and (b.slots & (cast(1 as bigint) << s.slot)) <> 0
    union all
    select
        p.collection_key,
        p.block_s,
        cast((p.poll_s % 14400) // 300 as integer) as slot,
        p.poll_s
    from staged_phases as p
    inner join staged_blocks as b
        on p.collection_key = b.collection_key
        and p.block_s = b.block_s
    where not b.is_looked_into
),

keyed as (
    select
        a.first_poll_key + bit_count(b.slots & ((cast(1 as bigint) << s.slot) - 1)) as poll_key,
        s.collection_key,
        s.poll_s,
        b.file_number
    from slots as s
    inner join staged_blocks as b
        on s.collection_key = b.collection_key
        and s.block_s = b.block_s
    inner join accepted_blocks as a
        on s.collection_key = a.collection_key
        and s.block_s = a.block_s
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
order by poll_key
