-- name   ignored_series
-- grain  one row a series that is not counted
-- reads  seen_series
-- params none
-- why    The same snapshot is never billed twice. One that appears, under one account and location, in several collections is
--        counted in one of them only: the one whose endpoint is the location, else the smallest endpoint.
with

chosen as (
    select
        account,
        location,
        snapshot,
        case
            when max(case when endpoint = location then 1 else 0 end) = 1 then location
            else min(endpoint)
        end as endpoint
    from seen_series
    group by account, location, snapshot
)

select
    s.series_key,
    s.account,
    s.location,
    s.endpoint
from seen_series as s
inner join chosen as h
    on s.account = h.account
    and s.location = h.location
    and s.snapshot = h.snapshot
where s.endpoint <> h.endpoint
