-- name   came_since
-- grain  one row
-- reads  polls, subscriptions, prices, burst_levels
-- params since_seq, known_seq
-- why    From when to when the facts reach that came after a closing, by all that they say or said before: where they do not touch
--        a closed period at all, they are not looked for in it.
select
    p.first_poll_s,
    s.first_start_s,
    s.last_end_s,
    least(r.first_effective_s, b.first_effective_s) as first_effective_s
from (
    select min(poll_s) as first_poll_s
    from polls
    where
        ingest_seq > $since_seq
        and ingest_seq <= $known_seq
) as p
cross join (
    select
        min(w.start_s) as first_start_s,
        max(w.end_s) as last_end_s
    from subscriptions as w
    inner join (
        select distinct location, id
        from subscriptions
        where
            ingest_seq > $since_seq
            and ingest_seq <= $known_seq
    ) as n
        on w.location = n.location
        and w.id = n.id
    where w.ingest_seq <= $known_seq
) as s
cross join (
    select min(effective_from_s) as first_effective_s
    from prices
    where
        ingest_seq > $since_seq
        and ingest_seq <= $known_seq
) as r
cross join (
    select min(effective_from_s) as first_effective_s
    from burst_levels
    where
        ingest_seq > $since_seq
        and ingest_seq <= $known_seq
) as b
