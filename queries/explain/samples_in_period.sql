-- name   samples_in_period
-- grain  one row a sample of one account in one location, in a poll whose time reaches into the period
-- reads  account_polls, sample_runs, series, labels
-- params location, start_s, stop_s
-- why    What exactly was listed: the snapshots and drives that an occupied level is made of.
--        A poll's key holds its collection, so its place in a run tells all.
with

runs as (
    select
        s.snapshot,
        r.first_poll_key,
        r.last_poll_key,
        r.allocated_size,
        r.label_key
    from series as s
    inner join (select distinct collection_key from account_polls) as c
        on s.collection_key = c.collection_key
    inner join sample_runs as r
        on s.series_key = r.series_key
    where s.location = $location
),

wanted_polls as (
    select
        poll_key,
        endpoint
    from account_polls
    where
        next_s > $start_s
        and poll_s < $stop_s
)

select
    p.poll_key,
    p.endpoint,
    r.snapshot,
    l.drive,
    l.name,
    l.status,
    r.allocated_size
from wanted_polls as p
inner join runs as r
    on p.poll_key >= r.first_poll_key
    and p.poll_key <= r.last_poll_key
inner join labels as l
    on r.label_key = l.label_key
order by p.poll_key, r.snapshot, l.drive
