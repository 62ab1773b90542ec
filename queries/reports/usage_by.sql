-- name   usage_by
-- grain  one row an account, location and time bucket, each only where it is asked for
-- reads  usage_steps
-- params by_account, by_location, bucket_s
-- why    Usage as bill.usage sums it, over any of account, location and UTC day or hour. What is not asked for is empty; a
--        bucket that is longer than any period is no bucket. Seconds add up over the accounts and locations in a row.
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
        unnest(generate_series(starts_at_s - starts_at_s % $bucket_s, ends_at_s - 1, $bucket_s)) as bucket_starts_at_s
    from usage_steps
),

cut as (
    select
        case when $by_account then account else '' end as account,
        case when $by_location then location else '' end as location,
        bucket_starts_at_s,
        state,
        occupied_bytes,
        entitled_bytes,
        burst_bytes,
        unused_bytes,
        least(ends_at_s, bucket_starts_at_s + $bucket_s) - greatest(starts_at_s, bucket_starts_at_s) as step_seconds
    from pieces
)

select
    account,
    location,
    bucket_starts_at_s,
    sum(case when state <> 'missing' then occupied_bytes * step_seconds else 0 end) as occupied_byte_seconds,
    sum(case when state <> 'missing' then entitled_bytes * step_seconds else 0 end) as entitled_byte_seconds,
    sum(case when state <> 'missing' then burst_bytes * step_seconds else 0 end) as burst_byte_seconds,
    sum(case when state <> 'missing' then unused_bytes * step_seconds else 0 end) as unused_byte_seconds,
    sum(case when state = 'measured' then step_seconds else 0 end) as measured_seconds,
    sum(case when state = 'held' then step_seconds else 0 end) as held_seconds,
    sum(case when state = 'partial' then step_seconds else 0 end) as partial_seconds,
    sum(case when state = 'missing' then step_seconds else 0 end) as missing_seconds
from cut
group by account, location, bucket_starts_at_s
order by account, location, bucket_starts_at_s
