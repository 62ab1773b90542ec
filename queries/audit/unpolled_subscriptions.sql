-- name   unpolled_subscriptions
-- grain  one row an account and location with subscriptions in the period, and no poll
-- reads  known_subscriptions, usage_parts
-- params start_s, stop_s
-- why    Nobody looks at what is stored there: burst would go unnoticed and unbilled.
select
    s.account,
    s.location,
    count(*) as finding_count,
    sum(s.amount) as subscribed_bytes
from known_subscriptions as s
left join (select distinct account, location from usage_parts) as u
    on s.account = u.account
    and s.location = u.location
where
    s.start_s < $stop_s
    and s.end_s > $start_s
    and u.account is null
group by s.account, s.location
order by s.account, s.location
