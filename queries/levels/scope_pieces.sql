-- name   scope_pieces
-- grain  one row a run of samples within a segment
-- reads  scope_segments, series, sample_runs, ignored_series, scope_feeds
-- params none
-- why    What a snapshot occupies from the first poll of a piece until the poll after its last. Ignored series count elsewhere.
select
    f.feed_key,
    r.allocated_size,
    greatest(r.first_poll_key, g.first_poll_key) as first_poll_key,
    least(r.last_poll_key, g.last_poll_key) as last_poll_key
from scope_segments as g
inner join series as s
    on g.collection_key = s.collection_key
inner join sample_runs as r
    on s.series_key = r.series_key
inner join scope_feeds as f
    on s.collection_key = f.collection_key
    and s.location = f.location
left join ignored_series as i
    on s.series_key = i.series_key
where
    r.first_poll_key <= g.last_poll_key
    and r.last_poll_key >= g.first_poll_key
    and i.series_key is null
