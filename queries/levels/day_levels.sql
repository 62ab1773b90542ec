-- name   day_levels
-- grain  one row a feed and UTC day
-- reads  scope_steps
-- params none
-- why    A day of a feed at a glance: where the least and the greatest level lie on the same side of what is entitled, this is all
--        that a bill needs of it. Bytes are those of observed time only, and empty where there is none.
select
    feed_key,
    starts_at_s - starts_at_s % 86400 as day_s,
    min(starts_at_s) as starts_at_s,
    max(ends_at_s) as ends_at_s,
    sum(occupied_bytes * (ends_at_s - starts_at_s)) as occupied_byte_seconds,
    min(case when missing_count = 0 then occupied_bytes end) as least_occupied_bytes,
    max(case when missing_count = 0 then occupied_bytes end) as peak_occupied_bytes,
    sum(case when held_count = 0 and missing_count = 0 then ends_at_s - starts_at_s else 0 end) as measured_seconds,
    sum(case when held_count > 0 then ends_at_s - starts_at_s else 0 end) as held_seconds,
    sum(case when missing_count > 0 then ends_at_s - starts_at_s else 0 end) as missing_seconds
from scope_steps
group by feed_key, starts_at_s - starts_at_s % 86400
