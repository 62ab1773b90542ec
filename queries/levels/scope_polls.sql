-- name   scope_polls
-- grain  one row a poll in force whose time reaches into its collection's scope
-- reads  polls, superseded_polls, level_scope
-- params known_seq, as_of_s
-- why    The polls that levels rest on: known by then, before the clock, not superseded by then; each with the next one of its
--        collection. After the last no next one comes: it stands at the end of the calendar. A break is where a poll does not
--        follow the one before it in number too, because it was late or replaces another; a scope begins with one. Two scans of
--        all polls, which keep a few, take a quarter of the time of one that keeps all.
with

in_force as not materialized (
    select
        p.poll_key,
        p.collection_key,
        p.poll_s,
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

-- from the poll that is carried in to the first one behind the scope
bounds as (
    select
        collection_key,
        coalesce(max(case when poll_s <= from_s then poll_s end), min(from_s)) as first_s,
        coalesce(min(case when poll_s >= until_s then poll_s end), max(until_s)) as last_s
    from in_force
    group by collection_key
),

neighbours as (
    select
        p.poll_key,
        p.collection_key,
        p.poll_s,
        p.from_s,
        p.until_s,
        coalesce(lead(p.poll_s) over (partition by p.collection_key order by p.poll_s), 253402300800) as next_s,
        lag(p.poll_key) over (partition by p.collection_key order by p.poll_s) as before_key
    from in_force as p
    inner join bounds as b
        on p.collection_key = b.collection_key
    where
        p.poll_s >= b.first_s
        and p.poll_s <= b.last_s
)

select
    poll_key,
    collection_key,
    poll_s,
    next_s,
    before_key,
    case when poll_s <= from_s or coalesce(before_key, -1) <> poll_key - 1 then 1 else 0 end as is_break
from neighbours
where
    next_s > from_s
    and poll_s < until_s
