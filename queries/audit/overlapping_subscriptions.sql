-- name   overlapping_subscriptions
-- grain  one row a subscription that begins while another of its account, location and amount runs, where that is in the period
-- reads  known_subscriptions
-- params start_s, stop_s
-- why    They add up, which is right if both were meant; a renewal that begins before the old one ends is paid twice. Told of each
--        one once, beside the one that runs on the longest: a hundred alike would be five thousand pairs.
with

followed as (
    select
        account,
        location,
        id,
        amount,
        start_s,
        end_s,
        max(end_s) over (
            partition by account, location, amount
            order by start_s, id
            rows between unbounded preceding and 1 preceding
        ) as last_end_s
    from known_subscriptions
)

select
    b.account,
    b.location,
    min(a.id) as first_id,
    b.id as second_id,
    b.amount as subscribed_bytes,
    b.start_s as overlap_starts_at_s,
    least(b.last_end_s, b.end_s) as overlap_ends_at_s,
    least(b.last_end_s, b.end_s) - b.start_s as finding_seconds
from followed as b
inner join known_subscriptions as a
    on b.account = a.account
    and b.location = a.location
    and b.amount = a.amount
    and b.last_end_s = a.end_s
where
    (a.start_s < b.start_s or (a.start_s = b.start_s and a.id < b.id))
    and b.start_s < b.last_end_s
    and b.start_s < $stop_s
    and least(b.last_end_s, b.end_s) > $start_s
group by b.account, b.location, b.id, b.amount, b.start_s, b.end_s, b.last_end_s
order by b.account, b.location, first_id, second_id
