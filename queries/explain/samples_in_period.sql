-- name   samples_in_period
-- grain  one row a sample of one account in one location, in a poll whose time reaches into the period
-- reads  account_polls, samples, series, labels
-- params location, start_s, stop_s
-- why    What exactly was listed: the snapshots and drives that an occupied level is made of.
select
    p.poll_key,
    p.endpoint,
    s.snapshot,
    l.drive,
    l.name,
    l.status,
    x.allocated_size
from account_polls as p
inner join samples as x
    on p.poll_key = x.poll_key
inner join series as s
    on x.series_key = s.series_key
inner join labels as l
    on x.label_key = l.label_key
where
    s.location = $location
    and p.next_s > $start_s
    and p.poll_s < $stop_s
order by p.poll_key, s.snapshot, l.drive
