-- name   steps_at
-- grain  one row an account and location of which something is known at an instant
-- reads  usage_steps
-- params instant_s
-- why    What is occupied and entitled to at one instant, of all at once.
select
    account,
    location,
    starts_at_s,
    ends_at_s,
    occupied_bytes,
    entitled_bytes,
    state,
    rate_key
from usage_steps
where
    starts_at_s <= $instant_s
    and ends_at_s > $instant_s
