-- name   exported_subscriptions
-- grain  one row a location and subscription id
-- reads  known_subscriptions
-- params account
-- why    Subscriptions as rows of a file that say the same whenever it is taken in, what was bought by period still so: its price
--        is of the calendar length, and its end is at noon. Two of start, end and period are told. A period that was counted back
--        from an end is told with that; any other with the start that the time of ingest decided, which is not moved again.
select
    id,
    account,
    location,
    amount,
    case when period is null or declared_end_s is null then start_s end as start_s,
    case when period is null then end_s else declared_end_s end as end_s,
    period,
    price,
    currency,
    auto_renew
from known_subscriptions
where
    $account is null
    or account = $account
