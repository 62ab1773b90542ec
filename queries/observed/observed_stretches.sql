-- name   observed_stretches
-- grain  one row a collection and stretch of time in which it was observed without a gap and its polls are numbered on
-- reads  observed_polls
-- params none
-- why    Within a stretch a run of poll numbers is an interval of time, all of it observed. There is one a collection, but for
--        time in which nobody looked and for late and replaced polls.
with

begun as (
    select
        collection_key,
        poll_key as first_poll_key,
        lead(previous_poll_key) over (partition by collection_key order by poll_s, poll_key) as last_poll_key
    from observed_polls
    where is_break = 1
)

select
    b.collection_key,
    b.first_poll_key,
    coalesce(b.last_poll_key, e.poll_key) as last_poll_key
from begun as b
inner join observed_polls as e
    on b.collection_key = e.collection_key
    and e.next_s = 253402300800
