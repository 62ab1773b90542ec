-- name   audited_runs
-- grain  one row a counted snapshot and run of polls that list it alike
-- reads  sample_runs, audited_series, audited_polls, polls, labels
-- params as_of_s
-- why    When a snapshot was what: from the first to the last poll of a run, as far as the clock of the audit. A run is left out
--        where no poll of it is in force; of a long one only its ends are looked at.
select
    s.series_key,
    s.account,
    s.location,
    s.snapshot,
    l.drive,
    l.status,
    r.allocated_size,
    least(f.poll_s, t.poll_s) as first_poll_s,
    least(greatest(f.poll_s, t.poll_s), $as_of_s - 1) as last_poll_s
from sample_runs as r
inner join audited_series as s
    on r.series_key = s.series_key
inner join labels as l
    on r.label_key = l.label_key
inner join polls as f
    on r.first_poll_key = f.poll_key
inner join polls as t
    on r.last_poll_key = t.poll_key
left join audited_polls as a
    on r.first_poll_key = a.poll_key
left join audited_polls as b
    on r.last_poll_key = b.poll_key
where
    s.is_counted
    and least(f.poll_s, t.poll_s) < $as_of_s
    and (a.poll_key is not null or b.poll_key is not null or r.last_poll_key > r.first_poll_key + 1)
