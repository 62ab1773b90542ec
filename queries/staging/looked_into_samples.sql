-- name   looked_into_samples
-- grain  one row a row of the batch that is a sample, in the blocks that need a closer look
-- reads  checked_samples, keys_looked_into
-- params none
-- why    Its texts as keys, wherever polls are compared one by one. A view: each row is read where it is compared, and not kept.
select
    n.collection_key,
    k.poll_s,
    k.listing,
    n.series_key,
    n.label_key,
    k.allocated_size,
    k.file_number
from checked_samples as k
inner join keys_looked_into as n
    on k.endpoint = n.endpoint
    and k.account = n.account
    and k.location = n.location
    and k.snapshot = n.snapshot
    and k.drive = n.drive
    and k.status = n.status
    and k.name = n.name
    and k.poll_s - k.poll_s % 14400 = n.block_s
where
    k.problem is null
    and not k.is_shared
