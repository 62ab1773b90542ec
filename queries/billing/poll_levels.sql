-- name   poll_levels
-- grain  one row a location in a poll
-- reads  samples, series
-- params none
-- why    What a poll lists in each location, in all.
select x.poll_key, s.location, sum(cast(x.allocated_size as decimal(38, 0))) as occupied_bytes, count(*) as sample_count
from samples as x
inner join series as s
    on x.series_key = s.series_key
group by x.poll_key, s.location
