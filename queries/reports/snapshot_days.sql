-- name   snapshot_days
-- grain  one row a snapshot of an account in a location, and a UTC day of the period in which it was observed
-- reads  used_polls, samples, series, collections, ignored_series, labels
-- params start_s, stop_s, cycle_s, max_hold_s
-- why    What each snapshot occupied, over the time its polls hold (measured and held, never missing), cut at midnight. Sums
--        over snapshots are the usage of their location, to the last byte-second.
with

spans as (
    select
        poll_key,
        poll_s,
        greatest(poll_s, $start_s) as starts_at_s,
        least(
            case when 2 * (next_s - poll_s) <= 3 * $cycle_s then next_s else least(next_s, poll_s + $max_hold_s) end,
            $stop_s
        ) as ends_at_s
    from used_polls
    where
        next_s > $start_s
        and poll_s < $stop_s
),

days as (
    select
        poll_key,
        poll_s,
        starts_at_s,
        ends_at_s,
        unnest(generate_series(starts_at_s - starts_at_s % 86400, ends_at_s - 1, 86400)) as day_s
    from spans
    where ends_at_s > starts_at_s
),

held as (
    select
        x.series_key,
        x.label_key,
        x.allocated_size,
        d.poll_s,
        d.day_s,
        least(d.ends_at_s, d.day_s + 86400) - greatest(d.starts_at_s, d.day_s) as held_seconds
    from days as d
    inner join samples as x
        on d.poll_key = x.poll_key
    left join ignored_series as i
        on x.series_key = i.series_key
    where i.series_key is null
),

summed as (
    select
        series_key,
        day_s,
        sum(cast(allocated_size as decimal(38, 0)) * held_seconds) as occupied_byte_seconds,
        sum(held_seconds) as observed_seconds,
        max(allocated_size) as peak_occupied_bytes,
        min(poll_s) as first_poll_s,
        max(poll_s) as last_poll_s
    from held
    group by series_key, day_s
)

select
    c.account,
    s.location,
    s.snapshot,
    l.drive,
    l.status,
    l.name,
    m.day_s,
    m.occupied_byte_seconds,
    m.observed_seconds,
    m.peak_occupied_bytes,
    h.allocated_size as last_occupied_bytes,
    m.first_poll_s,
    m.last_poll_s
from summed as m
inner join held as h
    on m.series_key = h.series_key
    and m.day_s = h.day_s
    and m.last_poll_s = h.poll_s
inner join series as s
    on m.series_key = s.series_key
inner join collections as c
    on s.collection_key = c.collection_key
inner join labels as l
    on h.label_key = l.label_key
order by c.account, s.location, s.snapshot, m.day_s
