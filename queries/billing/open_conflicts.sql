-- name   open_conflicts
-- grain  one row an account, endpoint, and whether something else was taken of the poll
-- reads  conflicting_samples, polls, collections
-- params known_seq, start_s, stop_s
-- why    Polls of the period that arrived again with other content and were not superseded since, and those of which two contents
--        arrived at once, so that none was taken.
with

kept_aside as (
    select
        endpoint,
        account,
        poll_s,
        max(ingest_seq) as ingest_seq
    from conflicting_samples
    where
        ingest_seq <= $known_seq
        and poll_s >= $start_s
        and poll_s < $stop_s
    group by endpoint, account, poll_s
),

compared as (
    select
        k.endpoint,
        k.account,
        k.poll_s,
        k.ingest_seq,
        coalesce(max(p.ingest_seq), 0) as polled_seq
    from kept_aside as k
    left join collections as c
        on k.endpoint = c.endpoint
        and k.account = c.account
    left join polls as p
        on c.collection_key = p.collection_key
        and k.poll_s = p.poll_s
        and p.ingest_seq <= $known_seq
    group by k.endpoint, k.account, k.poll_s, k.ingest_seq
)

select
    account,
    endpoint,
    polled_seq > 0 as is_taken,
    count(*) as poll_count,
    min(poll_s) as first_poll_s
from compared
where polled_seq <= ingest_seq
group by account, endpoint, polled_seq > 0
order by account, endpoint, is_taken desc
