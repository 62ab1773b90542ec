-- name   kept_scope
-- grain  one row a collection that the ingest touched, and every other whose days are not kept
-- reads  new_tails, collection_tails, polls, superseded_polls, feeds, level_days
-- params cycle_s
-- why    Which days to make, [from_s, until_s): from the day that new polls reach back to until the last whole one, or, where all
--        of them came late, until the day they reach on to. A day is whole from its last cycle on, but polls may still come in
--        it. A feed that is new is made from its collection's first poll on.
with

before_and_after as (
    select
        n.collection_key,
        max(case when p.poll_s < n.first_poll_s then p.poll_s end) as before_s,
        min(case when p.poll_s > n.latest_new_poll_s then p.poll_s end) as after_s
    from new_tails as n
    inner join collection_tails as t
        on n.collection_key = t.collection_key
    inner join polls as p
        on n.collection_key = p.collection_key
    left join superseded_polls as s
        on p.poll_key = s.poll_key
    where
        n.first_poll_s <= t.last_poll_s
        and s.poll_key is null
    group by n.collection_key
),

unmade as (
    select distinct f.collection_key
    from feeds as f
    left join level_days as d
        on f.feed_key = d.feed_key
    where d.feed_key is null
),

touched as (
    select
        coalesce(n.collection_key, t.collection_key) as collection_key,
        coalesce(n.last_number, t.last_number) as last_number,
        coalesce(n.last_poll_s, t.last_poll_s) as last_poll_s,
        n.first_poll_s,
        coalesce(t.kept_until_s, 0) as kept_before_s,
        coalesce(t.last_poll_s, -1) as last_before_s
    from new_tails as n
    full join collection_tails as t
        on n.collection_key = t.collection_key
    where
        n.collection_key is not null
        or t.kept_until_s = 0
),

ends as (
    select
        *,
        last_poll_s - last_poll_s % 86400
        + case when last_poll_s % 86400 + $cycle_s >= 86400 then 86400 else 0 end as kept_until_s
    from touched
)

select
    e.collection_key,
    e.last_number,
    e.last_poll_s,
    e.kept_until_s,
    case
        when u.collection_key is not null or e.kept_before_s = 0 then 0
        when e.first_poll_s > e.last_before_s then least(e.kept_before_s, e.first_poll_s - e.first_poll_s % 86400)
        else least(e.kept_before_s, coalesce(a.before_s - a.before_s % 86400, 0))
    end as from_s,
    case
        when u.collection_key is null and e.kept_before_s > 0 and a.after_s is not null
            then least(e.kept_until_s, a.after_s - a.after_s % 86400 + 86400)
        else e.kept_until_s
    end as until_s
from ends as e
left join before_and_after as a
    on e.collection_key = a.collection_key
left join unmade as u
    on e.collection_key = u.collection_key
