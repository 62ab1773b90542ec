-- name   exported_samples
-- grain  one row a sample or heartbeat of a poll in force
-- reads  polls, superseded_polls, collections, samples, series, labels
-- params known_seq, start_s, stop_s
-- why    The polls of [start_s, stop_s) as rows of a samples file, so that what is exported can be ingested again and says
--        the same. A poll that listed nothing is a heartbeat.
with

in_force as (
    select
        p.poll_key,
        p.poll_s,
        c.endpoint,
        c.account
    from polls as p
    inner join collections as c
        on p.collection_key = c.collection_key
    left join superseded_polls as s
        on p.poll_key = s.poll_key
        and s.ingest_seq <= $known_seq
    where
        p.ingest_seq <= $known_seq
        and s.poll_key is null
        and p.poll_s >= $start_s
        and p.poll_s < $stop_s
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
from in_force as p
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
from in_force
where poll_key not in (select poll_key from samples)
order by poll_s, endpoint, account, location, snapshot
