-- name   scope_segments
-- grain  one row a collection and stretch of time in which its polls are numbered on without a gap
-- reads  scope_polls
-- params none
-- why    Within a segment a run of poll numbers is an interval of time. There is one a collection, but for late and replaced polls.
with

breaks as (
    select
        collection_key,
        poll_key as first_poll_key,
        lead(before_key) over (partition by collection_key order by poll_s) as last_poll_key
    from scope_polls
    where is_break = 1
),

ends as (
    select
        p.collection_key,
        p.poll_key
    from scope_polls as p
    inner join (
        select
            collection_key,
            max(poll_s) as poll_s
        from scope_polls
        group by collection_key
    ) as l
        on p.collection_key = l.collection_key
        and p.poll_s = l.poll_s
)

select
    b.collection_key,
    b.first_poll_key,
    coalesce(b.last_poll_key, e.poll_key) as last_poll_key
from breaks as b
inner join ends as e
    on b.collection_key = e.collection_key
