-- name   usage_parts
-- grain  one row a unit and interval within one UTC day and rate, in which it bursts all the time or not at all
-- reads  usage_steps, unit_days
-- params none
-- why    What bills are summed from: steps, and the days that were clear at a glance.
select
    unit_key,
    account,
    location,
    starts_at_s,
    ends_at_s,
    rate_key,
    case when state <> 'missing' then occupied_bytes * step_seconds else 0 end as occupied_byte_seconds,
    case when state <> 'missing' then entitled_bytes * step_seconds else 0 end as entitled_byte_seconds,
    case when state <> 'missing' then burst_bytes * step_seconds else 0 end as burst_byte_seconds,
    case when state <> 'missing' then unused_bytes * step_seconds else 0 end as unused_byte_seconds,
    case when state <> 'missing' then occupied_bytes else 0 end as peak_occupied_bytes,
    case when state <> 'missing' then burst_bytes else 0 end as peak_burst_bytes,
    case when state <> 'missing' and burst_bytes > 0 then step_seconds else 0 end as burst_seconds,
    case when state = 'measured' then step_seconds else 0 end as measured_seconds,
    case when state = 'held' then step_seconds else 0 end as held_seconds,
    case when state = 'partial' then step_seconds else 0 end as partial_seconds,
    case when state = 'missing' then step_seconds else 0 end as missing_seconds
from usage_steps
union all
select
    unit_key,
    account,
    location,
    starts_at_s,
    ends_at_s,
    rate_key,
    occupied_byte_seconds,
    entitled_byte_seconds,
    burst_byte_seconds,
    unused_byte_seconds,
    peak_occupied_bytes,
    peak_burst_bytes,
    burst_seconds,
    measured_seconds,
    held_seconds,
    0 as partial_seconds,
    missing_seconds
from unit_days
