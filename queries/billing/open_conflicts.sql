-- name   open_conflicts
-- grain  one row an account and endpoint
-- reads  conflicting_samples, polls, collections
-- params known_seq, start_s, stop_s
-- why    Polls of the period that arrived again with other content and were not superseded since.
select
    x.account,
    x.endpoint,
    count(*) as poll_count,
    min(x.poll_s) as first_poll_s
from (
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
) as x
left join (
    select
        c.endpoint,
        c.account,
        p.poll_s,
        max(p.ingest_seq) as ingest_seq
    from polls as p
    inner join collections as c
        on p.collection_key = c.collection_key
    where p.ingest_seq <= $known_seq
    group by c.endpoint, c.account, p.poll_s
) as p
    on x.endpoint = p.endpoint
    and x.account = p.account
    and x.poll_s = p.poll_s
where p.ingest_seq is null or p.ingest_seq <= x.ingest_seq
group by x.account, x.endpoint
order by x.account, x.endpoint
