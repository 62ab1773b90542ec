-- name   burst_episode_parts
-- grain  one row a burst episode and rate
-- reads  usage_parts
-- params none
-- why    An episode is a maximal interval with burst > 0 without a break; missing time, and time in no state, is a break. Its
--        parts differ in rate, so that it can be priced exactly.
with

bursts as (
    select
        unit_key,
        account,
        location,
        starts_at_s,
        ends_at_s,
        burst_byte_seconds,
        peak_burst_bytes,
        rate_key,
        case
            when lag(ends_at_s) over (partition by unit_key order by starts_at_s) = starts_at_s then 0
            else 1
        end as is_first
    from usage_parts
    where burst_seconds > 0
),

numbered as (
    select
        *,
        sum(is_first) over (partition by unit_key order by starts_at_s rows unbounded preceding) as episode_number
    from bursts
)

select
    unit_key,
    episode_number,
    account,
    location,
    rate_key,
    min(starts_at_s) as starts_at_s,
    max(ends_at_s) as ends_at_s,
    cast(max(peak_burst_bytes) as varchar) as peak_burst_bytes,
    cast(sum(burst_byte_seconds) as varchar) as burst_byte_seconds
from numbered
group by unit_key, episode_number, account, location, rate_key
order by unit_key, episode_number, rate_key
