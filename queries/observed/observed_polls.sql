-- name   observed_polls
-- grain  one row a poll in force, from the one carried into the period to the first that nothing of it depends on
-- reads  collections, polls, superseded_polls
-- params account, known_seq, as_of_s, start_s, stop_s, cycle_s, max_hold_s
-- why    What was observed, read from the facts apart from billing: each poll with its neighbours in its collection, and the part
--        of the period that it holds. After the last no next one comes: it stands at the end of the calendar. A break is where a
--        poll does not follow at once, in number and in time: the one before was late, replaced, or held no longer.
--        Of one account where one is asked for.
with

asked as (
    select collection_key
    from collections
    where
        $account is null
        or account = $account
),

in_force as (
    select
        p.poll_key,
        p.collection_key,
        p.poll_s
    from polls as p
    inner join asked as a
        on p.collection_key = a.collection_key
    left join superseded_polls as s
        on p.poll_key = s.poll_key
        and s.ingest_seq <= $known_seq
    where
        p.ingest_seq <= $known_seq
        and p.poll_s < $as_of_s
        -- what comes later than 1.5 cycles behind the period changes nothing of how its last poll holds
        and p.poll_s <= $stop_s + 2 * $cycle_s
        and s.poll_key is null
),

carried_in as (
    select
        collection_key,
        max(poll_s) as poll_s
    from in_force
    where poll_s <= $start_s
    group by collection_key
),

neighbours as (
    select
        p.poll_key,
        p.collection_key,
        p.poll_s,
        lag(p.poll_key) over (partition by p.collection_key order by p.poll_s, p.poll_key) as previous_poll_key,
        lag(p.poll_s) over (partition by p.collection_key order by p.poll_s, p.poll_key) as previous_s,
        coalesce(lead(p.poll_s) over (partition by p.collection_key order by p.poll_s, p.poll_key), 253402300800) as next_s
    from in_force as p
    left join carried_in as c
        on p.collection_key = c.collection_key
    where
        c.poll_s is null
        or p.poll_s >= c.poll_s
)

select
    poll_key,
    collection_key,
    poll_s,
    previous_poll_key,
    next_s,
    greatest(poll_s, $start_s) as starts_at_s,
    least(
        case when 2 * (next_s - poll_s) <= 3 * $cycle_s then next_s else least(next_s, poll_s + $max_hold_s) end,
        $stop_s
    ) as ends_at_s,
    case
        when previous_poll_key is null or previous_poll_key <> poll_key - 1 then 1
        when 2 * (poll_s - previous_s) > 3 * $cycle_s and poll_s - previous_s > $max_hold_s then 1
        else 0
    end as is_break
from neighbours
