-- name   listed_snapshots
-- grain  one row a snapshot of one account in one location, and an endpoint that ever listed it
-- reads  account_polls, samples, series
-- params location
-- why    Which collections feed the location, and in which of them a snapshot counts that several list.
select distinct
    p.endpoint,
    s.snapshot
from series as s
inner join samples as x
    on s.series_key = x.series_key
inner join account_polls as p
    on x.poll_key = p.poll_key
where s.location = $location
order by s.snapshot, p.endpoint
