-- name   burst_hours
-- grain  one row an account, location, UTC hour and rate, where burst > 0
-- reads  usage_steps
-- params none
-- why    Charge lines hour by hour; steps never cross midnight, so an hour belongs to one line of each rate.
with

pieces as (
    select
        account,
        location,
        rate_key,
        burst_bytes,
        starts_at_s,
        ends_at_s,
        unnest(generate_series(starts_at_s - starts_at_s % 3600, ends_at_s - 1, 3600)) as hour_s
    from usage_steps
    where
        burst_bytes > 0
        and state <> 'missing'
),

cut as (
    select
        account,
        location,
        rate_key,
        burst_bytes,
        hour_s,
        least(ends_at_s, hour_s + 3600) - greatest(starts_at_s, hour_s) as step_seconds
    from pieces
)

select
    account,
    location,
    hour_s,
    rate_key,
    sum(burst_bytes * step_seconds) as burst_byte_seconds,
    sum(step_seconds) as burst_seconds,
    max(burst_bytes) as peak_burst_bytes
from cut
group by account, location, hour_s, rate_key
order by account, location, hour_s, rate_key
