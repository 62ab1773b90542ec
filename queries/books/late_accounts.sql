-- name   late_accounts
-- grain  one row an account
-- reads  accounts
-- params since_seq, known_seq
-- why    The accounts that became known after a closing, or whose currency was corrected.
with

came as (
    select
        account,
        max(ingest_seq) as ingest_seq
    from accounts
    where
        ingest_seq > $since_seq
        and ingest_seq <= $known_seq
    group by account
),

known as (
    select
        account,
        max(ingest_seq) as ingest_seq
    from accounts
    where ingest_seq <= $since_seq
    group by account
)

select
    n.account,
    b.currency as currency_before,
    a.currency,
    n.ingest_seq
from came as n
inner join accounts as a
    on n.account = a.account
    and n.ingest_seq = a.ingest_seq
left join known as k
    on n.account = k.account
left join accounts as b
    on k.account = b.account
    and k.ingest_seq = b.ingest_seq
where
    b.currency is null
    or b.currency <> a.currency
order by n.account
