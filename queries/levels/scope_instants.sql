-- name   scope_instants
-- grain  one row a feed and instant of its scope at which its level or its state changes, or a day begins
-- reads  scope_changes, scope_stretches, scope_feeds, level_scope
-- params none
-- why    What each feed says, from its collection's first poll on, as changes of one number (scope_changes): what they add up to,
--        from one to the next, are its levels.
with

begins as (
    select
        f.feed_key,
        greatest(min(s.first_s), max(w.from_s)) as begins_at_s,
        max(w.until_s) as until_s
    from scope_stretches as s
    inner join level_scope as w
        on s.collection_key = w.collection_key
    inner join scope_feeds as f
        on s.collection_key = f.collection_key
    group by f.feed_key
),

changes as (
    select
        c.feed_key,
        greatest(c.changes_at_s, b.begins_at_s) as changes_at_s,
        c.level_change,
        0 as is_cut
    from scope_changes as c
    inner join begins as b
        on c.feed_key = b.feed_key
    where c.changes_at_s < b.until_s
    union all
    select
        feed_key,
        unnest(generate_series(begins_at_s - begins_at_s % 86400, until_s - 1, 86400)) as changes_at_s,
        cast(0 as decimal(38, 0)) as level_change,
        1 as is_cut
    from begins
)

select
    c.feed_key,
    greatest(c.changes_at_s, b.begins_at_s) as starts_at_s,
    b.until_s,
    sum(c.level_change) as level_change
from changes as c
inner join begins as b
    on c.feed_key = b.feed_key
group by c.feed_key, greatest(c.changes_at_s, b.begins_at_s), b.until_s
having
    sum(c.level_change) <> 0
    or max(c.is_cut) = 1
