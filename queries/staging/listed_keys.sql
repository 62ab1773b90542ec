-- name   listed_keys
-- grain  one row a distinct endpoint, account, location, snapshot, drive, status and name of a possible sample
-- reads  folded_samples
-- params none
-- why    All text of a batch once, before it is told whether it can be seen.
select distinct
    endpoint,
    account,
    location,
    snapshot,
    drive,
    status,
    name
from folded_samples
where
    problem is null
    and not is_shared
