-- name   feeds
-- grain  one row a collection and location that it feeds
-- reads  used_polls, collections, counted_levels
-- params none
-- why    A location's level for an account is the sum over the collections that feed it: its collection at that endpoint, and
--        every other one in which the location ever appeared in a counted sample.
select
    c.collection_key,
    c.account,
    c.endpoint as location
from (select distinct collection_key from used_polls) as p
inner join collections as c
    on p.collection_key = c.collection_key
union
select
    c.collection_key,
    c.account,
    l.location
from (select distinct collection_key, location from counted_levels) as l
inner join collections as c
    on l.collection_key = c.collection_key
