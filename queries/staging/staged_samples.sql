-- name   staged_samples
-- grain  one row a collection, poll and series of the batch, in the blocks that need a closer look
-- reads  checked_samples, keys_looked_into
-- params none
-- why    Rows that say the same fall together; where rows of one series and poll differ, least and greatest tell.
select
    n.collection_key,
    k.poll_s,
    n.series_key,
    min(k.allocated_size) as allocated_size,
    max(k.allocated_size) as greatest_size,
    min(n.label_key) as label_key,
    max(n.label_key) as greatest_label_key,
    count(*) as row_count,
    min(k.file_number) as file_number
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
group by n.collection_key, k.poll_s, n.series_key
