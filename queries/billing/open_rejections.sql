-- name   open_rejections
-- grain  one row a table, account and reason
-- reads  rejections, settled_files, polls, collections
-- params known_seq, start_s, stop_s
-- why    Rows that could not be taken and whose poll did not arrive since: time or facts that a bill may lack. A row that does
--        not tell its poll may belong to any period.
with

settled as (
    select
        file,
        max(ingest_seq) as ingest_seq
    from settled_files
    where ingest_seq <= $known_seq
    group by file
),

not_taken as (
    select
        r.table_name,
        coalesce(r.account, '') as account,
        r.field,
        r.reason,
        r.file || ' line ' || cast(r.line as varchar) as place,
        row_number() over (
            partition by r.table_name, coalesce(r.account, ''), r.field, r.reason order by r.file, r.line
        ) as number
    from rejections as r
    left join settled as s
        on r.file = s.file
    left join collections as c
        on r.endpoint = c.endpoint
        and r.account = c.account
    left join polls as p
        on c.collection_key = p.collection_key
        and r.poll_s = p.poll_s
        and p.ingest_seq <= $known_seq
    where
        r.ingest_seq <= $known_seq
        and r.ingest_seq >= coalesce(s.ingest_seq, 0)
        and p.poll_key is null
        and (r.poll_s is null or (r.poll_s >= $start_s and r.poll_s < $stop_s))
)

select
    table_name,
    account,
    field,
    reason,
    count(*) as row_count,
    max(case when number = 1 then place end) as first_place
from not_taken
group by table_name, account, field, reason
order by table_name, account, field, reason
