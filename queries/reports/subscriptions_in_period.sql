-- name   subscriptions_in_period
-- grain  one row a subscription that entitles within the period
-- reads  known_subscriptions
-- params start_s, stop_s
-- why    What was bought, and the part of its time that falls into the period, observed or not.
select
    account,
    location,
    id,
    amount,
    nominal_seconds,
    period,
    start_s,
    end_s,
    greatest(start_s, $start_s) as starts_at_s,
    least(end_s, $stop_s) as ends_at_s,
    price,
    currency,
    auto_renew,
    is_renewed
from known_subscriptions
where
    start_s < $stop_s
    and end_s > $start_s
order by account, location, start_s, id
