-- name   feed_steps
-- grain  one row a unit, a collection that feeds it, and an interval in which what it says and how well it is known are constant
-- reads  used_polls, units, feeds, counted_levels
-- params start_s, stop_s, cycle_s, max_hold_s
-- why    Each poll holds until the next: measured where that comes within 1.5 cycles, else measured for one cycle, held up to
--        max_hold, then missing. Missing time counts nothing. The poll before the period is carried in.
with

spans as (
    select
        poll_key,
        collection_key,
        poll_s,
        next_s,
        case when 2 * (next_s - poll_s) <= 3 * $cycle_s then next_s else poll_s + $cycle_s end as measured_until_s,
        case when 2 * (next_s - poll_s) <= 3 * $cycle_s then next_s else least(next_s, poll_s + $max_hold_s) end as held_until_s
    from used_polls
    where
        next_s > $start_s
        and poll_s < $stop_s
),

levels as (
    select
        u.unit_key,
        s.collection_key,
        s.poll_s,
        s.next_s,
        s.measured_until_s,
        s.held_until_s,
        coalesce(l.occupied_bytes, 0) as occupied_bytes
    from spans as s
    inner join feeds as f
        on s.collection_key = f.collection_key
    inner join units as u
        on f.account = u.account
        and f.location = u.location
    left join counted_levels as l
        on s.poll_key = l.poll_key
        and f.location = l.location
),

pieces as (
    select
        unit_key,
        collection_key,
        poll_s as starts_at_s,
        measured_until_s as ends_at_s,
        occupied_bytes,
        0 as held_count,
        0 as missing_count
    from levels
    union all
    select
        unit_key,
        collection_key,
        measured_until_s as starts_at_s,
        held_until_s as ends_at_s,
        occupied_bytes,
        1 as held_count,
        0 as missing_count
    from levels
    where held_until_s > measured_until_s
    union all
    select
        unit_key,
        collection_key,
        held_until_s as starts_at_s,
        next_s as ends_at_s,
        cast(0 as decimal(38, 0)) as occupied_bytes,
        0 as held_count,
        1 as missing_count
    from levels
    where next_s > held_until_s
)

select
    unit_key,
    collection_key,
    greatest(starts_at_s, $start_s) as starts_at_s,
    occupied_bytes,
    held_count,
    missing_count
from pieces
where
    ends_at_s > $start_s
    and starts_at_s < $stop_s
