-- name   part_runs
-- grain  one row a run of samples that reaches into the polls of part_polls
-- reads  part_polls, series, sample_runs
-- params none
-- why    The runs of a part of the time: a day looks for its runs among those of its month, not among all that there are.
with

ranges as (
    select
        collection_key,
        min(poll_key) as first_poll_key,
        max(poll_key) as last_poll_key
    from part_polls
    group by collection_key
)

select
    s.collection_key,
    r.series_key,
    r.first_poll_key,
    r.last_poll_key,
    r.allocated_size,
    r.label_key
from ranges as g
inner join series as s
    on g.collection_key = s.collection_key
inner join sample_runs as r
    on s.series_key = r.series_key
where
    r.first_poll_key <= g.last_poll_key
    and r.last_poll_key >= g.first_poll_key
