-- name   covered_usage
-- grain  one row a subscription, UTC date and rate of burst in which some of what it entitles to is occupied
-- reads  usage_steps, known_subscriptions
-- params none
-- why    What is occupied is covered by the subscriptions in the order in which they start; what is left over is burst. So what
--        all of them cover together is occupied - burst, at every instant.
with

shares as (
    select
        s.account,
        s.location,
        s.id,
        u.starts_at_s,
        u.step_seconds,
        u.rate_key,
        u.occupied_bytes,
        s.amount,
        sum(s.amount) over (
            partition by u.unit_key, u.starts_at_s order by s.start_s, s.id rows unbounded preceding
        ) - s.amount as amount_before
    from usage_steps as u
    inner join known_subscriptions as s
        on u.account = s.account
        and u.location = s.location
        and u.starts_at_s >= s.start_s
        and u.ends_at_s <= s.end_s
    where
        u.state <> 'missing'
        and u.occupied_bytes > 0
)

select
    account,
    location,
    id,
    starts_at_s - starts_at_s % 86400 as date_s,
    rate_key,
    sum(cast(least(occupied_bytes - amount_before, amount) as decimal(38, 0)) * step_seconds) as covered_byte_seconds
from shares
where
    occupied_bytes > amount_before
    and amount > 0
group by account, location, id, starts_at_s - starts_at_s % 86400, rate_key
order by account, location, id, date_s, rate_key
