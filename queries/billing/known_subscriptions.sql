-- name   known_subscriptions
-- grain  one row a location and subscription id
-- reads  subscriptions
-- params known_seq
-- why    The version in force of every subscription; one that reached us twice counts once. What counts as renewing
--        by itself is said here.
with

versions as (
    select
        location,
        id,
        account,
        amount,
        declared_end_s,
        start_s,
        end_s,
        nominal_seconds,
        period,
        price,
        currency,
        auto_renew,
        row_number() over (partition by location, id order by ingest_seq desc) as version
    from subscriptions
    where ingest_seq <= $known_seq
)

select
    location,
    id,
    account,
    amount,
    declared_end_s,
    start_s,
    end_s,
    nominal_seconds,
    period,
    price,
    currency,
    auto_renew,
    lower(coalesce(auto_renew, '')) in ('true', '1', 'yes') as is_renewed
from versions
where version = 1
