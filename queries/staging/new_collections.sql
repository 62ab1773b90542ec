-- name   new_collections
-- grain  one row an endpoint and account that the store does not know yet
-- reads  staged_keys, collections
-- params none
-- why    Numbers new collections on from the last; sorted, so that the order of the input changes nothing.
select
    (select coalesce(max(collection_key), 0) from collections)
    + row_number() over (order by k.endpoint, k.account) as collection_key,
    k.endpoint,
    k.account
from (select distinct endpoint, account from staged_keys) as k
left join collections as c
    on k.endpoint = c.endpoint
    and k.account = c.account
where c.collection_key is null
