-- name   far_polls
-- grain  one row a side of the period on which there are such polls, before it first
-- reads  polls, collections
-- params account, since_seq, known_seq, reach_s
-- why    The polls of an account that came after a closing, where none of them touches its period (late_polls): they tell where a
--        snapshot is listed too, and so in which collection it is counted.
with

came as (
    select
        p.poll_s,
        p.ingest_seq,
        case when p.poll_s >= $reach_s then 1 else 0 end as is_after
    from polls as p
    inner join collections as c
        on p.collection_key = c.collection_key
    where
        c.account = $account
        and p.ingest_seq > $since_seq
        and p.ingest_seq <= $known_seq
)

select
    is_after,
    count(*) as poll_count,
    min(poll_s) as first_poll_s,
    min(ingest_seq) as first_ingest_seq,
    max(ingest_seq) as last_ingest_seq
from came
group by is_after
order by is_after
