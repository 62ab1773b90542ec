-- name   unit_steps
-- grain  one row an interval [starts_at_s, ends_at_s) of one account and location in which all is constant
-- reads  usage_steps, told_units
-- params none
-- why    What is told line by line, or held against another's lines, is told of one account and location after the other: all are
--        read in one look, for a look at each would pass over the steps of all others.
select
    s.unit_key,
    s.starts_at_s,
    s.ends_at_s,
    s.occupied_bytes,
    s.entitled_bytes,
    s.state,
    s.rate_key
from usage_steps as s
inner join told_units as t
    on s.unit_key = t.unit_key
order by s.unit_key, s.starts_at_s
