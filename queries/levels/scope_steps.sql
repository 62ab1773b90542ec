-- name   scope_steps
-- grain  one row a feed and interval [starts_at_s, ends_at_s), within one UTC day, in which its level and its state are constant
-- reads  scope_levels
-- params none
-- why    What each feed says. Missing time counts nothing. Bytes and state are one running sum (scope_changes) of scope_instants.
with

states as (
    select
        cast('1000000000000000000000000000000' as decimal(38, 0)) as held,
        cast('2000000000000000000000000000000' as decimal(38, 0)) as missing
)

select
    l.feed_key,
    l.starts_at_s,
    coalesce(l.next_starts_at_s, l.until_s) as ends_at_s,
    case when l.level >= s.missing then 0 when l.level >= s.held then l.level - s.held else l.level end as occupied_bytes,
    case when l.level >= s.held and l.level < s.missing then 1 else 0 end as held_count,
    case when l.level >= s.missing then 1 else 0 end as missing_count
from scope_levels as l
cross join states as s
