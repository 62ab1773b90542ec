-- name   scope_stretches
-- grain  one row a stretch of polls in force, numbered on and a cycle apart, whose time reaches into its collection's scope
-- reads  scope_blocks, polls, superseded_polls
-- params known_seq, as_of_s
-- why    An even block is a stretch, so that windows and joins see few rows. Of any other block each poll is a stretch of its own,
--        which has no block. next_s is the first poll behind a stretch; after the last none comes: it stands at the end of the
--        calendar. A break is where a stretch does not follow the one before it in number too, because it was late or replaces
--        another; a scope begins with one.
with

stretches as (
    select
        collection_key,
        block,
        from_s,
        until_s,
        first_poll_key,
        last_poll_key,
        first_s,
        last_s
    from scope_blocks
    where is_even
    union all
    select
        p.collection_key,
        cast(null as bigint) as block,
        b.from_s,
        b.until_s,
        p.poll_key as first_poll_key,
        p.poll_key as last_poll_key,
        p.poll_s as first_s,
        p.poll_s as last_s
    from scope_blocks as b
    inner join polls as p
        on b.block = p.poll_key // 64
        and b.collection_key = p.collection_key
    left join superseded_polls as s
        on p.poll_key = s.poll_key
        and s.ingest_seq <= $known_seq
    where
        not b.is_even
        and p.ingest_seq <= $known_seq
        and p.poll_s < $as_of_s
        and s.poll_key is null
),

neighbours as (
    select
        *,
        coalesce(lead(first_s) over (partition by collection_key order by first_s), 253402300800) as next_s,
        lag(last_poll_key) over (partition by collection_key order by first_s) as before_key
    from stretches
)

select
    collection_key,
    block,
    first_poll_key,
    last_poll_key,
    first_s,
    last_s,
    next_s,
    before_key,
    case when first_s <= from_s or coalesce(before_key, -1) <> first_poll_key - 1 then 1 else 0 end as is_break
from neighbours
where
    next_s > from_s
    and first_s < until_s
