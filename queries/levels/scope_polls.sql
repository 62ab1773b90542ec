-- name   scope_polls
-- grain  one row a poll in force whose time reaches into its collection's scope
-- reads  polls, superseded_polls, level_scope
-- params known_seq, as_of_s
-- why    The polls that levels rest on: known by then, before the clock, not superseded by then; each with the next one of its
--        collection. After the last no next one comes: it stands at the end of the calendar. A break is where a poll does not
--        follow the one before it in number too, because it was late or replaces another; a scope begins with one.
with

neighbours as (
    select
        p.poll_key,
        p.collection_key,
        p.poll_s,
        w.from_s,
        w.until_s,
        coalesce(lead(p.poll_s) over (partition by p.collection_key order by p.poll_s), 253402300800) as next_s,
        lag(p.poll_key) over (partition by p.collection_key order by p.poll_s) as before_key
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
