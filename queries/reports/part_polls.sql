-- name   part_polls
-- grain  one row an exported poll of [start_s, stop_s)
-- reads  exported_polls, polls
-- params start_s, stop_s
-- why    The exported polls of a part of the time, months of which days are then exported: a day looks for its polls among those
--        of its month, not among all that there are.
select
    p.poll_key,
    p.collection_key,
    p.poll_s
from exported_polls as e
inner join polls as p
    on e.poll_key = p.poll_key
where
    p.poll_s >= $start_s
    and p.poll_s < $stop_s
