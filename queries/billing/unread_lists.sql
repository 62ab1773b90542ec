-- name   unread_lists
-- grain  one row an endpoint, account and list that could not be read when last asked for
-- reads  poll_notes
-- params known_seq, stop_s
-- why    What was bought, extended or priced anew since is not known. Once is a passing fault; what fails again is told.
with

notes as (
    select
        endpoint,
        resource,
        noted_s,
        outcome,
        cause,
        case when resource = 'pricing' then '' else account end as account
    from poll_notes
    where
        ingest_seq <= $known_seq
        and resource in ('subscriptions', 'pricing')
        and outcome in ('failed', 'read')
),

followed as (
    select
        endpoint,
        account,
        resource,
        noted_s,
        outcome,
        cause,
        max(case when outcome = 'read' then noted_s else 0 end) over (partition by endpoint, account, resource) as last_read_s,
        row_number() over (partition by endpoint, account, resource order by noted_s desc, cause) as number
    from notes
)

select
    endpoint,
    account,
    resource,
    count(distinct noted_s) as request_count,
    min(noted_s) as first_noted_s,
    max(noted_s) as last_noted_s,
    max(case when number = 1 then cause end) as last_cause
from followed
where outcome = 'failed' and noted_s > last_read_s
group by endpoint, account, resource
having count(distinct noted_s) > 1 and min(noted_s) < $stop_s
order by endpoint, account, resource
