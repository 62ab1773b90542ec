-- name   unpolled_owners
-- grain  one row an owner and location
-- reads  shared_objects, fed_units
-- params known_seq, as_of_s
-- why    Snapshots that were seen in somebody else's listing, and whose owner is polled nowhere: nobody pays for them.
select
    s.owner,
    s.location,
    count(distinct s.snapshot) as snapshot_count
from shared_objects as s
left join (select distinct account from fed_units) as c
    on s.owner = c.account
where
    s.ingest_seq <= $known_seq
    and s.first_poll_s < $as_of_s
    and c.account is null
group by s.owner, s.location
order by s.owner, s.location
