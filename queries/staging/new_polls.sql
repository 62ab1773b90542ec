-- name   new_polls
-- grain  one row an accepted poll of the batch
-- reads  staged_polls, polls
-- params ingest_seq
-- why    Numbers accepted polls on from the last, by time, so that the order of the input changes nothing.
select
    (select coalesce(max(poll_key), 0) from polls)
    + row_number() over (order by poll_s, collection_key) as poll_key,
    collection_key,
    poll_s,
    sample_count,
    file_number,
    $ingest_seq as ingest_seq
from staged_polls
where outcome = 'accepted'
