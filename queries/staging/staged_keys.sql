-- name   staged_keys
-- grain  one row a row of listed_keys whose identifiers are fit to be kept
-- reads  listed_keys, unfit_keys
-- params none
-- why    All text of a batch once; the millions of samples carry integers only.
select
    k.endpoint,
    k.account,
    k.location,
    k.snapshot,
    k.drive,
    k.status,
    k.name
from listed_keys as k
left join unfit_keys as u
    on k.endpoint = u.endpoint
    and k.account = u.account
    and k.location = u.location
    and k.snapshot = u.snapshot
    and k.drive = u.drive
    and k.status = u.status
    and k.name = u.name
where u.field is null
