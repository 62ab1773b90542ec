-- name   unused_subscriptions
-- grain  one row an account and location whose subscriptions are hardly used
-- reads  usage_parts
-- params used_percent
-- why    What is subscribed and not occupied is paid for nothing.
select
    account,
    location,
    sum(entitled_byte_seconds) as entitled_byte_seconds,
    sum(entitled_byte_seconds - unused_byte_seconds) as used_byte_seconds
from usage_parts
group by account, location
having sum(entitled_byte_seconds) > 0
    and 100 * sum(entitled_byte_seconds - unused_byte_seconds) < $used_percent * sum(entitled_byte_seconds)
order by account, location
