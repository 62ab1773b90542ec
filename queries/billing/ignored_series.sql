-- name   ignored_series
-- grain  one row a series that is not counted
-- reads  listed_locations, series, collections, samples, used_polls
-- params none
-- why    The same snapshot is never billed twice. One that appears, under one account and location, in several collections is
--        counted in one of them only: the one whose endpoint is the location, else the smallest endpoint.
with

listed_by_several as (
    select
        account,
        location
    from listed_locations
    group by account, location
    having count(distinct endpoint) > 1
),

candidates as (
    select
        s.series_key,
        c.endpoint,
        c.account,
        s.location,
        s.snapshot
    from listed_by_several as m
    inner join collections as c
        on m.account = c.account
    inner join series as s
        on c.collection_key = s.collection_key
        and m.location = s.location
),

seen as (
    select distinct x.series_key
    from candidates as c
    inner join samples as x
        on c.series_key = x.series_key
    inner join used_polls as p
        on x.poll_key = p.poll_key
),

chosen as (
    select
        c.account,
        c.location,
        c.snapshot,
        case
            when max(case when c.endpoint = c.location then 1 else 0 end) = 1 then c.location
            else min(c.endpoint)
        end as endpoint
    from candidates as c
    inner join seen as s
        on c.series_key = s.series_key
    group by c.account, c.location, c.snapshot
)

select
    c.series_key,
    c.account,
    c.location,
    c.endpoint,
    c.snapshot
from candidates as c
inner join seen as s
    on c.series_key = s.series_key
inner join chosen as h
    on c.account = h.account
    and c.location = h.location
    and c.snapshot = h.snapshot
where c.endpoint <> h.endpoint
