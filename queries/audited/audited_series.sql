-- name   audited_series
-- grain  one row a series that a poll in force lists, in the period or at any time, and whether it counts
-- reads  observed_pieces, sample_runs, series, collections, polls, superseded_polls
-- params known_seq, as_of_s
-- why    A snapshot that several collections list under one account and location counts in one of them: the one whose endpoint
--        is the location, else the smallest. A run is in force if a poll of it is; mostly its first or its last one tells.
with

listed_now as (
    select distinct series_key
    from observed_pieces
),

other_runs as (
    select
        r.series_key,
        r.first_poll_key,
        r.last_poll_key
    from sample_runs as r
    left join listed_now as n
        on r.series_key = n.series_key
    where n.series_key is null
),

told_by_ends as (
    select distinct r.series_key
    from (
        select series_key, first_poll_key as poll_key from other_runs
        union all
        select series_key, last_poll_key as poll_key from other_runs
    ) as r
    inner join polls as p
        on r.poll_key = p.poll_key
    left join superseded_polls as x
        on p.poll_key = x.poll_key
        and x.ingest_seq <= $known_seq
    where
        p.ingest_seq <= $known_seq
        and p.poll_s < $as_of_s
        and x.poll_key is null
),

inner_polls as (
    select
        r.series_key,
        unnest(generate_series(r.first_poll_key + 1, r.last_poll_key - 1)) as poll_key
    from other_runs as r
    left join told_by_ends as t
        on r.series_key = t.series_key
    where
        t.series_key is null
        and r.last_poll_key > r.first_poll_key + 1
),

told_by_others as (
    select distinct r.series_key
    from inner_polls as r
    inner join polls as p
        on r.poll_key = p.poll_key
    left join superseded_polls as x
        on p.poll_key = x.poll_key
        and x.ingest_seq <= $known_seq
    where
        p.ingest_seq <= $known_seq
        and p.poll_s < $as_of_s
        and x.poll_key is null
),

listed as (
    select
        s.series_key,
        s.collection_key,
        c.endpoint,
        c.account,
        s.location,
        s.snapshot
    from (
        select series_key from listed_now
        union all
        select series_key from told_by_ends
        union all
        select series_key from told_by_others
    ) as t
    inner join series as s
        on t.series_key = s.series_key
    inner join collections as c
        on s.collection_key = c.collection_key
),

chosen as (
    select
        account,
        location,
        snapshot,
        min(endpoint) as smallest_endpoint,
        max(case when endpoint = location then 1 else 0 end) as is_at_location
    from listed
    group by account, location, snapshot
)

select
    l.series_key,
    l.collection_key,
    l.account,
    l.location,
    l.snapshot,
    l.endpoint = case when h.is_at_location = 1 then l.location else h.smallest_endpoint end as is_counted
from listed as l
inner join chosen as h
    on l.account = h.account
    and l.location = h.location
    and l.snapshot = h.snapshot
