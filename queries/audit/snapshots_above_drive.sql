-- name   snapshots_above_drive
-- grain  one row a snapshot of the period that was larger than its drive ever was
-- reads  audited_runs, drive_limits
-- params start_s, stop_s
-- why    A snapshot keeps what changed on its drive since it was taken: never more than the drive.
select
    r.account,
    r.location,
    r.snapshot,
    r.drive,
    max(r.allocated_size) as allocated_bytes,
    max(d.drive_bytes) as drive_bytes
from audited_runs as r
inner join drive_limits as d
    on r.drive = d.drive
where
    r.allocated_size > d.drive_bytes
    and r.first_poll_s < $stop_s
    and r.last_poll_s >= $start_s
group by r.account, r.location, r.snapshot, r.drive
order by r.account, r.location, r.snapshot, r.drive
