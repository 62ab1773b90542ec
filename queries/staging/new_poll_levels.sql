-- name   new_poll_levels
-- grain  one row a location in an accepted poll of the batch
-- reads  staged_samples, polls, series
-- params ingest_seq
-- why    What a poll's samples add up to in each location, so that billing reads polls, not samples.
select
    p.poll_key,
    x.location,
    sum(cast(s.allocated_size as decimal(38, 0))) as occupied_bytes,
    count(*) as sample_count
from staged_samples as s
inner join polls as p
    on s.collection_key = p.collection_key
    and s.poll_s = p.poll_s
inner join series as x
    on s.series_key = x.series_key
where p.ingest_seq = $ingest_seq
group by p.poll_key, x.location
