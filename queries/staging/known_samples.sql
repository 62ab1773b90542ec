-- name   known_samples
-- grain  one row a sample of a known poll
-- reads  known_polls, series, sample_runs
-- params none
-- why    The store's samples of the polls that came again; of its runs only what reaches into their range is unrolled.
with

ranges as (
    select
        collection_key,
        min(poll_key) as first_poll_key,
        max(poll_key) as last_poll_key
    from known_polls
    group by collection_key
),

unrolled as (
    select
        r.series_key,
        r.allocated_size,
        r.label_key,
        unnest(generate_series(greatest(r.first_poll_key, g.first_poll_key), least(r.last_poll_key, g.last_poll_key))) as poll_key
    from ranges as g
    inner join series as s
        on g.collection_key = s.collection_key
    inner join sample_runs as r
        on s.series_key = r.series_key
    where
        r.first_poll_key <= g.last_poll_key
        and r.last_poll_key >= g.first_poll_key
)

select
    k.poll_key,
    k.collection_key,
    k.poll_s,
    u.series_key,
    u.allocated_size,
    u.label_key
from unrolled as u
inner join known_polls as k
    on u.poll_key = k.poll_key
