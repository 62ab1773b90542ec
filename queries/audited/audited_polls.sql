-- name   audited_polls
-- grain  one row a poll in force
-- reads  polls, superseded_polls
-- params known_seq, as_of_s
-- why    What an audit rests on, read from the facts apart from billing: every poll with the ones before and after it of its
--        collection. After the last no next one comes: it stands at the end of the calendar.
with

in_force as (
    select
        p.poll_key,
        p.collection_key,
        p.poll_s
    from polls as p
    left join superseded_polls as s
        on p.poll_key = s.poll_key
        and s.ingest_seq <= $known_seq
    where
        p.ingest_seq <= $known_seq
        and p.poll_s < $as_of_s
        and s.poll_key is null
)

select
    poll_key,
    collection_key,
    poll_s,
    lag(poll_key) over (partition by collection_key order by poll_s, poll_key) as previous_poll_key,
    coalesce(lead(poll_s) over (partition by collection_key order by poll_s, poll_key), 253402300800) as next_s
from in_force
