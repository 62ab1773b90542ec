-- name   neighbouring_polls
-- grain  one row
-- reads  polls
-- params known_seq, start_s, stop_s
-- why    How far around a period its bill looks: back to the earliest poll that is carried in, on to the latest first poll
--        after its end.
select
    coalesce(min(carried_in_s), $start_s) as start_s,
    coalesce(max(comes_next_s) + 1, $stop_s) as stop_s
from (
    select
        max(case when poll_s <= $start_s then poll_s end) as carried_in_s,
        min(case when poll_s >= $stop_s then poll_s end) as comes_next_s
    from polls
    where ingest_seq <= $known_seq
    group by collection_key
) as collections
