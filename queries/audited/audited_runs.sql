-- name   audited_runs
-- grain  one row a run of polls that list a counted snapshot alike, of those that are in the making within the period
-- reads  sample_runs, observed_pieces, audited_series, polls, superseded_polls, labels
-- params known_seq, as_of_s
-- why    When a snapshot was what, from the first to the last poll of a run, as far as the clock of the audit; before the period
--        too, for what is stuck may have been for long. A run is left out where no poll of it is in force; of a long one only its
--        ends are looked at.
with

making as (
    select distinct p.series_key
    from observed_pieces as p
    inner join labels as l
        on p.label_key = l.label_key
    where l.status in ('creating', 'transferring')
),

runs as (
    select
        r.series_key,
        r.label_key,
        r.first_poll_key,
        r.last_poll_key
    from sample_runs as r
    inner join making as m
        on r.series_key = m.series_key
),

told as (
    select
        r.series_key,
        r.label_key,
        r.first_poll_key,
        r.last_poll_key,
        least(f.poll_s, t.poll_s) as first_poll_s,
        least(greatest(f.poll_s, t.poll_s), $as_of_s - 1) as last_poll_s,
        case when x.poll_key is null and f.ingest_seq <= $known_seq and f.poll_s < $as_of_s then 1 else 0 end as is_first_in_force,
        case when y.poll_key is null and t.ingest_seq <= $known_seq and t.poll_s < $as_of_s then 1 else 0 end as is_last_in_force
    from runs as r
    inner join polls as f
        on r.first_poll_key = f.poll_key
    inner join polls as t
        on r.last_poll_key = t.poll_key
    left join superseded_polls as x
        on f.poll_key = x.poll_key
        and x.ingest_seq <= $known_seq
    left join superseded_polls as y
        on t.poll_key = y.poll_key
        and y.ingest_seq <= $known_seq
)

select
    s.series_key,
    s.account,
    s.location,
    s.snapshot,
    l.status,
    t.first_poll_s,
    t.last_poll_s
from told as t
inner join audited_series as s
    on t.series_key = s.series_key
inner join labels as l
    on t.label_key = l.label_key
where
    s.is_counted
    and t.first_poll_s < $as_of_s
    and (t.is_first_in_force = 1 or t.is_last_in_force = 1 or t.last_poll_key > t.first_poll_key + 1)
