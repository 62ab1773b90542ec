-- name   contradicting_listings
-- grain  one row a collection and poll of the batch
-- reads  checked_samples, staged_key_numbers
-- params none
-- why    Each capture is a whole listing. Two of one poll in one batch must list the same, to the last sample; a sample that
--        not all of them list makes their poll a contradiction.
with

-- hardly ever: most batches have one listing of each poll
listed_again as (
    select
        endpoint,
        account,
        poll_s
    from checked_samples
    where
        problem is null
        and not is_shared
    group by endpoint, account, poll_s
    having min(listing) < max(listing)
),

listed as (
    select
        n.collection_key,
        k.poll_s,
        n.series_key,
        n.label_key,
        k.allocated_size,
        k.listing
    from checked_samples as k
    inner join listed_again as a
        on k.endpoint = a.endpoint
        and k.account = a.account
        and k.poll_s = a.poll_s
    inner join staged_key_numbers as n
        on k.endpoint = n.endpoint
        and k.account = n.account
        and k.location = n.location
        and k.snapshot = n.snapshot
        and k.drive = n.drive
        and k.status = n.status
        and k.name = n.name
    where
        k.problem is null
        and not k.is_shared
),

polls_listed as (
    select
        collection_key,
        poll_s,
        count(distinct listing) as listing_count
    from listed
    group by collection_key, poll_s
),

samples_listed as (
    select
        collection_key,
        poll_s,
        series_key,
        label_key,
        allocated_size,
        count(distinct listing) as listing_count
    from listed
    where series_key <> 0
    group by collection_key, poll_s, series_key, label_key, allocated_size
)

select distinct
    p.collection_key,
    p.poll_s
from polls_listed as p
inner join samples_listed as s
    on p.collection_key = s.collection_key
    and p.poll_s = s.poll_s
where s.listing_count < p.listing_count
