-- name   late_subscriptions
-- grain  one row an account, location and subscription
-- reads  subscriptions
-- params since_seq, known_seq, start_s, end_s
-- why    The subscriptions that were bought or corrected after a closing and entitle within its period, by what they say now or
--        by what they said before.
with

came as (
    select
        location,
        id,
        max(ingest_seq) as ingest_seq
    from subscriptions
    where
        ingest_seq > $since_seq
        and ingest_seq <= $known_seq
    group by location, id
)

select
    s.account,
    s.location,
    s.id,
    max(c.ingest_seq) as ingest_seq
from came as c
inner join subscriptions as s
    on c.location = s.location
    and c.id = s.id
where
    s.ingest_seq <= $known_seq
    and s.start_s < $end_s
    and s.end_s > $start_s
group by s.account, s.location, s.id
order by s.account, s.location, s.id
