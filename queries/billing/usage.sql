-- name   usage
-- grain  one row an account and location
-- reads  usage_steps
-- params none
-- why    Quantities integrated over measured, held and partial time; what was not observed is reported, not guessed.
--        occupied - entitled = burst - unused, exactly.
select
    account,
    location,
    sum(case when state <> 'missing' then occupied_bytes * step_seconds else 0 end) as occupied_byte_seconds,
    sum(case when state <> 'missing' then entitled_bytes * step_seconds else 0 end) as entitled_byte_seconds,
    sum(case when state <> 'missing' then burst_bytes * step_seconds else 0 end) as burst_byte_seconds,
    sum(case when state <> 'missing' then unused_bytes * step_seconds else 0 end) as unused_byte_seconds,
    max(case when state <> 'missing' then occupied_bytes else 0 end) as peak_occupied_bytes,
    sum(case when state = 'measured' then step_seconds else 0 end) as measured_seconds,
    sum(case when state = 'held' then step_seconds else 0 end) as held_seconds,
    sum(case when state = 'partial' then step_seconds else 0 end) as partial_seconds,
    sum(case when state = 'missing' then step_seconds else 0 end) as missing_seconds
from usage_steps
group by account, location
order by account, location
