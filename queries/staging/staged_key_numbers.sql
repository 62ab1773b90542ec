-- name   staged_key_numbers
-- grain  one row a row of staged_keys
-- reads  staged_keys, collections, series, labels
-- params none
-- why    The batch's text beside the numbers that stand for it; series 0 is a heartbeat.
select
    k.endpoint,
    k.account,
    k.location,
    k.snapshot,
    k.drive,
    k.status,
    k.name,
    c.collection_key,
    coalesce(s.series_key, 0) as series_key,
    l.label_key
from staged_keys as k
inner join collections as c
    on k.endpoint = c.endpoint
    and k.account = c.account
inner join labels as l
    on k.drive = l.drive
    and k.status = l.status
    and k.name = l.name
left join series as s
    on c.collection_key = s.collection_key
    and k.location = s.location
    and k.snapshot = s.snapshot
    and k.snapshot <> ''
