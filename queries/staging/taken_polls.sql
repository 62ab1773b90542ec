-- name   taken_polls
-- grain  one row a poll that this ingest took, by what identifies it in a file
-- reads  polls, collections
-- params ingest_seq
-- why    Made first, so that no plan compares every row of the batch with the polls of every collection at that time.
select
    c.endpoint,
    c.account,
    p.poll_s,
    p.poll_key
from polls as p
inner join collections as c
    on p.collection_key = c.collection_key
where p.ingest_seq = $ingest_seq
