-- name   unused_subscriptions
-- grain  one row an account and location whose subscriptions are hardly used
-- reads  usage_steps
-- params used_percent
-- why    What is subscribed and not occupied is paid for nothing.
select
    account,
    location,
    sum(entitled_bytes * step_seconds) as entitled_byte_seconds,
    sum((entitled_bytes - unused_bytes) * step_seconds) as used_byte_seconds
from usage_steps
where state <> 'missing'
group by account, location
having sum(entitled_bytes * step_seconds) > 0
    and 100 * sum((entitled_bytes - unused_bytes) * step_seconds) < $used_percent * sum(entitled_bytes * step_seconds)
order by account, location
