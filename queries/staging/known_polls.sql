-- name   known_polls
-- grain  one row a poll that the batch brings again, and version of it: the one in force, and those that were superseded
-- reads  polls, superseded_polls, staged_samples
-- params none
-- why    What to compare the batch with.
select
    p.poll_key,
    p.collection_key,
    p.poll_s,
    s.poll_key is null as is_in_force
from polls as p
inner join (select distinct collection_key, poll_s from staged_samples) as b
    on p.collection_key = b.collection_key
    and p.poll_s = b.poll_s
left join superseded_polls as s
    on p.poll_key = s.poll_key
