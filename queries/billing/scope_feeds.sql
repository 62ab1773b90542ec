-- name   scope_feeds
-- grain  one row a feed whose levels are to be computed
-- reads  fed_units, level_scope
-- params none
-- why    The feeds of the collections in scope.
select
    f.feed_key,
    f.collection_key,
    f.location
from fed_units as f
inner join level_scope as w
    on f.collection_key = w.collection_key
