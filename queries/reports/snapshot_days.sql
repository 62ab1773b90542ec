-- name   snapshot_days
-- grain  one row a snapshot of an account in a location, and a UTC day of the period in which it was observed
-- reads  observed_polls, observed_pieces, series, collections, ignored_series, labels
-- params none
-- why    What each snapshot occupied, over the time its polls hold (measured and held, never missing), cut at midnight. Sums
--        over snapshots are the usage of their location, to the last byte-second.
with

-- The first and the last poll that holds within a day: a piece that crosses its begin or its end does so with them.
day_polls as (
    select
        collection_key,
        day_s,
        min(poll_s) as first_poll_s,
        max(poll_s) as last_poll_s
    from (
        select
            collection_key,
            poll_s,
            starts_at_s - starts_at_s % 86400 as day_s
        from observed_polls
        where ends_at_s > starts_at_s
        union all
        select
            collection_key,
            poll_s,
            unnest(generate_series(starts_at_s - starts_at_s % 86400 + 86400, ends_at_s - 1, 86400)) as day_s
        from observed_polls
        where ends_at_s > starts_at_s - starts_at_s % 86400 + 86400
    ) as held_in
    group by collection_key, day_s
),

pieces as (
    select
        p.collection_key,
        p.series_key,
        p.label_key,
        p.allocated_size,
        p.first_poll_s,
        p.last_poll_s,
        p.starts_at_s,
        p.ends_at_s,
        unnest(generate_series(p.starts_at_s - p.starts_at_s % 86400, p.ends_at_s - 1, 86400)) as day_s
    from observed_pieces as p
    left join ignored_series as i
        on p.series_key = i.series_key
    where
        p.ends_at_s > p.starts_at_s
        and i.series_key is null
),

held as (
    select
        p.series_key,
        p.label_key,
        p.allocated_size,
        p.day_s,
        least(p.ends_at_s, p.day_s + 86400) - greatest(p.starts_at_s, p.day_s) as held_seconds,
        greatest(p.first_poll_s, d.first_poll_s) as first_poll_s,
        least(p.last_poll_s, d.last_poll_s) as last_poll_s
    from pieces as p
    inner join day_polls as d
        on p.collection_key = d.collection_key
        and p.day_s = d.day_s
),

summed as (
    select
        series_key,
        day_s,
        sum(cast(allocated_size as decimal(38, 0)) * held_seconds) as occupied_byte_seconds,
        sum(held_seconds) as observed_seconds,
        max(allocated_size) as peak_occupied_bytes,
        min(first_poll_s) as first_poll_s,
        max(last_poll_s) as last_poll_s
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
    and m.last_poll_s = h.last_poll_s
inner join series as s
    on m.series_key = s.series_key
inner join collections as c
    on s.collection_key = c.collection_key
inner join labels as l
    on h.label_key = l.label_key
order by c.account, s.location, s.snapshot, m.day_s
