-- name   asked_collections
-- grain  one row a collection of which something is asked
-- reads  collections, asked_accounts
-- params is_of_all
-- why    What is asked of some accounts is computed of them alone: no account's facts change another's bill. Nothing that follows
--        looks at a collection that is not here.
select
    c.collection_key,
    c.endpoint,
    c.account
from collections as c
left join asked_accounts as a
    on c.account = a.account
where
    $is_of_all
    or a.account is not null
