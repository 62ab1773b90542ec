-- name   collections_in_doubt
-- grain  one row a collection whose kept days cannot be taken as they are
-- reads  collection_tails, collections, feeds, superseded_polls, polls
-- params known_seq, as_of_s, is_kept
-- why    Kept days say what is known now. A computation that looks back, whose clock cuts polls off or has other cycles, a
--        collection with a replaced poll, and accounts of which several collections feed one location are computed from the polls.
with

changed as (
    select c.account
    from collection_tails as t
    inner join collections as c
        on t.collection_key = c.collection_key
    where
        not $is_kept
        or t.changed_seq > $known_seq
        or t.last_poll_s >= $as_of_s
),

replaced as (
    select c.account
    from superseded_polls as s
    inner join polls as p
        on s.poll_key = p.poll_key
    inner join collections as c
        on p.collection_key = c.collection_key
),

fed_by_several as (
    select c.account
    from feeds as f
    inner join collections as c
        on f.collection_key = c.collection_key
    group by c.account, f.location
    having count(*) > 1
)

select c.collection_key
from collections as c
inner join (
    select account from changed
    union
    select account from replaced
    union
    select account from fed_by_several
) as a
    on c.account = a.account
