-- name   units
-- grain  one row an account and location that is fed
-- reads  fed_units, known_accounts
-- params none
-- why    What is metered, numbered, with the currency it is charged in; empty where the account is not known.
select
    row_number() over (order by f.account, f.location) as unit_key,
    f.account,
    f.location,
    coalesce(a.currency, '') as currency
from (select distinct account, location from fed_units) as f
left join known_accounts as a
    on f.account = a.account
