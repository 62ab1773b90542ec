-- name   scope_steps
-- grain  one row a feed and interval [starts_at_s, ends_at_s), within one UTC day, in which its level and its state are constant
-- reads  scope_changes, scope_stretches, scope_feeds, level_scope
-- params none
-- why    What each feed says, from its collection's first poll on. Missing time counts nothing. Bytes and state are one running
--        sum (scope_changes): each more takes as long as all the rest.
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
),

instants as (
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
),

levels as (
    select
        feed_key,
        starts_at_s,
        lead(starts_at_s, 1, until_s) over (partition by feed_key order by starts_at_s) as ends_at_s,
        sum(level_change) over (partition by feed_key order by starts_at_s rows unbounded preceding) as level
    from instants
),

states as (
    select
        cast('1000000000000000000000000000000000000' as decimal(38, 0)) as held,
        cast('2000000000000000000000000000000000000' as decimal(38, 0)) as missing
)

select
    l.feed_key,
    l.starts_at_s,
    l.ends_at_s,
    case when l.level >= s.missing then 0 when l.level >= s.held then l.level - s.held else l.level end as occupied_bytes,
    case when l.level >= s.held and l.level < s.missing then 1 else 0 end as held_count,
    case when l.level >= s.missing then 1 else 0 end as missing_count
from levels as l
cross join states as s
