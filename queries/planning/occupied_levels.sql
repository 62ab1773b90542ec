-- name   occupied_levels
-- grain  one row an account, location, occupied size and rate of burst
-- reads  usage_steps
-- params none
-- why    How long each size was occupied at each price: all that the cost of any amount of subscription depends on.
select
    account,
    location,
    occupied_bytes,
    rate_key,
    sum(step_seconds) as occupied_seconds
from usage_steps
where state <> 'missing'
group by account, location, occupied_bytes, rate_key
order by account, location, occupied_bytes, rate_key
