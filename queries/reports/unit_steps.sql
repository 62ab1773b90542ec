-- name   unit_steps
-- grain  one row an interval [starts_at_s, ends_at_s) of one account and location in which all is constant
-- reads  usage_steps
-- params account, location
-- why    What is told line by line, or held against another's lines, is told of one account and location at a time.
select
    starts_at_s,
    ends_at_s,
    occupied_bytes,
    entitled_bytes,
    state,
    rate_key
from usage_steps
where
    account = $account
    and location = $location
order by starts_at_s
