-- name   expiring_subscriptions
-- grain  one row a subscription that ends soon after the period, and that nothing follows
-- reads  known_subscriptions
-- params stop_s, expiry_seconds
-- why    From its end on all that it covered is burst. One that renews by itself, or that another takes over from, is left out.
select
    s.account,
    s.location,
    s.id,
    s.amount as subscribed_bytes,
    s.end_s
from known_subscriptions as s
left join known_subscriptions as f
    on s.account = f.account
    and s.location = f.location
    and f.start_s <= s.end_s
    and f.end_s > s.end_s
    and f.amount >= s.amount
where
    s.start_s < $stop_s
    and s.end_s >= $stop_s
    and s.end_s < $stop_s + $expiry_seconds
    and f.id is null
    and not s.is_renewed
order by s.account, s.location, s.id
