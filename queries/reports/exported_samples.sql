-- name   exported_samples
-- grain  one row a sample or heartbeat of an exported poll of [start_s, stop_s)
-- reads  part_polls, part_runs, collections, series, labels
-- params start_s, stop_s
-- why    The chosen polls as rows of a samples file, so that what is exported can be ingested again and says the same. A poll
--        that listed nothing is a heartbeat. Of the runs only what reaches into the chosen polls is unrolled. Snapshot by
--        snapshot, because what changes rarely then packs best.
with

chosen as (
    select
        p.poll_key,
        p.collection_key,
        p.poll_s,
        c.endpoint,
        c.account
    from part_polls as p
    inner join collections as c
        on p.collection_key = c.collection_key
    where
        p.poll_s >= $start_s
        and p.poll_s < $stop_s
),

ranges as (
    select
        collection_key,
        min(poll_key) as first_poll_key,
        max(poll_key) as last_poll_key
    from chosen
    group by collection_key
),

unrolled as (
    select
        r.series_key,
        r.allocated_size,
        r.label_key,
        unnest(generate_series(greatest(r.first_poll_key, g.first_poll_key), least(r.last_poll_key, g.last_poll_key))) as poll_key
    from ranges as g
    inner join part_runs as r
        on g.collection_key = r.collection_key
    where
        r.first_poll_key <= g.last_poll_key
        and r.last_poll_key >= g.first_poll_key
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
inner join unrolled as x
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
where poll_key not in (select poll_key from unrolled)
order by account, endpoint, location, snapshot, poll_s
