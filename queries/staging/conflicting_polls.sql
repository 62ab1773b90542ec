-- name   conflicting_polls
-- grain  one row a poll of the batch that conflicts, by what identifies it in a file
-- reads  staged_polls, collections
-- params none
-- why    Made first, so that no plan compares every row of the batch with the polls of every collection at that time.
select
    c.endpoint,
    c.account,
    p.poll_s
from staged_polls as p
inner join collections as c
    on p.collection_key = c.collection_key
where p.outcome = 'conflicting'
