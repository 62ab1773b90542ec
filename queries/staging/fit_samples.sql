-- name   fit_samples
-- grain  one row a raw row of the sample files of one command
-- reads  judged_samples, told_keys
-- params none
-- why    The checked rows of a batch in which some text is unfit: what is wrong with its text is wrong with a row. Such
--        batches are rare, and only they are looked at this way.
select
    k.file_number,
    k.row_number,
    k.listing,
    k.poll_s,
    k.answered_s,
    k.endpoint,
    k.account,
    k.location,
    k.snapshot,
    k.allocated_size,
    k.drive,
    k.drive_size,
    k.status,
    k.name,
    k.is_shared,
    k.owner,
    k.is_poll_known,
    coalesce(k.problem, u.problem) as problem,
    case when u.problem is null then k.problem_value else u.problem_value end as problem_value
from judged_samples as k
left join told_keys as u
    on k.endpoint = u.endpoint
    and k.account = u.account
    and k.location = u.location
    and k.snapshot = u.snapshot
    and k.drive = u.drive
    and k.status = u.status
    and k.name = u.name
    and k.problem is null
    and not k.is_shared
