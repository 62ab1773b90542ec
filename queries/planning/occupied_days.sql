-- name   occupied_days
-- grain  one row an account, location and UTC date of which something was observed
-- reads  usage_steps
-- params none
-- why    The average size of a day is what growth and forecasts are read from; time that nobody observed counts nothing in it.
select
    account,
    location,
    starts_at_s - starts_at_s % 86400 as date_s,
    sum(occupied_bytes * step_seconds) as occupied_byte_seconds,
    sum(step_seconds) as observed_seconds
from usage_steps
where state <> 'missing'
group by account, location, starts_at_s - starts_at_s % 86400
order by account, location, date_s
