-- name   samples_kept_aside
-- grain  one row a distinct sample of a conflicting poll of the batch that is not kept aside yet
-- reads  checked_samples, conflicting_polls, conflicting_samples
-- params none
-- why    A conflicting poll is kept aside whole and reported; the first stays in force until somebody supersedes it.
with

aside as (
    select distinct
        k.endpoint,
        k.account,
        k.poll_s,
        k.location,
        k.snapshot,
        k.allocated_size,
        k.drive,
        k.status,
        k.name
    from checked_samples as k
    inner join conflicting_polls as p
        on k.endpoint = p.endpoint
        and k.account = p.account
        and k.poll_s = p.poll_s
    where
        k.problem is null
        and not k.is_shared
)

select
    a.endpoint,
    a.account,
    a.poll_s,
    a.location,
    a.snapshot,
    a.allocated_size,
    a.drive,
    a.status,
    a.name
from aside as a
left join conflicting_samples as c
    on a.endpoint = c.endpoint
    and a.account = c.account
    and a.poll_s = c.poll_s
    and a.location = c.location
    and a.snapshot = c.snapshot
    and a.allocated_size = c.allocated_size
    and a.drive = c.drive
    and a.status = c.status
    and a.name = c.name
where c.poll_s is null
