-- name   listed_snapshots
-- grain  one row a snapshot of one account in one location, and an endpoint that ever listed it
-- reads  account_polls, sample_runs, series
-- params location
-- why    Which collections feed the location, and in which of them a snapshot counts that several list.
--        A poll's key holds its collection, so its place in a run tells all.
with

runs as (
    select
        s.snapshot,
        r.first_poll_key,
        r.last_poll_key
    from series as s
    inner join (select distinct collection_key from account_polls) as c
        on s.collection_key = c.collection_key
    inner join sample_runs as r
        on s.series_key = r.series_key
    where s.location = $location
)

select distinct
    p.endpoint,
    r.snapshot
from runs as r
inner join account_polls as p
    on p.poll_key >= r.first_poll_key
    and p.poll_key <= r.last_poll_key
order by r.snapshot, p.endpoint
