-- name   accounts_with_facts
-- grain  one row, or none where nothing is known of the account
-- reads  collections, polls, subscriptions, accounts
-- params known_seq, account
-- why    Nothing is exported of an account that has no poll, no subscription and no currency.
select distinct account
from (
    select c.account
    from collections as c
    inner join polls as p
        on c.collection_key = p.collection_key
    where
        p.ingest_seq <= $known_seq
        and c.account = $account
    union all
    select account
    from subscriptions
    where
        ingest_seq <= $known_seq
        and account = $account
    union all
    select account
    from accounts
    where
        ingest_seq <= $known_seq
        and account = $account
) as known
