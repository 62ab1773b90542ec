-- name   exported_polls
-- grain  one row a poll in force of [start_s, stop_s)
-- reads  polls, superseded_polls, collections
-- params known_seq, start_s, stop_s, account
-- why    The polls whose samples are exported, of one account or all.
select p.poll_key
from polls as p
inner join collections as c
    on p.collection_key = c.collection_key
left join superseded_polls as s
    on p.poll_key = s.poll_key
    and s.ingest_seq <= $known_seq
where
    p.ingest_seq <= $known_seq
    and s.poll_key is null
    and p.poll_s >= $start_s
    and p.poll_s < $stop_s
    and (
        $account is null
        or c.account = $account
    )
