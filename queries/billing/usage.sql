-- name   usage
-- grain  one row an account and location
-- reads  usage_parts
-- params none
-- why    Quantities integrated over measured, held and partial time; what was not observed is reported, not guessed.
--        occupied - entitled = burst - unused, exactly.
select
    account,
    location,
    sum(occupied_byte_seconds) as occupied_byte_seconds,
    sum(entitled_byte_seconds) as entitled_byte_seconds,
    sum(burst_byte_seconds) as burst_byte_seconds,
    sum(unused_byte_seconds) as unused_byte_seconds,
    max(peak_occupied_bytes) as peak_occupied_bytes,
    sum(measured_seconds) as measured_seconds,
    sum(held_seconds) as held_seconds,
    sum(partial_seconds) as partial_seconds,
    sum(missing_seconds) as missing_seconds
from usage_parts
group by account, location
order by account, location
