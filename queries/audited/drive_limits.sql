-- name   drive_limits
-- grain  one row a drive whose size is known
-- reads  drive_sizes
-- params known_seq
-- why    The largest that a drive was ever said to be: only captures tell it, beside the snapshots of the drive.
select
    drive,
    max(size_bytes) as drive_bytes
from drive_sizes
where ingest_seq <= $known_seq
group by drive
