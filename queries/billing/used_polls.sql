-- name   used_polls
-- grain  one row a poll in force
-- reads  polls, superseded_polls
-- params known_seq, as_of_s
-- why    The polls that a computation may use: known by then, before its clock, not superseded by then; each with the next
--        poll of its collection. After the last no next one comes: it stands at the end of the calendar.
select
    p.poll_key,
    p.collection_key,
    p.poll_s,
    coalesce(lead(p.poll_s) over (partition by p.collection_key order by p.poll_s), 253402300800) as next_s
from polls as p
left join superseded_polls as s
    on p.poll_key = s.poll_key
    and s.ingest_seq <= $known_seq
where
    p.ingest_seq <= $known_seq
    and p.poll_s < $as_of_s
    and s.poll_key is null
