-- name   new_poll_levels
-- grain  one row a location in an accepted poll of the batch
-- reads  staged_samples, polls, series
-- params ingest_seq
-- why    What a poll's samples add up to in each location, so that billing reads polls, not samples.
with

levels as (
    select
        s.collection_key,
        s.poll_s,
        x.location,
        sum(cast(s.allocated_size as decimal(38, 0))) as occupied_bytes,
        count(*) as sample_count
    from staged_samples as s
    inner join series as x
        on s.series_key = x.series_key
    group by s.collection_key, s.poll_s, x.location
)

select
    p.poll_key,
    l.location,
    l.occupied_bytes,
    l.sample_count
from levels as l
inner join polls as p
    on l.collection_key = p.collection_key
    and l.poll_s = p.poll_s
where p.ingest_seq = $ingest_seq
