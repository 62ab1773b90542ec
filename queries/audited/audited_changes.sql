-- name   audited_changes
-- grain  one row an account, location, instant of [from_s, until_s) and collection at which what it says of the location changes
-- reads  audited_polls, audited_series, sample_runs, collections
-- params from_s, until_s, cycle_s, max_hold_s
-- why    What each poll says of a location, added up from its samples, for as long as it is measured or held; of polls that say
--        the same one after the other only the first. A piece of the period at a time, so that a month of samples fits in memory.
with

holding as (
    select
        poll_key,
        collection_key,
        greatest(poll_s, $from_s) as starts_at_s,
        least(
            case when 2 * (next_s - poll_s) <= 3 * $cycle_s then next_s else least(next_s, poll_s + $max_hold_s) end,
            $until_s
        ) as ends_at_s
    from audited_polls
    where
        next_s > $from_s
        and poll_s < $until_s
),

bounds as (
    select
        collection_key,
        min(poll_key) as first_key,
        max(poll_key) as last_key
    from holding
    group by collection_key
),

-- A location is fed by every collection that it is listed in, and by the one of its own endpoint.
feeding as (
    select distinct
        collection_key,
        location
    from audited_series
    where is_counted
    union
    select
        collection_key,
        endpoint as location
    from collections
),

samples_in_piece as (
    select
        s.location,
        r.allocated_size,
        unnest(generate_series(greatest(r.first_poll_key, b.first_key), least(r.last_poll_key, b.last_key))) as poll_key
    from sample_runs as r
    inner join audited_series as s
        on r.series_key = s.series_key
    inner join bounds as b
        on s.collection_key = b.collection_key
    where
        s.is_counted
        and r.first_poll_key <= b.last_key
        and r.last_poll_key >= b.first_key
),

listed as (
    select
        poll_key,
        location,
        sum(cast(allocated_size as decimal(38, 0))) as occupied_bytes
    from samples_in_piece
    group by poll_key, location
),

spans as (
    select
        h.collection_key,
        f.location,
        h.starts_at_s,
        h.ends_at_s,
        coalesce(l.occupied_bytes, 0) as occupied_bytes
    from holding as h
    inner join feeding as f
        on h.collection_key = f.collection_key
    left join listed as l
        on h.poll_key = l.poll_key
        and f.location = l.location
    where h.ends_at_s > h.starts_at_s
),

neighbours as (
    select
        *,
        lag(ends_at_s) over (partition by collection_key, location order by starts_at_s) as before_s,
        lag(occupied_bytes) over (partition by collection_key, location order by starts_at_s) as before_bytes,
        lead(starts_at_s) over (partition by collection_key, location order by starts_at_s) as after_s
    from spans
),

begun as (
    select
        collection_key,
        location,
        starts_at_s as instant_s,
        case when before_s = starts_at_s then 0 else 1 end as observed_count,
        occupied_bytes - case when before_s = starts_at_s then before_bytes else 0 end as occupied_bytes
    from neighbours
),

ended as (
    select
        collection_key,
        location,
        ends_at_s as instant_s,
        -1 as observed_count,
        -occupied_bytes as occupied_bytes
    from neighbours
    where coalesce(after_s, -1) <> ends_at_s
),

changed as (
    select *
    from begun
    where
        observed_count <> 0
        or occupied_bytes <> 0
    union all
    select *
    from ended
)

select
    c.account,
    x.location,
    x.instant_s,
    x.observed_count,
    x.occupied_bytes
from changed as x
inner join collections as c
    on x.collection_key = c.collection_key
