-- name   level_scope
-- grain  one row a collection whose levels are to be computed, and the interval [from_s, until_s) for which
-- reads  asked_collections, collections_in_doubt, collection_tails
-- params start_s, stop_s
-- why    The whole period where kept days do not serve, else only what comes behind them.
select
    d.collection_key,
    $start_s as from_s,
    $stop_s as until_s
from collections_in_doubt as d
inner join asked_collections as a
    on d.collection_key = a.collection_key
union all
select
    t.collection_key,
    greatest(t.kept_until_s, $start_s) as from_s,
    $stop_s as until_s
from collection_tails as t
inner join asked_collections as a
    on t.collection_key = a.collection_key
left join collections_in_doubt as d
    on t.collection_key = d.collection_key
where
    d.collection_key is null
    and t.kept_until_s < $stop_s
