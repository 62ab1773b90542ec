-- name   account_polls
-- grain  one row a poll in force of one account
-- reads  polls, superseded_polls, collections, ingests, ingest_files
-- params account, known_seq, as_of_s
-- why    The evidence that a charge can rest on, with where it came from: read from the facts themselves, apart from the tables
--        that billing makes of them. After the last poll no next one comes: it stands at the end of the calendar.
with

in_force as (
    select
        p.poll_key,
        p.collection_key,
        c.endpoint,
        p.poll_s,
        p.file_number,
        p.ingest_seq
    from polls as p
    inner join collections as c
        on p.collection_key = c.collection_key
    left join superseded_polls as s
        on p.poll_key = s.poll_key
        and s.ingest_seq <= $known_seq
    where
        c.account = $account
        and p.ingest_seq <= $known_seq
        and p.poll_s < $as_of_s
        and s.poll_key is null
)

select
    p.poll_key,
    p.collection_key,
    p.endpoint,
    p.poll_s,
    coalesce(lead(p.poll_s) over (partition by p.collection_key order by p.poll_s), 253402300800) as next_s,
    p.ingest_seq,
    i.ingested_at_s,
    f.file
from in_force as p
inner join ingests as i
    on p.ingest_seq = i.ingest_seq
left join ingest_files as f
    on p.ingest_seq = f.ingest_seq
    and p.file_number = f.file_number
