-- name   audited_spans
-- grain  one row an account, location, and time [starts_at_s, ends_at_s) of the period in which a poll of a feeding collection holds
-- reads  audited_polls, audited_series, samples
-- params start_s, stop_s, cycle_s, max_hold_s
-- why    What each poll says of a location, added up from its samples, for as long as it is measured or held.
with

holding as (
    select
        poll_key,
        collection_key,
        account,
        greatest(poll_s, $start_s) as starts_at_s,
        least(
            case when 2 * (next_s - poll_s) <= 3 * $cycle_s then next_s else least(next_s, poll_s + $max_hold_s) end,
            $stop_s
        ) as ends_at_s
    from audited_polls
    where
        next_s > $start_s
        and poll_s < $stop_s
),

feeding as (
    select distinct
        collection_key,
        location
    from audited_series
    where is_counted
    union
    select distinct
        collection_key,
        endpoint as location
    from audited_polls
),

listed as (
    select
        x.poll_key,
        s.location,
        sum(cast(x.allocated_size as decimal(38, 0))) as occupied_bytes
    from samples as x
    inner join holding as h
        on x.poll_key = h.poll_key
    inner join audited_series as s
        on x.series_key = s.series_key
    where s.is_counted
    group by x.poll_key, s.location
)

select
    h.account,
    f.location,
    h.starts_at_s,
    h.ends_at_s,
    coalesce(l.occupied_bytes, 0) as occupied_bytes
from holding as h
inner join feeding as f
    on h.collection_key = f.collection_key
left join listed as l
    on h.poll_key = l.poll_key
    and f.location = l.location
where h.ends_at_s > h.starts_at_s
