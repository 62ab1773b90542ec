-- name   known_accounts
-- grain  one row an account
-- reads  accounts
-- params known_seq
-- why    The version in force of every account.
select
    account,
    currency,
    name
from (
    select
        *,
        row_number() over (partition by account order by ingest_seq desc) as version
    from accounts
    where ingest_seq <= $known_seq
) as versions
where version = 1
