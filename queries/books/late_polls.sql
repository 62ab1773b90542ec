-- name   late_polls
-- grain  one row an account, endpoint and whether the polls replace others
-- reads  polls, collections
-- params since_seq, known_seq, start_s, reach_s
-- why    The polls that came after a closing and touch its period: from the poll that is carried in up to the last that can
--        decide how the period's last seconds are classed.
with

came as (
    select
        collection_key,
        poll_s,
        ingest_seq
    from polls
    where
        ingest_seq > $since_seq
        and ingest_seq <= $known_seq
        and poll_s < $reach_s
),

known as (
    select
        p.collection_key,
        p.poll_s
    from (select distinct collection_key from came) as c
    inner join polls as p
        on c.collection_key = p.collection_key
    where p.ingest_seq <= $since_seq
),

carried_in as (
    select
        collection_key,
        max(poll_s) as poll_s
    from known
    where poll_s <= $start_s
    group by collection_key
),

compared as (
    select
        n.collection_key,
        n.poll_s,
        n.ingest_seq,
        max(case when k.poll_s is null then 0 else 1 end) as is_superseding
    from came as n
    left join carried_in as c
        on n.collection_key = c.collection_key
    left join known as k
        on n.collection_key = k.collection_key
        and n.poll_s = k.poll_s
    where
        c.poll_s is null
        or n.poll_s >= c.poll_s
    group by n.collection_key, n.poll_s, n.ingest_seq
)

select
    l.account,
    l.endpoint,
    c.is_superseding,
    count(*) as poll_count,
    min(c.poll_s) as first_poll_s,
    min(c.ingest_seq) as first_ingest_seq,
    max(c.ingest_seq) as last_ingest_seq
from compared as c
inner join collections as l
    on c.collection_key = l.collection_key
group by l.account, l.endpoint, c.is_superseding
order by l.account, l.endpoint, c.is_superseding
