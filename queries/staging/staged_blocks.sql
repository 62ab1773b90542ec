-- name   staged_blocks
-- grain  one row a collection and block of four hours of the batch that is not the store's already
-- reads  staged_runs, repeated_blocks, staged_phases, rejected_blocks, collections_reaching_back, polls
-- params none
-- why    Tells the blocks that need a closer look, poll by poll: those with a poll that is known, rejected or contradictory, that
--        came in several files or as captures, or with two polls in one slot. In all others every poll is new and taken.
with

blocks as (
    select
        s.collection_key,
        s.block_s,
        bit_or(s.slots) as slots,
        sum(s.row_count) as row_count,
        sum(bit_count(s.slots)) as distinct_row_count,
        min(s.first_poll_s) as first_poll_s,
        max(s.last_poll_s) as last_poll_s,
        min(s.least_phase_s) as phase_s,
        max(s.greatest_phase_s) as greatest_phase_s,
        min(s.file_number) as file_number,
        max(s.greatest_file_number) as greatest_file_number,
        max(s.listing) as listing
    from staged_runs as s
    left join repeated_blocks as x
        on s.collection_key = x.collection_key
        and s.block_s = x.block_s
    where x.block_s is null
    group by s.collection_key, s.block_s
),

poll_counts as (
    select
        collection_key,
        block_s,
        count(*) as poll_count
    from staged_phases
    group by collection_key, block_s
),

contradictory as (
    select distinct
        collection_key,
        block_s
    from (
        select
            collection_key,
            block_s,
            series_key
        from staged_runs
        where series_key <> 0
        group by collection_key, block_s, series_key
        having sum(bit_count(slots)) <> bit_count(bit_or(slots))
    ) as s
),

known as (
    select distinct
        p.collection_key,
        p.poll_s - p.poll_s % 14400 as block_s
    from polls as p
    inner join collections_reaching_back as r
        on p.collection_key = r.collection_key
)

select
    b.collection_key,
    b.block_s,
    b.slots,
    b.row_count,
    b.distinct_row_count,
    b.first_poll_s,
    b.last_poll_s,
    b.phase_s,
    b.phase_s <> b.greatest_phase_s as is_jittering,
    b.file_number,
    (
        b.first_poll_s < 0
        or b.listing > 0
        or b.file_number <> b.greatest_file_number
        or coalesce(p.poll_count, bit_count(b.slots)) <> bit_count(b.slots)
        or c.block_s is not null
        or r.block_s is not null
        or k.block_s is not null
    ) as is_looked_into
from blocks as b
left join poll_counts as p
    on b.collection_key = p.collection_key
    and b.block_s = p.block_s
left join contradictory as c
    on b.collection_key = c.collection_key
    and b.block_s = c.block_s
left join rejected_blocks as r
    on b.collection_key = r.collection_key
    and b.block_s = r.block_s
left join known as k
    on b.collection_key = k.collection_key
    and b.block_s = k.block_s
