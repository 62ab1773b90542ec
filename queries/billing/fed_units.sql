-- name   fed_units
-- grain  one row a collection and location that it feeds
-- reads  feeds, asked_collections, collections_in_doubt, polls, superseded_polls, seen_series, ignored_series
-- params known_seq, as_of_s
-- why    A location's level for an account is the sum over the collections that feed it: its collection at that endpoint, and
--        every other one in which the location ever appeared in a counted sample. `is_kept` tells whose kept days serve.
with

polled as (
    select distinct p.collection_key
    from polls as p
    inner join collections_in_doubt as d
        on p.collection_key = d.collection_key
    left join superseded_polls as s
        on p.poll_key = s.poll_key
        and s.ingest_seq <= $known_seq
    where
        p.ingest_seq <= $known_seq
        and p.poll_s < $as_of_s
        and s.poll_key is null
),

listed as (
    select distinct
        s.collection_key,
        s.location
    from seen_series as s
    left join ignored_series as i
        on s.series_key = i.series_key
    where i.series_key is null
)

select
    f.feed_key,
    f.collection_key,
    c.account,
    f.location,
    d.collection_key is null as is_kept
from feeds as f
inner join asked_collections as c
    on f.collection_key = c.collection_key
left join collections_in_doubt as d
    on f.collection_key = d.collection_key
left join polled as p
    on f.collection_key = p.collection_key
left join listed as l
    on f.collection_key = l.collection_key
    and f.location = l.location
where
    d.collection_key is null
    or l.collection_key is not null
    or (p.collection_key is not null and f.location = c.endpoint)
