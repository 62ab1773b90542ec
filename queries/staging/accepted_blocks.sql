-- name   accepted_blocks
-- grain  one row a collection and block of four hours with accepted polls
-- reads  staged_blocks, staged_polls, collection_tails
-- params none
-- why    Numbers the accepted polls of a collection on from its last, by time: a block's first number is what comes before it.
with

counted as (
    select
        collection_key,
        block_s,
        bit_count(slots) as poll_count
    from staged_blocks
    where not is_looked_into
    union all
    select
        collection_key,
        poll_s - poll_s % 14400 as block_s,
        count(*) as poll_count
    from staged_polls
    where outcome = 'accepted'
    group by collection_key, poll_s - poll_s % 14400
)

select
    c.collection_key,
    c.block_s,
    c.poll_count,
    cast(c.collection_key * 4294967296 + coalesce(t.last_number, 0) + 1 + coalesce(sum(c.poll_count) over (
        partition by c.collection_key
        order by c.block_s
        rows between unbounded preceding and 1 preceding
    ), 0) as bigint) as first_poll_key
from counted as c
left join collection_tails as t
    on c.collection_key = t.collection_key
