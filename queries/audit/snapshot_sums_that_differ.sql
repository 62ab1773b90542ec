-- name   snapshot_sums_that_differ
-- grain  one row an account and location whose snapshots do not add up to its usage
-- reads  snapshot_days, usage_parts
-- params none
-- why    Snapshots add up to accounts and locations, to the last byte-second.
with

snapshots as (
    select
        account,
        location,
        sum(occupied_byte_seconds) as occupied_byte_seconds
    from snapshot_days
    group by account, location
),

billed as (
    select
        account,
        location,
        sum(occupied_byte_seconds) as occupied_byte_seconds
    from usage_parts
    group by account, location
)

select
    coalesce(b.account, s.account) as account,
    coalesce(b.location, s.location) as location,
    coalesce(s.occupied_byte_seconds, 0) as snapshots_byte_seconds,
    coalesce(b.occupied_byte_seconds, 0) as billed_byte_seconds
from billed as b
full outer join snapshots as s
    on b.account = s.account
    and b.location = s.location
where coalesce(b.occupied_byte_seconds, 0) <> coalesce(s.occupied_byte_seconds, 0)
order by account, location
