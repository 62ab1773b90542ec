-- name   size_changes
-- grain  one row a snapshot and poll of the period at which its size is another than at the poll before
-- reads  observed_pieces, series, collections, labels
-- params start_s, stop_s
-- why    Sizes change rarely; what they do when they change tells whether they can be true. What ends with the poll before is
--        always a piece of its own.
select
    b.series_key,
    c.account,
    s.location,
    s.snapshot,
    l.drive,
    b.first_poll_s as poll_s,
    b.allocated_size,
    l.status,
    e.allocated_size as allocated_size_before,
    m.status as status_before
from observed_pieces as b
inner join observed_pieces as e
    on b.series_key = e.series_key
    and b.previous_poll_key = e.last_poll_key
inner join series as s
    on b.series_key = s.series_key
inner join collections as c
    on s.collection_key = c.collection_key
inner join labels as l
    on b.label_key = l.label_key
inner join labels as m
    on e.label_key = m.label_key
where
    b.first_poll_s >= $start_s
    and b.first_poll_s < $stop_s
    and b.allocated_size <> e.allocated_size
