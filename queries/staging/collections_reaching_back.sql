-- name   collections_reaching_back
-- grain  one row a collection whose polls of the batch are not all later than those that are known
-- reads  staged_runs, collection_tails
-- params none
-- why    Only of these can a poll be one that the store has.
select r.collection_key
from staged_runs as r
inner join collection_tails as t
    on r.collection_key = t.collection_key
group by r.collection_key
having min(r.first_poll_s) <= max(t.last_poll_s)
