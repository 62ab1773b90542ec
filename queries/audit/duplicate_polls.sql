-- name   duplicate_polls
-- grain  one row an account and endpoint with an instant of which more than one poll is in force
-- reads  observed_polls, collections
-- params none
-- why    The same poll again adds nothing; two in force at one instant would count twice.
select
    c.account,
    c.endpoint,
    count(distinct p.poll_s) as finding_count,
    min(p.poll_s) as first_poll_s
from observed_polls as p
inner join collections as c
    on p.collection_key = c.collection_key
where p.next_s = p.poll_s
group by c.account, c.endpoint
order by c.account, c.endpoint
