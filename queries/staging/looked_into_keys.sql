-- name   looked_into_keys
-- grain  one row an accepted poll of the batch that was looked into
-- reads  staged_polls, accepted_blocks
-- params none
-- why    The key of each, counted on within its block by time.
select
    p.collection_key,
    p.poll_s,
    p.file_number,
    a.first_poll_key + row_number() over (partition by a.collection_key, a.block_s order by p.poll_s) - 1 as poll_key
from staged_polls as p
inner join accepted_blocks as a
    on p.collection_key = a.collection_key
    and p.poll_s - p.poll_s % 14400 = a.block_s
where p.outcome = 'accepted'
