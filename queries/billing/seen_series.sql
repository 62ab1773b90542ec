-- name   seen_series
-- grain  one row a series of a collection in doubt that a used poll listed
-- reads  collections_in_doubt, asked_collections, series, sample_runs, polls, superseded_polls
-- params known_seq, as_of_s
-- why    What appears in a collection at all, before, in or after the period. Mostly the first poll of a run tells; only where
--        none does are runs unrolled.
with

asked as (
    select
        c.collection_key,
        c.endpoint,
        c.account
    from collections_in_doubt as d
    inner join asked_collections as c
        on d.collection_key = c.collection_key
),

runs as (
    select
        s.series_key,
        r.first_poll_key,
        r.last_poll_key
    from asked as d
    inner join series as s
        on d.collection_key = s.collection_key
    inner join sample_runs as r
        on s.series_key = r.series_key
),

used as (
    select p.poll_key
    from polls as p
    inner join asked as d
        on p.collection_key = d.collection_key
    left join superseded_polls as s
        on p.poll_key = s.poll_key
        and s.ingest_seq <= $known_seq
    where
        p.ingest_seq <= $known_seq
        and p.poll_s < $as_of_s
        and s.poll_key is null
),

begun as (
    select distinct r.series_key
    from runs as r
    inner join used as u
        on r.first_poll_key = u.poll_key
),

unrolled as (
    select
        r.series_key,
        unnest(generate_series(r.first_poll_key, r.last_poll_key)) as poll_key
    from runs as r
    left join begun as b
        on r.series_key = b.series_key
    where b.series_key is null
),

seen as (
    select series_key
    from begun
    union
    select x.series_key
    from unrolled as x
    inner join used as u
        on x.poll_key = u.poll_key
)

select
    s.series_key,
    s.collection_key,
    c.endpoint,
    c.account,
    s.location,
    s.snapshot
from seen as x
inner join series as s
    on x.series_key = s.series_key
inner join asked as c
    on s.collection_key = c.collection_key
