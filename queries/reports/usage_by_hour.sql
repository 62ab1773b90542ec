-- name   usage_by_hour
-- grain  one row an account and location, each only where it is asked for, and UTC hour
-- reads  usage_steps
-- params by_account, by_location
-- why    Usage by the hour: steps are cut at its ends. The peak is that of one unit; where a row stands for several, see peaks_by.
with

pieces as (
    select
        account,
        location,
        state,
        occupied_bytes,
        entitled_bytes,
        burst_bytes,
        unused_bytes,
        starts_at_s,
        ends_at_s,
        unnest(generate_series(starts_at_s - starts_at_s % 3600, ends_at_s - 1, 3600)) as hour_s
    from usage_steps
),

cut as (
    select
        case when $by_account then account else '' end as account,
        case when $by_location then location else '' end as location,
        hour_s,
        state,
        occupied_bytes,
        entitled_bytes,
        burst_bytes,
        unused_bytes,
        least(ends_at_s, hour_s + 3600) - greatest(starts_at_s, hour_s) as step_seconds
    from pieces
)

select
    account,
    location,
    hour_s as bucket_starts_at_s,
    sum(case when state <> 'missing' then occupied_bytes * step_seconds else 0 end) as occupied_byte_seconds,
    sum(case when state <> 'missing' then entitled_bytes * step_seconds else 0 end) as entitled_byte_seconds,
    sum(case when state <> 'missing' then burst_bytes * step_seconds else 0 end) as burst_byte_seconds,
    sum(case when state <> 'missing' then unused_bytes * step_seconds else 0 end) as unused_byte_seconds,
    max(case when state <> 'missing' then occupied_bytes else 0 end) as peak_occupied_bytes,
    sum(case when state = 'measured' then step_seconds else 0 end) as measured_seconds,
    sum(case when state = 'held' then step_seconds else 0 end) as held_seconds,
    sum(case when state = 'partial' then step_seconds else 0 end) as partial_seconds,
    sum(case when state = 'missing' then step_seconds else 0 end) as missing_seconds
from cut
group by account, location, hour_s
order by account, location, hour_s
