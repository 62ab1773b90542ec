-- name   sizes_that_jump
-- grain  one row a snapshot and poll at which it grew beyond belief
-- reads  size_changes, drive_limits
-- params growth_factor
-- why    Between two polls a drive changes by at most its own size. What is small may grow many times over; what holds a GiB
--        does not. A snapshot that was still in the making grows as it is copied.
select
    c.account,
    c.location,
    c.snapshot,
    c.poll_s,
    c.allocated_size_before as before_bytes,
    c.allocated_size as after_bytes
from size_changes as c
left join drive_limits as d
    on c.drive = d.drive
where
    c.status = 'available'
    and c.status_before = 'available'
    and (
        cast(c.allocated_size as decimal(38, 0)) - c.allocated_size_before > d.drive_bytes
        or (
            c.allocated_size_before >= 1073741824
            and c.allocated_size > cast(c.allocated_size_before as decimal(38, 0)) * $growth_factor
        )
    )
order by c.account, c.location, c.snapshot, c.poll_s
