-- name   far_listing_accounts
-- grain  one row an account that has a collection in which another location than its endpoint's was ever listed
-- reads  series, collections
-- params none
-- why    Only of these can it change what feeds what: where each collection lists the location of its endpoint alone, it feeds
--        that from its first poll on, and no snapshot is in two of them, whatever comes to be known.
select distinct c.account
from series as s
inner join collections as c
    on s.collection_key = c.collection_key
where s.location <> c.endpoint
