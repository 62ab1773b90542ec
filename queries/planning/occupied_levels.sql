-- name   occupied_levels
-- grain  one row a unit, occupied size and rate of burst, those of a unit together
-- reads  usage_steps
-- params none
-- why    How long each size was occupied at each price: all that the cost of any amount of subscription depends on. Sizes leave
--        as text: Python's decimals take six times as long to make.
select
    account,
    location,
    cast(occupied_bytes as varchar) as occupied_bytes,
    cast(sum(step_seconds) as bigint) as occupied_seconds,
    rate_key
from usage_steps
where state <> 'missing'
group by unit_key, account, location, usage_steps.occupied_bytes, rate_key
order by unit_key
