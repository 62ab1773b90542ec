-- name   witness_polls
-- grain  one row a poll in force outside of exported_polls that a bill of the period rests on all the same
-- reads  polls, superseded_polls, collections, samples, exported_polls
-- params known_seq, account
-- why    A collection feeds a location if it ever listed a snapshot there, and a snapshot that several list is counted in one:
--        the first poll of every snapshot bears witness to that, whenever it was. The very last poll tells how far facts reach.
with

in_force as (
    select
        p.poll_key,
        p.poll_s
    from polls as p
    inner join collections as c
        on p.collection_key = c.collection_key
    left join superseded_polls as s
        on p.poll_key = s.poll_key
        and s.ingest_seq <= $known_seq
    where
        p.ingest_seq <= $known_seq
        and s.poll_key is null
        and (
            $account is null
            or c.account = $account
        )
),

witnesses as (
    select min(x.poll_key) as poll_key
    from samples as x
    inner join in_force as p
        on x.poll_key = p.poll_key
    group by x.series_key
    union
    select max(poll_key) as poll_key
    from in_force
    where poll_s = (select max(poll_s) from in_force)
)

select w.poll_key
from witnesses as w
left join exported_polls as e
    on w.poll_key = e.poll_key
where
    w.poll_key is not null
    and e.poll_key is null
