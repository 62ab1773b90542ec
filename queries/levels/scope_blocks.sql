-- name   scope_blocks
-- grain  one row a collection and 64 poll numbers, from the poll that is carried in to the first one behind its scope
-- reads  polls, superseded_polls, level_scope
-- params known_seq, as_of_s, cycle_s
-- why    The polls that levels rest on, many at a time: known by then, before the clock, not superseded by then. A block is even
--        where its polls are numbered on and come a cycle apart, and no other poll of the collection comes in between. A number is
--        left out where another poll replaced it, which comes in between; the count holds against a store that was damaged.
with

blocks as (
    select
        p.collection_key,
        p.poll_key // 64 as block,
        min(w.from_s) as from_s,
        max(w.until_s) as until_s,
        min(p.poll_key) as first_poll_key,
        max(p.poll_key) as last_poll_key,
        min(p.poll_s) as first_s,
        max(p.poll_s) as last_s,
        count(*) as poll_count,
        min(p.poll_s - p.poll_key % 64 * $cycle_s) as least_phase_s,
        max(p.poll_s - p.poll_key % 64 * $cycle_s) as greatest_phase_s
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
    group by p.collection_key, p.poll_key // 64
),

neighbours as (
    select
        *,
        max(last_s) over (
            partition by collection_key order by first_s, block rows between unbounded preceding and 1 preceding
        ) as before_s,
        lead(first_s) over (partition by collection_key order by first_s, block) as after_s,
        max(case when first_s <= from_s then first_s end) over (partition by collection_key) as carried_s,
        min(case when last_s >= until_s then last_s end) over (partition by collection_key) as behind_s
    from blocks
)

select
    collection_key,
    block,
    from_s,
    until_s,
    first_poll_key,
    last_poll_key,
    first_s,
    last_s,
    poll_count = last_poll_key - first_poll_key + 1
    and least_phase_s = greatest_phase_s
    and coalesce(first_s > before_s, true)
    and coalesce(last_s < after_s, true) as is_even
from neighbours
where
    coalesce(last_s >= carried_s, true)
    and coalesce(first_s <= behind_s, true)
