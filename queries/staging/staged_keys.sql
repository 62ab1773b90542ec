-- name   staged_keys
-- grain  one row a distinct endpoint, account, location, snapshot, drive, status and name of a possible sample
-- reads  checked_samples
-- params none
-- why    All text of a batch once; the millions of samples carry integers only.
select distinct
    endpoint,
    account,
    location,
    snapshot,
    drive,
    status,
    name
from checked_samples
where
    problem is null
    and not is_shared
