-- name   ignored_snapshots
-- grain  one row an account, location and endpoint
-- reads  ignored_series
-- params none
-- why    How many snapshots were listed in a collection but counted in another.
select
    account,
    location,
    endpoint,
    count(*) as snapshot_count
from ignored_series
group by account, location, endpoint
order by account, location, endpoint
