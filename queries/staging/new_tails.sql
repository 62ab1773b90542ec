-- name   new_tails
-- grain  one row a collection with accepted polls
-- reads  accepted_blocks, staged_blocks, looked_into_keys, collection_tails
-- params none
-- why    How far a collection is known: the last number given to a poll of it, and the instant of its latest poll.
with

latest as (
    select
        collection_key,
        max(last_poll_s) as last_poll_s,
        min(first_poll_s) as first_poll_s,
        max(case when first_poll_s is not null then last_poll_s end) as latest_new_poll_s
    from (
        select
            collection_key,
            first_poll_s,
            last_poll_s
        from staged_blocks
        where not is_looked_into
        union all
        select
            collection_key,
            poll_s as first_poll_s,
            poll_s as last_poll_s
        from looked_into_keys
        union all
        select
            collection_key,
            null as first_poll_s,
            last_poll_s
        from collection_tails
    ) as ends
    group by collection_key
),

numbered as (
    select
        collection_key,
        max(first_poll_key + poll_count - 1) % 4294967296 as last_number
    from accepted_blocks
    group by collection_key
)

select
    n.collection_key,
    n.last_number,
    l.last_poll_s,
    l.first_poll_s,
    l.latest_new_poll_s
from numbered as n
inner join latest as l
    on n.collection_key = l.collection_key
