-- name   staged_shared_objects
-- grain  one row a shared object and the collection that saw it, in accepted polls of the batch
-- reads  checked_samples, staged_polls, collections
-- params none
-- why    A listing shows all that its credential may see. What belongs to another account is counted and skipped here; that
--        account's own polls bill it.
select
    k.endpoint,
    k.account,
    k.owner,
    k.location,
    k.snapshot,
    min(k.poll_s) as first_poll_s,
    max(k.poll_s) as last_poll_s,
    count(distinct k.poll_s) as poll_count
from checked_samples as k
inner join collections as c
    on k.endpoint = c.endpoint
    and k.account = c.account
inner join staged_polls as p
    on c.collection_key = p.collection_key
    and k.poll_s = p.poll_s
where
    k.is_shared
    and p.outcome = 'accepted'
group by k.endpoint, k.account, k.owner, k.location, k.snapshot
