-- name   staged_polls
-- grain  one row a collection and poll of the batch, in the blocks that need a closer look
-- reads  staged_samples, contradicting_listings, rejected_rows, collections, known_polls, known_samples, settled_polls
-- params supersede
-- why    Decides about every poll as a whole. A poll with a row that cannot be a sample is rejected. One whose rows contradict
--        each other is conflicting, and none of it enters. One that is known is a duplicate if it says the same, to the last
--        sample, or what was superseded, else conflicting, unless it is meant to supersede.
with

batch_polls as (
    select
        collection_key,
        poll_s,
        count(*) as distinct_row_count,
        sum(row_count) as row_count,
        min(file_number) as file_number,
        sum(case when series_key <> 0 then 1 else 0 end) as sample_count,
        max(case when allocated_size <> greatest_size or label_key <> greatest_label_key then 1 else 0 end) as contradicts
    from staged_samples
    group by collection_key, poll_s
),

rejected_polls as (
    select distinct
        c.collection_key,
        r.poll_s
    from rejected_rows as r
    inner join collections as c
        on r.endpoint = c.endpoint
        and r.account = c.account
    where r.is_poll_known
),

known_counts as (
    select
        poll_key,
        count(*) as sample_count
    from known_samples
    group by poll_key
),

same_samples as (
    select
        k.poll_key,
        count(*) as sample_count
    from known_samples as k
    inner join staged_samples as b
        on k.collection_key = b.collection_key
        and k.poll_s = b.poll_s
        and k.series_key = b.series_key
        and k.allocated_size = b.allocated_size
        and k.label_key = b.label_key
    group by k.poll_key
),

compared as (
    select
        b.collection_key,
        b.poll_s,
        b.distinct_row_count,
        b.row_count,
        b.file_number,
        b.contradicts = 1 or l.poll_s is not null as contradicts,
        r.poll_s is not null as is_rejected,
        k.poll_key as known_poll_key,
        x.poll_s is not null as is_settled,
        coalesce(s.sample_count, 0) = b.sample_count and coalesce(n.sample_count, 0) = b.sample_count as is_same
    from batch_polls as b
    left join contradicting_listings as l
        on b.collection_key = l.collection_key
        and b.poll_s = l.poll_s
    left join rejected_polls as r
        on b.collection_key = r.collection_key
        and b.poll_s = r.poll_s
    left join known_polls as k
        on b.collection_key = k.collection_key
        and b.poll_s = k.poll_s
        and k.is_in_force
    left join settled_polls as x
        on b.collection_key = x.collection_key
        and b.poll_s = x.poll_s
    left join known_counts as n
        on k.poll_key = n.poll_key
    left join same_samples as s
        on k.poll_key = s.poll_key
)

select
    collection_key,
    poll_s,
    distinct_row_count,
    row_count,
    file_number,
    known_poll_key,
    contradicts,
    case
        when is_rejected then 'rejected'
        when contradicts and is_settled then 'duplicate'
        when contradicts then 'conflicting'
        when known_poll_key is null then 'accepted'
        when is_same then 'duplicate'
        when $supersede then 'accepted'
        when is_settled then 'duplicate'
        else 'conflicting'
    end as outcome
from compared
