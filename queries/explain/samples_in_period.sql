-- name   samples_in_period
-- grain  one row a sample of one account in one location, in a poll whose time reaches into the period
-- reads  account_polls, sample_runs, series, labels
-- params location, start_s, stop_s
-- why    What exactly was listed: the snapshots and drives that an occupied level is made of.
select
    p.poll_key,
    p.endpoint,
    s.snapshot,
    l.drive,
    l.name,
    l.status,
    r.allocated_size
from account_polls as p
inner join series as s
    on p.collection_key = s.collection_key
inner join sample_runs as r
    on s.series_key = r.series_key
    and p.poll_key >= r.first_poll_key
    and p.poll_key <= r.last_poll_key
inner join labels as l
    on r.label_key = l.label_key
where
    s.location = $location
    and p.next_s > $start_s
    and p.poll_s < $stop_s
order by p.poll_key, s.snapshot, l.drive
