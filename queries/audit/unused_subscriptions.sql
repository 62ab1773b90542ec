-- name   unused_subscriptions
-- grain  one row an account and location that has subscriptions
-- reads  usage_parts
-- params none
-- why    What is subscribed and not occupied is paid for nothing. Whether it is too much is decided outside:
--        hundredfold, it may have too many digits.
select
    account,
    location,
    sum(entitled_byte_seconds) as entitled_byte_seconds,
    sum(entitled_byte_seconds - unused_byte_seconds) as used_byte_seconds
from usage_parts
group by account, location
having sum(entitled_byte_seconds) > 0
order by account, location
