-- name   unit_days
-- grain  one row a unit and UTC day whose burst is clear at a glance
-- reads  fed_units, units, level_days, entitled_steps, rate_steps
-- params start_s, stop_s, is_at_a_glance
-- why    Most days lie wholly above or wholly below what is entitled, at one rate: their kept sums give burst exactly, without
--        a look at their steps. A day with missing time bursts at a glance only if it does not burst at all.
with

rates as (
    select
        currency,
        location,
        rate_key,
        starts_at_s,
        lead(starts_at_s, 1, $stop_s) over (partition by currency, location order by ordinal) as ends_at_s
    from rate_steps
),

days as (
    select
        u.unit_key,
        u.account,
        u.location,
        d.feed_key,
        d.day_s,
        d.starts_at_s,
        d.ends_at_s,
        r.rate_key,
        d.occupied_byte_seconds,
        e.entitled_bytes,
        d.peak_occupied_bytes,
        d.measured_seconds,
        d.held_seconds,
        d.missing_seconds,
        d.measured_seconds + d.held_seconds as observed_seconds,
        coalesce(d.least_occupied_bytes > e.entitled_bytes, false) as is_burst
    from fed_units as f
    inner join units as u
        on f.account = u.account
        and f.location = u.location
    inner join level_days as d
        on f.feed_key = d.feed_key
    inner join entitled_steps as e
        on u.unit_key = e.unit_key
        and e.starts_at_s <= d.starts_at_s
        and e.ends_at_s >= d.ends_at_s
    inner join rates as r
        on u.currency = r.currency
        and u.location = r.location
        and r.starts_at_s <= d.starts_at_s
        and r.ends_at_s >= d.ends_at_s
    where
        $is_at_a_glance
        and f.is_kept
        and d.starts_at_s >= $start_s
        and d.ends_at_s <= $stop_s
)

select
    unit_key,
    account,
    location,
    feed_key,
    day_s,
    starts_at_s,
    ends_at_s,
    rate_key,
    occupied_byte_seconds,
    entitled_bytes * observed_seconds as entitled_byte_seconds,
    case when is_burst then occupied_byte_seconds - entitled_bytes * observed_seconds else 0 end as burst_byte_seconds,
    case when is_burst then 0 else entitled_bytes * observed_seconds - occupied_byte_seconds end as unused_byte_seconds,
    coalesce(peak_occupied_bytes, 0) as peak_occupied_bytes,
    case when is_burst then peak_occupied_bytes - entitled_bytes else 0 end as peak_burst_bytes,
    case when is_burst then observed_seconds else 0 end as burst_seconds,
    measured_seconds,
    held_seconds,
    missing_seconds
from days
where
    coalesce(peak_occupied_bytes <= entitled_bytes, true)
    or (is_burst and missing_seconds = 0)
