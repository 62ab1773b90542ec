-- name   staged_keys
-- grain  one row a row of told_keys whose identifiers can all be seen
-- reads  told_keys
-- params none
-- why    All text of a batch once; the millions of samples carry integers only.
select
    endpoint,
    account,
    location,
    snapshot,
    drive,
    status,
    name
from told_keys
where problem is null
