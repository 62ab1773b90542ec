-- name   usage_by
-- grain  one row an account, location and UTC day, each only where it is asked for
-- reads  usage_parts
-- params by_account, by_location, by_day
-- why    Usage as bill.usage sums it, over any of account, location and day: parts lie within a day each. What is not asked for is
--        empty. Seconds add up over the accounts and locations in a row; the peak is that of one unit, see peaks_by.
with

parts as (
    select
        *,
        case when $by_account then account else '' end as shown_account,
        case when $by_location then location else '' end as shown_location,
        case when $by_day then starts_at_s - starts_at_s % 86400 else 0 end as bucket_starts_at_s
    from usage_parts
)

select
    shown_account as account,
    shown_location as location,
    bucket_starts_at_s,
    sum(occupied_byte_seconds) as occupied_byte_seconds,
    sum(entitled_byte_seconds) as entitled_byte_seconds,
    sum(burst_byte_seconds) as burst_byte_seconds,
    sum(unused_byte_seconds) as unused_byte_seconds,
    max(peak_occupied_bytes) as peak_occupied_bytes,
    sum(measured_seconds) as measured_seconds,
    sum(held_seconds) as held_seconds,
    sum(partial_seconds) as partial_seconds,
    sum(missing_seconds) as missing_seconds
from parts
group by shown_account, shown_location, bucket_starts_at_s
order by shown_account, shown_location, bucket_starts_at_s
