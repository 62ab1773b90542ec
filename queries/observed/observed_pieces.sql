-- name   observed_pieces
-- grain  one row a run of samples within a stretch
-- reads  observed_polls, observed_stretches, series, sample_runs
-- params none
-- why    When a snapshot was what, as a collection lists it: from the first poll of a piece until the last one holds no longer.
--        What is carried in without holding into the period lasts no time, and tells only what was before.
with

pieces as (
    select
        s.collection_key,
        r.series_key,
        r.label_key,
        r.allocated_size,
        greatest(r.first_poll_key, t.first_poll_key) as first_poll_key,
        least(r.last_poll_key, t.last_poll_key) as last_poll_key
    from observed_stretches as t
    inner join series as s
        on t.collection_key = s.collection_key
    inner join sample_runs as r
        on s.series_key = r.series_key
    where
        r.first_poll_key <= t.last_poll_key
        and r.last_poll_key >= t.first_poll_key
)

select
    p.collection_key,
    p.series_key,
    p.label_key,
    p.allocated_size,
    p.last_poll_key,
    f.previous_poll_key,
    f.poll_s as first_poll_s,
    l.poll_s as last_poll_s,
    f.starts_at_s,
    l.ends_at_s
from pieces as p
inner join observed_polls as f
    on p.first_poll_key = f.poll_key
inner join observed_polls as l
    on p.last_poll_key = l.poll_key
