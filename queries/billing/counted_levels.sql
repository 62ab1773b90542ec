-- name   counted_levels
-- grain  one row a location in a poll that has a counted sample there
-- reads  used_polls, poll_levels, ignored_levels
-- params none
-- why    The bytes that a poll counts in a location.
select
    p.poll_key,
    p.collection_key,
    l.location,
    l.occupied_bytes - coalesce(i.occupied_bytes, 0) as occupied_bytes
from used_polls as p
inner join poll_levels as l
    on p.poll_key = l.poll_key
left join ignored_levels as i
    on l.poll_key = i.poll_key
    and l.location = i.location
where l.sample_count > coalesce(i.sample_count, 0)
