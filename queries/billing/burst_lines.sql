-- name   burst_lines
-- grain  one row an account, location, UTC date and rate, where burst > 0
-- reads  usage_steps
-- params none
-- why    What a charge is computed from. Steps are cut at midnight and where the rate changes, so each belongs to one line.
select
    account,
    location,
    starts_at_s - starts_at_s % 86400 as date_s,
    rate_key,
    sum(burst_bytes * step_seconds) as burst_byte_seconds,
    sum(step_seconds) as burst_seconds,
    max(burst_bytes) as peak_burst_bytes
from usage_steps
where
    burst_bytes > 0
    and state <> 'missing'
group by account, location, starts_at_s - starts_at_s % 86400, rate_key
order by account, location, date_s, rate_key
