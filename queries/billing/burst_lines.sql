-- name   burst_lines
-- grain  one row an account, location, UTC date and rate, where burst > 0
-- reads  usage_parts
-- params none
-- why    What a charge is computed from. Parts are cut at midnight and where the rate changes, so each belongs to one line. Large
--        integers leave as text: Python's decimals take six times as long to make.
select
    account,
    location,
    starts_at_s - starts_at_s % 86400 as date_s,
    rate_key,
    cast(sum(burst_byte_seconds) as varchar) as burst_byte_seconds,
    cast(sum(burst_seconds) as bigint) as burst_seconds,
    cast(max(peak_burst_bytes) as varchar) as peak_burst_bytes
from usage_parts
where burst_seconds > 0
group by account, location, starts_at_s - starts_at_s % 86400, rate_key
order by account, location, date_s, rate_key
