-- name   unobserved_intervals
-- grain  one row an account, location and maximal interval in one state that is not measured
-- reads  usage_steps
-- params none
-- why    When exactly nobody looked, or a poll was held: [starts_at_s, ends_at_s).
with

states as (
    select
        account,
        location,
        state,
        starts_at_s,
        ends_at_s,
        case
            when lag(ends_at_s) over (partition by account, location, state order by starts_at_s) = starts_at_s then 0
            else 1
        end as is_first
    from usage_steps
    where state <> 'measured'
),

numbered as (
    select
        account,
        location,
        state,
        starts_at_s,
        ends_at_s,
        sum(is_first) over (partition by account, location, state order by starts_at_s rows unbounded preceding) as interval_number
    from states
)

select
    account,
    location,
    state,
    min(starts_at_s) as starts_at_s,
    max(ends_at_s) as ends_at_s
from numbered
group by account, location, state, interval_number
order by account, location, starts_at_s
