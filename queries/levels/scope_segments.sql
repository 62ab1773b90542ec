-- name   scope_segments
-- grain  one row a collection and stretch of time in which its polls are numbered on without a gap
-- reads  scope_stretches
-- params none
-- why    Within a segment a run of poll numbers is an interval of time. There is one a collection, but for late and replaced polls.
with

breaks as (
    select
        collection_key,
        first_poll_key,
        lead(before_key) over (partition by collection_key order by first_s) as last_poll_key
    from scope_stretches
    where is_break = 1
),

ends as (
    select
        s.collection_key,
        s.last_poll_key
    from scope_stretches as s
    inner join (
        select
            collection_key,
            max(first_s) as first_s
        from scope_stretches
        group by collection_key
    ) as l
        on s.collection_key = l.collection_key
        and s.first_s = l.first_s
)

select
    b.collection_key,
    b.first_poll_key,
    coalesce(b.last_poll_key, e.last_poll_key) as last_poll_key
from breaks as b
inner join ends as e
    on b.collection_key = e.collection_key
