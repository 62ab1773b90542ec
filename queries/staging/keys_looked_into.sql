-- name   keys_looked_into
-- grain  one row a row of staged_key_numbers and block that needs a closer look
-- reads  staged_key_numbers, staged_blocks
-- params none
-- why    Made first, so that no plan compares every row of the batch with the blocks of every collection.
select
    n.endpoint,
    n.account,
    n.location,
    n.snapshot,
    n.drive,
    n.status,
    n.name,
    n.collection_key,
    n.series_key,
    n.label_key,
    b.block_s
from staged_key_numbers as n
inner join staged_blocks as b
    on n.collection_key = b.collection_key
where b.is_looked_into
