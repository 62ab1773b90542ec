-- name   clock_skew
-- grain  one row an account and endpoint
-- reads  poll_answers, observed_polls, collections
-- params start_s, stop_s, skew_seconds
-- why    Polls are dated by our clock and answered by the provider's; where they differ, intervals are billed at the wrong time.
select
    c.account,
    c.endpoint,
    count(*) as finding_count,
    max(abs(a.answered_s - p.poll_s)) as finding_seconds,
    min(p.poll_s) as first_poll_s
from observed_polls as p
inner join poll_answers as a
    on p.poll_key = a.poll_key
inner join collections as c
    on p.collection_key = c.collection_key
where
    p.poll_s >= $start_s
    and p.poll_s < $stop_s
    and abs(a.answered_s - p.poll_s) > $skew_seconds
group by c.account, c.endpoint
order by c.account, c.endpoint
