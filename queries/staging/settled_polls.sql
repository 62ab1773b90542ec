-- name   settled_polls
-- grain  one row a collection and poll of the batch that says again what versions of it say, of which some were superseded
-- reads  looked_into_samples, known_polls, known_samples
-- params none
-- why    Files that were corrected come again beside their correction, as a job does that names the same directory every day: what
--        was settled is not asked about again. Each listing must be versions, whole, and nothing besides; rows of flat files
--        are one listing together.
with

contested as (
    select distinct
        collection_key,
        poll_s
    from known_polls
    where not is_in_force
),

brought as (
    select distinct
        s.collection_key,
        s.poll_s,
        s.listing,
        s.series_key,
        s.label_key,
        s.allocated_size
    from looked_into_samples as s
    inner join contested as c
        on s.collection_key = c.collection_key
        and s.poll_s = c.poll_s
),

listings as (
    select
        collection_key,
        poll_s,
        listing,
        sum(case when series_key <> 0 then 1 else 0 end) as sample_count
    from brought
    group by collection_key, poll_s, listing
),

versions as (
    select
        v.poll_key,
        v.collection_key,
        v.poll_s,
        count(s.series_key) as sample_count
    from known_polls as v
    left join known_samples as s
        on v.poll_key = s.poll_key
    group by v.poll_key, v.collection_key, v.poll_s
),

met as (
    select
        b.collection_key,
        b.poll_s,
        b.listing,
        b.series_key,
        b.label_key,
        b.allocated_size,
        s.poll_key
    from brought as b
    inner join known_samples as s
        on b.collection_key = s.collection_key
        and b.poll_s = s.poll_s
        and b.series_key = s.series_key
        and b.label_key = s.label_key
        and b.allocated_size = s.allocated_size
),

met_counts as (
    select
        collection_key,
        poll_s,
        listing,
        poll_key,
        count(*) as sample_count
    from met
    group by collection_key, poll_s, listing, poll_key
),

-- A version that listed nothing is whole in every listing.
whole as (
    select
        l.collection_key,
        l.poll_s,
        l.listing,
        v.poll_key
    from listings as l
    inner join versions as v
        on l.collection_key = v.collection_key
        and l.poll_s = v.poll_s
    left join met_counts as m
        on l.collection_key = m.collection_key
        and l.poll_s = m.poll_s
        and l.listing = m.listing
        and v.poll_key = m.poll_key
    where coalesce(m.sample_count, 0) = v.sample_count
),

told as (
    select distinct
        m.collection_key,
        m.poll_s,
        m.listing,
        m.series_key,
        m.label_key,
        m.allocated_size
    from met as m
    inner join whole as w
        on m.collection_key = w.collection_key
        and m.poll_s = w.poll_s
        and m.listing = w.listing
        and m.poll_key = w.poll_key
),

told_counts as (
    select
        collection_key,
        poll_s,
        listing,
        count(*) as sample_count
    from told
    group by collection_key, poll_s, listing
)

select
    l.collection_key,
    l.poll_s
from listings as l
left join (select distinct collection_key, poll_s, listing from whole) as w
    on l.collection_key = w.collection_key
    and l.poll_s = w.poll_s
    and l.listing = w.listing
left join told_counts as t
    on l.collection_key = t.collection_key
    and l.poll_s = t.poll_s
    and l.listing = t.listing
group by l.collection_key, l.poll_s
having
    min(case when w.listing is null or coalesce(t.sample_count, 0) <> l.sample_count then 0 else 1 end) = 1
