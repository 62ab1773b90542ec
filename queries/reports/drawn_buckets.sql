-- name   drawn_buckets
-- grain  one row an account and location that is drawn, time bucket, and entitlement in it
-- reads  usage_steps, drawn_units
-- params bucket_s
-- why    A picture has fewer pixels than a month has polls. Each bucket keeps its highest level, so that a burst of five minutes
--        is drawn as high as it was, and when it was missing or partial, from the first such second to the last.
with

pieces as (
    select
        s.unit_key,
        s.state,
        s.occupied_bytes,
        s.entitled_bytes,
        s.starts_at_s,
        s.ends_at_s,
        unnest(generate_series(s.starts_at_s - s.starts_at_s % $bucket_s, s.ends_at_s - 1, $bucket_s)) as bucket_starts_at_s
    from usage_steps as s
    inner join drawn_units as d
        on s.unit_key = d.unit_key
),

cut as (
    select
        unit_key,
        state,
        occupied_bytes,
        entitled_bytes,
        bucket_starts_at_s,
        greatest(starts_at_s, bucket_starts_at_s) as starts_at_s,
        least(ends_at_s, bucket_starts_at_s + $bucket_s) as ends_at_s
    from pieces
)

select
    unit_key,
    bucket_starts_at_s,
    entitled_bytes,
    min(starts_at_s) as starts_at_s,
    max(ends_at_s) as ends_at_s,
    max(case when state <> 'missing' then occupied_bytes end) as peak_occupied_bytes,
    min(case when state = 'missing' then starts_at_s end) as missing_starts_at_s,
    max(case when state = 'missing' then ends_at_s end) as missing_ends_at_s,
    min(case when state = 'partial' then starts_at_s end) as partial_starts_at_s,
    max(case when state = 'partial' then ends_at_s end) as partial_ends_at_s
from cut
group by unit_key, bucket_starts_at_s, entitled_bytes
order by unit_key, starts_at_s
