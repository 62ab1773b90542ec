-- name   rejected_blocks
-- grain  one row a collection and block of four hours with a poll that has a row that cannot be a sample
-- reads  rejected_rows, collections
-- params none
-- why    Its polls are decided one by one.
select distinct
    c.collection_key,
    r.poll_s - r.poll_s % 14400 as block_s
from rejected_rows as r
inner join collections as c
    on r.endpoint = c.endpoint
    and r.account = c.account
where r.is_poll_known
