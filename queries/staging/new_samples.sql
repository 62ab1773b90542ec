-- name   new_samples
-- grain  one row a sample of an accepted poll of the batch
-- reads  staged_samples, polls
-- params ingest_seq
-- why    The samples to keep, a snapshot's one after the other: sizes change rarely, so neighbours are alike and pack well.
select
    p.poll_key,
    s.series_key,
    s.allocated_size,
    s.label_key
from staged_samples as s
inner join polls as p
    on s.collection_key = p.collection_key
    and s.poll_s = p.poll_s
where
    p.ingest_seq = $ingest_seq
    and s.series_key <> 0
order by s.series_key, p.poll_key
