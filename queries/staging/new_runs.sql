-- name   new_runs
-- grain  one row a run of the batch, joined with the open run that it goes on from
-- reads  block_runs, loose_runs, open_runs, series, accepted_blocks
-- params none
-- why    Runs that follow each other without a gap and are alike become one, across blocks and across ingests.
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

marked as (
    select
        *,
        case
            when
                lag(last_poll_key) over (partition by series_key order by first_poll_key) = first_poll_key - 1
                and lag(allocated_size) over (partition by series_key order by first_poll_key) = allocated_size
                and lag(label_key) over (partition by series_key order by first_poll_key) = label_key
                then 0
            else 1
        end as is_first
    from parts
),

numbered as (
    select
        *,
        sum(is_first) over (partition by series_key order by first_poll_key rows unbounded preceding) as run_number
    from marked
)

select
    series_key,
    min(first_poll_key) as first_poll_key,
    max(last_poll_key) as last_poll_key,
    min(allocated_size) as allocated_size,
    min(label_key) as label_key
from numbered
group by series_key, run_number
order by series_key, first_poll_key
