-- name   peaks_by
-- grain  one row an account, location and time bucket, each only where it is asked for
-- reads  usage_steps
-- params by_account, by_location, bucket_s
-- why    The most that was occupied at one instant by all that a row stands for together; a sum of peaks would be too much,
--        for not all peak at once.
with

pieces as (
    select
        case when $by_account then account else '' end as account,
        case when $by_location then location else '' end as location,
        starts_at_s,
        ends_at_s,
        occupied_bytes,
        unnest(generate_series(starts_at_s - starts_at_s % $bucket_s, ends_at_s - 1, $bucket_s)) as bucket_starts_at_s
    from usage_steps
    where state <> 'missing'
),

changes as (
    select
        account,
        location,
        greatest(starts_at_s, bucket_starts_at_s) as starts_at_s,
        bucket_starts_at_s,
        occupied_bytes
    from pieces
    union all
    select
        account,
        location,
        least(ends_at_s, bucket_starts_at_s + $bucket_s) as starts_at_s,
        bucket_starts_at_s,
        -occupied_bytes as occupied_bytes
    from pieces
),

instants as (
    select
        account,
        location,
        bucket_starts_at_s,
        starts_at_s,
        sum(occupied_bytes) as occupied_bytes
    from changes
    group by account, location, bucket_starts_at_s, starts_at_s
),

levels as (
    select
        account,
        location,
        bucket_starts_at_s,
        sum(occupied_bytes) over (
            partition by account, location, bucket_starts_at_s
            order by starts_at_s
            rows unbounded preceding
        ) as occupied_bytes
    from instants
)

select
    account,
    location,
    bucket_starts_at_s,
    max(occupied_bytes) as peak_occupied_bytes
from levels
group by account, location, bucket_starts_at_s
order by account, location, bucket_starts_at_s
