-- name   scope_changes
-- grain  one row a feed and an instant at which something of it changes, before the scope begins included
-- reads  scope_polls, scope_pieces, scope_feeds
-- params cycle_s, max_hold_s
-- why    Levels and states as their changes, which are few and can be added. Each poll holds until the next: measured where
--        that comes within 1.5 cycles, else measured for one cycle, held up to max_hold, then missing.
with

gaps as (
    select
        collection_key,
        poll_s + $cycle_s as measured_until_s,
        least(next_s, poll_s + $max_hold_s) as held_until_s,
        next_s
    from scope_polls
    where 2 * (next_s - poll_s) > 3 * $cycle_s
),

state_changes as (
    select
        collection_key,
        measured_until_s as changes_at_s,
        case when held_until_s > measured_until_s then 1 else 0 end as held_change,
        case when held_until_s > measured_until_s or next_s <= measured_until_s then 0 else 1 end as missing_change
    from gaps
    union all
    select
        collection_key,
        held_until_s as changes_at_s,
        -1 as held_change,
        case when next_s > held_until_s then 1 else 0 end as missing_change
    from gaps
    where held_until_s > measured_until_s
    union all
    select
        collection_key,
        next_s as changes_at_s,
        0 as held_change,
        -1 as missing_change
    from gaps
    where next_s > held_until_s
)

select
    c.feed_key,
    p.poll_s as changes_at_s,
    cast(c.allocated_size as decimal(38, 0)) as occupied_change,
    0 as held_change,
    0 as missing_change
from scope_pieces as c
inner join scope_polls as p
    on c.first_poll_key = p.poll_key
union all
select
    c.feed_key,
    p.next_s as changes_at_s,
    cast(-c.allocated_size as decimal(38, 0)) as occupied_change,
    0 as held_change,
    0 as missing_change
from scope_pieces as c
inner join scope_polls as p
    on c.last_poll_key = p.poll_key
union all
select
    f.feed_key,
    s.changes_at_s,
    cast(0 as decimal(38, 0)) as occupied_change,
    s.held_change,
    s.missing_change
from state_changes as s
inner join scope_feeds as f
    on s.collection_key = f.collection_key
