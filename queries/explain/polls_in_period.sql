-- name   polls_in_period
-- grain  one row a poll in force of one account whose time reaches into the period
-- reads  account_polls
-- params start_s, stop_s
-- why    The polls of the period, and the one before it that is carried in.
select
    poll_key,
    endpoint,
    poll_s,
    next_s,
    ingest_seq,
    ingested_at_s,
    file
from account_polls
where
    next_s > $start_s
    and poll_s < $stop_s
order by endpoint, poll_s
