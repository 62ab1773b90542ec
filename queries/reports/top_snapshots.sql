-- name   top_snapshots
-- grain  one row a snapshot of an account in a location, those that occupied most in the period
-- reads  snapshot_days
-- params most
-- why    What fills the backup. A snapshot's drive, name and status are those of its last poll on its last day.
with

sums as (
    select
        account,
        location,
        snapshot,
        sum(occupied_byte_seconds) as occupied_byte_seconds,
        max(peak_occupied_bytes) as peak_occupied_bytes,
        max(last_poll_s) as last_poll_s,
        max(day_s) as last_day_s
    from snapshot_days
    group by account, location, snapshot
    order by occupied_byte_seconds desc, account, location, snapshot
    limit $most
)

select
    s.account,
    s.location,
    s.snapshot,
    d.drive,
    d.name,
    d.status,
    s.occupied_byte_seconds,
    s.peak_occupied_bytes,
    d.last_occupied_bytes,
    s.last_poll_s
from sums as s
inner join snapshot_days as d
    on s.account = d.account
    and s.location = d.location
    and s.snapshot = d.snapshot
    and s.last_day_s = d.day_s
order by s.occupied_byte_seconds desc, s.account, s.location, s.snapshot
