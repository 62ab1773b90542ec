-- name   new_poll_answers
-- grain  one row an accepted poll of the batch whose captures tell the provider's own clock
-- reads  checked_samples, collections, polls
-- params ingest_seq
-- why    When the provider says it answered, to hold our clock against; the first where a poll was captured more than once.
select
    p.poll_key,
    min(k.answered_s) as answered_s
from checked_samples as k
inner join collections as c
    on k.endpoint = c.endpoint
    and k.account = c.account
inner join polls as p
    on c.collection_key = p.collection_key
    and k.poll_s = p.poll_s
where
    k.answered_s is not null
    and p.ingest_seq = $ingest_seq
group by p.poll_key
