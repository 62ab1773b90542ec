-- name   overlapping_subscriptions
-- grain  one row two subscriptions of one account, location and amount that overlap in the period
-- reads  known_subscriptions
-- params start_s, stop_s
-- why    They add up, which is right if both were meant; a renewal that begins before the old one ends is paid twice.
select
    a.account,
    a.location,
    a.id as first_id,
    b.id as second_id,
    a.amount as subscribed_bytes,
    greatest(a.start_s, b.start_s) as overlap_starts_at_s,
    least(a.end_s, b.end_s) as overlap_ends_at_s,
    least(a.end_s, b.end_s) - greatest(a.start_s, b.start_s) as finding_seconds
from known_subscriptions as a
inner join known_subscriptions as b
    on a.account = b.account
    and a.location = b.location
    and a.amount = b.amount
where
    (a.start_s < b.start_s or (a.start_s = b.start_s and a.id < b.id))
    and b.start_s < a.end_s
    and greatest(a.start_s, b.start_s) < $stop_s
    and least(a.end_s, b.end_s) > $start_s
order by a.account, a.location, a.id, b.id
