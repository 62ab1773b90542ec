-- name   failed_requests
-- grain  one row an account, endpoint, what was asked for, outcome and cause
-- reads  poll_notes
-- params known_seq, start_s, stop_s
-- why    Why nobody looked: what the collector tried in the period and could not have, and what was odd about what it had.
select
    account,
    endpoint,
    resource,
    outcome,
    cause,
    count(distinct noted_s) as request_count,
    min(noted_s) as first_noted_s,
    max(noted_s) as last_noted_s
from poll_notes
where
    outcome <> 'read'
    and ingest_seq <= $known_seq
    and noted_s >= $start_s
    and noted_s < $stop_s
group by account, endpoint, resource, outcome, cause
order by account, endpoint, resource, outcome, cause
