-- name   recovered_lists
-- grain  one row a note of this ingest that a list was read, where the note before says that it could not be
-- reads  notes_told, poll_notes
-- params none
-- why    Prices are one list for all accounts of an endpoint: any login that could read it ends the time without.
with

notes as (
    select
        number,
        endpoint,
        resource,
        noted_s,
        outcome,
        case when resource = 'pricing' then '' else account end as account
    from notes_told
    union all
    select
        null as number,
        endpoint,
        resource,
        noted_s,
        outcome,
        case when resource = 'pricing' then '' else account end as account
    from poll_notes
    where resource in ('subscriptions', 'pricing') and outcome in ('failed', 'read')
),

followed as (
    select
        number,
        outcome,
        lag(outcome) over (
            partition by endpoint, account, resource
            order by noted_s, outcome, number nulls first
        ) as outcome_before
    from notes
)

select number
from followed
where number is not null and outcome = 'read' and outcome_before = 'failed'
