-- name   duplicate_polls
-- grain  one row an account and endpoint with an instant of which more than one poll is in force
-- reads  audited_polls
-- params none
-- why    The same poll again adds nothing; two in force at one instant would count twice.
select
    account,
    endpoint,
    count(*) as finding_count,
    min(poll_s) as first_poll_s
from (
    select
        account,
        endpoint,
        poll_s
    from audited_polls
    group by account, endpoint, poll_s
    having count(*) > 1
) as twice
group by account, endpoint
order by account, endpoint
