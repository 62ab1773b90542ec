-- name   top_drives
-- grain  one row a drive of an account in a location, those whose snapshots occupied most in the period
-- reads  snapshot_days
-- params most
-- why    What fills the backup, by what was backed up. A day of a snapshot counts to the drive that it named last on it.
select
    account,
    location,
    drive,
    count(distinct snapshot) as snapshot_count,
    sum(occupied_byte_seconds) as occupied_byte_seconds
from snapshot_days
group by account, location, drive
order by occupied_byte_seconds desc, account, location, drive
limit $most
