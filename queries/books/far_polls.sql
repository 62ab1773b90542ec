-- name   far_polls
-- grain  one row
-- reads  polls, collections
-- params account, since_seq, known_seq, reach_s
-- why    The polls of an account that came after a closing and lie after its period: they tell where a snapshot is listed too,
--        and so in which collection it is counted.
select
    count(*) as poll_count,
    min(p.poll_s) as first_poll_s,
    min(p.ingest_seq) as first_ingest_seq,
    max(p.ingest_seq) as last_ingest_seq
from polls as p
inner join collections as c
    on p.collection_key = c.collection_key
where
    c.account = $account
    and p.ingest_seq > $since_seq
    and p.ingest_seq <= $known_seq
    and p.poll_s >= $reach_s
