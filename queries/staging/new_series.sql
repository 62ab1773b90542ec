-- name   new_series
-- grain  one row a collection, location and snapshot that the store does not know yet
-- reads  staged_keys, collections, series
-- params none
-- why    A series is one snapshot as one collection lists it; heartbeats have none.
select
    (select coalesce(max(series_key), 0) from series)
    + row_number() over (order by k.collection_key, k.location, k.snapshot) as series_key,
    k.collection_key,
    k.location,
    k.snapshot
from (
    select distinct
        c.collection_key,
        s.location,
        s.snapshot
    from staged_keys as s
    inner join collections as c
        on s.endpoint = c.endpoint
        and s.account = c.account
    where s.snapshot <> ''
) as k
left join series as x
    on k.collection_key = x.collection_key
    and k.location = x.location
    and k.snapshot = x.snapshot
where x.series_key is null
