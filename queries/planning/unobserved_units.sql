-- name   unobserved_units
-- grain  one row an account and location of which no second was observed, though its collections are known
-- reads  usage_steps
-- params none
-- why    What was missing all the time has no sizes to learn from, and must not be passed over without a word.
select
    account,
    location
from usage_steps
group by account, location
having sum(case when state <> 'missing' then 1 else 0 end) = 0
order by account, location
