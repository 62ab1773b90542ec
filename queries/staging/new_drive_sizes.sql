-- name   new_drive_sizes
-- grain  one row a drive and size that the store does not know yet
-- reads  checked_samples, taken_polls, drive_sizes
-- params ingest_seq
-- why    How large the drives behind the snapshots are, as captures tell it: a snapshot holds at most its drive.
with

told as (
    select
        k.drive,
        try_cast(k.drive_size as bigint) as size_bytes,
        min(k.poll_s) as first_poll_s
    from checked_samples as k
    inner join taken_polls as p
        on k.endpoint = p.endpoint
        and k.account = p.account
        and k.poll_s = p.poll_s
    where
        k.drive_size is not null
        and k.drive <> ''
    group by k.drive, try_cast(k.drive_size as bigint)
)

select
    t.drive,
    t.size_bytes,
    t.first_poll_s,
    $ingest_seq as ingest_seq
from told as t
left join drive_sizes as d
    on t.drive = d.drive
    and t.size_bytes = d.size_bytes
where
    t.size_bytes >= 0
    and d.drive is null
