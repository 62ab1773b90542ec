-- name   snapshots_above_drive
-- grain  one row a snapshot of the period that was larger than its drive ever was
-- reads  observed_pieces, audited_series, labels, drive_limits
-- params none
-- why    A snapshot keeps what changed on its drive since it was taken: never more than the drive.
select
    s.account,
    s.location,
    s.snapshot,
    l.drive,
    max(p.allocated_size) as allocated_bytes,
    max(d.drive_bytes) as drive_bytes
from observed_pieces as p
inner join labels as l
    on p.label_key = l.label_key
inner join drive_limits as d
    on l.drive = d.drive
inner join audited_series as s
    on p.series_key = s.series_key
where
    s.is_counted
    and p.allocated_size > d.drive_bytes
    and p.ends_at_s > p.starts_at_s
group by s.account, s.location, s.snapshot, l.drive
order by s.account, s.location, s.snapshot, l.drive
