-- name   scope_stretches
-- grain  one row a stretch of polls in force, numbered on and a cycle apart, whose time reaches into its collection's scope
-- reads  polls, superseded_polls, level_scope
-- params known_seq, as_of_s, cycle_s
-- why    The polls that levels rest on: known by then, before the clock, not superseded by then. Most come a cycle apart, so 64
--        numbers are looked at together: where nothing is amiss among them, they are one stretch, and windows see few rows. Where
--        a number is left out, a time is another, or another poll comes in between, each poll is a stretch of its own. next_s is
--        the first poll behind a stretch; after the last none comes: it stands at the end of the calendar. A break is where a
--        stretch does not follow the one before it in number too, because it was late or replaces another; a scope begins with one.
with

in_force as not materialized (
    select
        p.poll_key,
        p.collection_key,
        p.poll_s,
        p.poll_key // 64 as block,
        w.from_s,
        w.until_s
    from polls as p
    inner join level_scope as w
        on p.collection_key = w.collection_key
    left join superseded_polls as s
        on p.poll_key = s.poll_key
        and s.ingest_seq <= $known_seq
    where
        p.ingest_seq <= $known_seq
        and p.poll_s < $as_of_s
        and s.poll_key is null
),

blocks as materialized (
    select
        collection_key,
        block,
        min(from_s) as from_s,
        max(until_s) as until_s,
        min(poll_key) as first_poll_key,
        max(poll_key) as last_poll_key,
        min(poll_s) as first_s,
        max(poll_s) as last_s,
        count(*) = max(poll_key) - min(poll_key) + 1
        and min(poll_s - poll_key % 64 * $cycle_s) = max(poll_s - poll_key % 64 * $cycle_s) as is_regular
    from in_force
    group by collection_key, block
),

-- from the poll that is carried in to the first one behind the scope
bounds as (
    select
        collection_key,
        coalesce(max(case when first_s <= from_s then first_s end), min(from_s)) as first_s,
        coalesce(min(case when last_s >= until_s then last_s end), max(until_s)) as last_s
    from blocks
    group by collection_key
),

near as materialized (
    select
        b.*,
        b.is_regular
        and b.first_s > coalesce(
            max(b.last_s) over (
                partition by b.collection_key order by b.first_s, b.block rows between unbounded preceding and 1 preceding
            ),
            -1
        )
        and b.last_s < coalesce(lead(b.first_s) over (partition by b.collection_key order by b.first_s, b.block), 253402300800)
            as is_even
    from blocks as b
    inner join bounds as n
        on b.collection_key = n.collection_key
    where
        b.last_s >= n.first_s
        and b.first_s <= n.last_s
),

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
    from near
    where is_even
    union all
    select
        p.collection_key,
        cast(null as bigint) as block,
        p.from_s,
        p.until_s,
        p.poll_key as first_poll_key,
        p.poll_key as last_poll_key,
        p.poll_s as first_s,
        p.poll_s as last_s
    from near as b
    inner join in_force as p
        on b.collection_key = p.collection_key
        and b.block = p.block
    where not b.is_even
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
