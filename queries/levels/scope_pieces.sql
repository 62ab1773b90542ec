-- name   scope_pieces
-- grain  one row a run of samples within a segment
-- reads  scope_segments, series, sample_runs, ignored_series, scope_feeds, scope_stretches
-- params cycle_s
-- why    What a snapshot occupies from the first poll of a piece until the poll after its last. Ignored series count elsewhere. When
--        a poll was is told by its place in its block, or by the poll itself where that is a stretch of its own.
with

pieces as (
    select
        f.feed_key,
        r.allocated_size,
        greatest(r.first_poll_key, g.first_poll_key) as first_poll_key,
        least(r.last_poll_key, g.last_poll_key) as last_poll_key
    from scope_segments as g
    inner join series as s
        on g.collection_key = s.collection_key
    inner join sample_runs as r
        on s.series_key = r.series_key
    inner join scope_feeds as f
        on s.collection_key = f.collection_key
        and s.location = f.location
    left join ignored_series as i
        on s.series_key = i.series_key
    where
        r.first_poll_key <= g.last_poll_key
        and r.last_poll_key >= g.first_poll_key
        and i.series_key is null
),

single_polls as (
    select
        first_poll_key as poll_key,
        first_s as poll_s,
        next_s
    from scope_stretches
    where block is null
)

select
    p.feed_key,
    p.allocated_size,
    coalesce(a.poll_s, b.first_s + (p.first_poll_key - b.first_poll_key) * $cycle_s) as starts_at_s,
    case
        when z.poll_key is not null then z.next_s
        when p.last_poll_key < e.last_poll_key then e.first_s + (p.last_poll_key + 1 - e.first_poll_key) * $cycle_s
        else e.next_s
    end as ends_at_s
from pieces as p
left join scope_stretches as b
    on p.first_poll_key // 64 = b.block
left join single_polls as a
    on p.first_poll_key = a.poll_key
left join scope_stretches as e
    on p.last_poll_key // 64 = e.block
left join single_polls as z
    on p.last_poll_key = z.poll_key
