-- name   listed_snapshots
-- grain  one row a snapshot of one account in one location, and an endpoint that ever listed it
-- reads  account_polls, sample_runs, series
-- params location
-- why    Which collections feed the location, and in which of them a snapshot counts that several list.
select distinct
    p.endpoint,
    s.snapshot
from series as s
inner join sample_runs as r
    on s.series_key = r.series_key
inner join account_polls as p
    on s.collection_key = p.collection_key
    and p.poll_key >= r.first_poll_key
    and p.poll_key <= r.last_poll_key
where s.location = $location
order by s.snapshot, p.endpoint
