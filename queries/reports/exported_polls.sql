-- name   exported_polls
-- grain  one row a poll in force of [start_s, stop_s)
-- reads  polls, superseded_polls
-- params known_seq, start_s, stop_s
-- why    The polls whose samples are exported.
select p.poll_key
from polls as p
left join superseded_polls as s
    on p.poll_key = s.poll_key
    and s.ingest_seq <= $known_seq
where
    p.ingest_seq <= $known_seq
    and s.poll_key is null
    and p.poll_s >= $start_s
    and p.poll_s < $stop_s
