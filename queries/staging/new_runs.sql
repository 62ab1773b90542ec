-- name   new_runs
-- grain  one row a run of the batch, joined with the open run that it goes on from
-- reads  block_runs, loose_runs, open_runs, series, accepted_blocks
-- params none
-- why    Runs that follow each other without a gap and are alike become one, across blocks and across ingests: it lasts until
--        the part before the next run's first ends. A running number, to group by, takes twice as long.
with

parts as (
    select
        series_key,
        first_poll_key,
        first_poll_key + poll_count - 1 as last_poll_key,
        allocated_size,
        label_key
    from block_runs
    where is_range
    union all
    select
        series_key,
        first_poll_key,
        last_poll_key,
        allocated_size,
        label_key
    from loose_runs
    union all
    select
        o.series_key,
        o.first_poll_key,
        o.last_poll_key,
        o.allocated_size,
        o.label_key
    from open_runs as o
    inner join series as s
        on o.series_key = s.series_key
    inner join (select distinct collection_key from accepted_blocks) as a
        on s.collection_key = a.collection_key
),

follows as (
    select
        *,
        lag(last_poll_key) over (partition by series_key order by first_poll_key) as before_key,
        lag(allocated_size) over (partition by series_key order by first_poll_key) as before_size,
        lag(label_key) over (partition by series_key order by first_poll_key) as before_label_key,
        max(last_poll_key) over (partition by series_key) as end_key
    from parts
),

firsts as (
    select *
    from follows
    where
        before_key is null
        or before_key <> first_poll_key - 1
        or before_size <> allocated_size
        or before_label_key <> label_key
)

select
    series_key,
    first_poll_key,
    coalesce(lead(before_key) over (partition by series_key order by first_poll_key), end_key) as last_poll_key,
    allocated_size,
    label_key
from firsts
order by series_key, first_poll_key
