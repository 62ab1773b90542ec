-- name   audited_accounts
-- grain  one row a collection
-- reads  collections
-- params none
-- why    A number for each account, the least of its collections', so that what is added up by account moves no text.
select
    c.collection_key,
    c.account,
    a.account_key
from collections as c
inner join (
    select
        account,
        min(collection_key) as account_key
    from collections
    group by account
) as a
    on c.account = a.account
