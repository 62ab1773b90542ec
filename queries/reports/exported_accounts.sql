-- name   exported_accounts
-- grain  one row an account
-- reads  known_accounts
-- params account
-- why    The accounts that are exported: one, or all.
select
    account,
    currency,
    name
from known_accounts
where
    $account is null
    or account = $account
