-- name   audited_series
-- grain  one row a series that a poll in force lists, and whether it counts
-- reads  sample_runs, samples, series, collections, audited_polls
-- params none
-- why    A snapshot that several collections list under one account and location counts in one of them: the one whose endpoint
--        is the location, else the smallest. A run is in force if a poll of it is; mostly its first or its last one tells.
with

told_by_ends as (
    select distinct r.series_key
    from sample_runs as r
    inner join audited_polls as p
        on r.first_poll_key = p.poll_key
    union
    select distinct r.series_key
    from sample_runs as r
    inner join audited_polls as p
        on r.last_poll_key = p.poll_key
),

told_by_others as (
    select distinct x.series_key
    from samples as x
    inner join audited_polls as p
        on x.poll_key = p.poll_key
    left join told_by_ends as t
        on x.series_key = t.series_key
    where t.series_key is null
),

listed as (
    select
        s.series_key,
        s.collection_key,
        c.endpoint,
        c.account,
        s.location,
        s.snapshot
    from (select series_key from told_by_ends union select series_key from told_by_others) as t
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
    l.endpoint,
    l.account,
    l.location,
    l.snapshot,
    l.endpoint = case when h.is_at_location = 1 then l.location else h.smallest_endpoint end as is_counted
from listed as l
inner join chosen as h
    on l.account = h.account
    and l.location = h.location
    and l.snapshot = h.snapshot
