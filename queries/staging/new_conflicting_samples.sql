-- name   new_conflicting_samples
-- grain  one row a sample that this ingest keeps aside
-- reads  samples_kept_aside
-- params ingest_seq
-- why    Whether there are any decides whether there is an ingest at all, whose number they then bear.
select
    endpoint,
    account,
    poll_s,
    location,
    snapshot,
    allocated_size,
    drive,
    status,
    name,
    $ingest_seq as ingest_seq
from samples_kept_aside
