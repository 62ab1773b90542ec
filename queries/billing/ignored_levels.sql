-- name   ignored_levels
-- grain  one row a location in a poll that has ignored samples
-- reads  ignored_series, samples, used_polls
-- params none
-- why    What to take off a poll's kept sums, because it is counted in another collection.
select
    x.poll_key,
    i.location,
    sum(cast(x.allocated_size as decimal(38, 0))) as occupied_bytes,
    count(*) as sample_count
from ignored_series as i
inner join samples as x
    on i.series_key = x.series_key
inner join used_polls as p
    on x.poll_key = p.poll_key
group by x.poll_key, i.location
