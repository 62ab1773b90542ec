-- name   new_feeds
-- grain  one row a collection and location that it may feed, and that the store does not know yet
-- reads  new_tails, collections, new_runs, series, feeds
-- params none
-- why    A collection feeds the location of its endpoint, and every other that ever appeared in it.
with

fed as (
    select
        t.collection_key,
        c.endpoint as location
    from new_tails as t
    inner join collections as c
        on t.collection_key = c.collection_key
    union
    select
        s.collection_key,
        s.location
    from (select distinct series_key from new_runs) as r
    inner join series as s
        on r.series_key = s.series_key
)

select
    (select coalesce(max(feed_key), 0) from feeds) + row_number() over (order by f.collection_key, f.location) as feed_key,
    f.collection_key,
    f.location
from fed as f
left join feeds as k
    on f.collection_key = k.collection_key
    and f.location = k.location
where k.feed_key is null
