-- name   staged_blocks
-- grain  one row a collection and block of four hours of the batch
-- reads  staged_runs, staged_phases, rejected_rows, collections, collection_tails, polls
-- params none
-- why    Tells the blocks that need a closer look, poll by poll: those with a poll that is known, rejected or contradictory, that
--        came in several files or as captures, or with two polls in one slot. In all others every poll is new and taken.
with

blocks as (
    select
        collection_key,
        block_s,
        bit_or(slots) as slots,
        sum(row_count) as row_count,
        sum(bit_count(slots)) as distinct_row_count,
        min(first_poll_s) as first_poll_s,
        max(last_poll_s) as last_poll_s,
        min(least_phase_s) as phase_s,
        max(greatest_phase_s) as greatest_phase_s,
        min(file_number) as file_number,
        max(greatest_file_number) as greatest_file_number,
        max(listing) as listing
    from staged_runs
    group by collection_key, block_s
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

rejected as (
    select distinct
        c.collection_key,
        r.poll_s - r.poll_s % 14400 as block_s
    from rejected_rows as r
    inner join collections as c
        on r.endpoint = c.endpoint
        and r.account = c.account
    where r.is_poll_known
),

reaching_back as (
    select b.collection_key
    from blocks as b
    inner join collection_tails as t
        on b.collection_key = t.collection_key
    group by b.collection_key
    having min(b.first_poll_s) <= max(t.last_poll_s)
),

known as (
    select distinct
        p.collection_key,
        p.poll_s - p.poll_s % 14400 as block_s
    from polls as p
    inner join reaching_back as r
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
left join rejected as r
    on b.collection_key = r.collection_key
    and b.block_s = r.block_s
left join known as k
    on b.collection_key = k.collection_key
    and b.block_s = k.block_s
