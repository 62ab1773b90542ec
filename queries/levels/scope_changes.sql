-- name   scope_changes
-- grain  one row a feed and an instant at which something of it changes, before the scope begins included
-- reads  scope_stretches, scope_pieces, scope_feeds
-- params cycle_s, max_hold_s
-- why    Levels and states as their changes, which are few and can be added. Each poll holds until the next: measured where
--        that comes within 1.5 cycles, else measured for one cycle, held up to max_hold, then missing. A feed is in one state at
--        a time, so bytes and state are added as one number: 10^30 more where it is held, 2 x 10^30 more where it is missing. A
--        hundred billion snapshots have fewer bytes, and a feed's changes have 38 digits in whatever order they are added.
with

gaps as (
    select
        collection_key,
        last_s + $cycle_s as measured_until_s,
        least(next_s, last_s + $max_hold_s) as held_until_s,
        next_s
    from scope_stretches
    where 2 * (next_s - last_s) > 3 * $cycle_s
),

states as (
    select
        cast('1000000000000000000000000000000' as decimal(38, 0)) as held,
        cast('2000000000000000000000000000000' as decimal(38, 0)) as missing
),

state_changes as (
    select
        g.collection_key,
        g.measured_until_s as changes_at_s,
        case
            when g.held_until_s > g.measured_until_s then s.held
            when g.next_s > g.measured_until_s then s.missing
            else 0
        end as level_change
    from gaps as g
    cross join states as s
    union all
    select
        g.collection_key,
        g.held_until_s as changes_at_s,
        case when g.next_s > g.held_until_s then s.missing - s.held else -s.held end as level_change
    from gaps as g
    cross join states as s
    where g.held_until_s > g.measured_until_s
    union all
    select
        g.collection_key,
        g.next_s as changes_at_s,
        -s.missing as level_change
    from gaps as g
    cross join states as s
    where g.next_s > g.held_until_s
)

select
    feed_key,
    starts_at_s as changes_at_s,
    cast(allocated_size as decimal(38, 0)) as level_change
from scope_pieces
union all
select
    feed_key,
    ends_at_s as changes_at_s,
    cast(-allocated_size as decimal(38, 0)) as level_change
from scope_pieces
union all
select
    f.feed_key,
    s.changes_at_s,
    s.level_change
from state_changes as s
inner join scope_feeds as f
    on s.collection_key = f.collection_key
