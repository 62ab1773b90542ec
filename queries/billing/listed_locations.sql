-- name   listed_locations
-- grain  one row a collection and location that it ever listed
-- reads  used_polls, poll_levels, collections
-- params none
-- why    Where the snapshots of a collection are stored: mostly at its endpoint, but not only.
select distinct
    p.collection_key,
    c.endpoint,
    c.account,
    l.location
from used_polls as p
inner join poll_levels as l
    on p.poll_key = l.poll_key
inner join collections as c
    on p.collection_key = c.collection_key
