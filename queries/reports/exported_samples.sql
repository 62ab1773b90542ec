-- name   exported_samples
-- grain  one row a sample or heartbeat of a poll in force
-- reads  exported_polls, polls, collections, samples, series, labels
-- params none
-- why    The chosen polls as rows of a samples file, so that what is exported can be ingested again and says the same. A poll
--        that listed nothing is a heartbeat.
with

chosen as (
    select
        p.poll_key,
        p.poll_s,
        c.endpoint,
        c.account
    from exported_polls as e
    inner join polls as p
        on e.poll_key = p.poll_key
    inner join collections as c
        on p.collection_key = c.collection_key
)

select
    p.poll_s,
    p.endpoint,
    p.account,
    s.location,
    s.snapshot,
    x.allocated_size,
    l.drive,
    l.status,
    l.name
from chosen as p
inner join samples as x
    on p.poll_key = x.poll_key
inner join series as s
    on x.series_key = s.series_key
inner join labels as l
    on x.label_key = l.label_key
union all
select
    poll_s,
    endpoint,
    account,
    endpoint as location,
    '' as snapshot,
    0 as allocated_size,
    '' as drive,
    '' as status,
    '' as name
from chosen
where poll_key not in (select poll_key from samples)
order by poll_s, endpoint, account, location, snapshot
