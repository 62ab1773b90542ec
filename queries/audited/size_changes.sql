-- name   size_changes
-- grain  one row a snapshot and poll of the period at which its size is another than at the poll before
-- reads  sample_runs, audited_polls, series, collections, labels
-- params start_s, stop_s
-- why    Sizes change rarely; what they do when they change tells whether they can be true.
with

begun as (
    select
        r.series_key,
        r.allocated_size,
        r.label_key,
        p.poll_s,
        p.previous_poll_key
    from sample_runs as r
    inner join audited_polls as p
        on r.first_poll_key = p.poll_key
    where
        p.poll_s >= $start_s
        and p.poll_s < $stop_s
        and p.previous_poll_key is not null
)

select
    b.series_key,
    c.account,
    s.location,
    s.snapshot,
    l.drive,
    b.poll_s,
    b.allocated_size,
    l.status,
    e.allocated_size as allocated_size_before,
    m.status as status_before
from begun as b
inner join sample_runs as e
    on b.series_key = e.series_key
    and b.previous_poll_key >= e.first_poll_key
    and b.previous_poll_key <= e.last_poll_key
inner join series as s
    on b.series_key = s.series_key
inner join collections as c
    on s.collection_key = c.collection_key
inner join labels as l
    on b.label_key = l.label_key
inner join labels as m
    on e.label_key = m.label_key
where b.allocated_size <> e.allocated_size
