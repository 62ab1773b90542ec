-- name   checked_samples
-- grain  one row a raw row of the sample files of one command, or a fold of such rows
-- reads  raw_samples
-- params none
-- why    Says of every row whether it can be a sample, and if not, the first thing that is wrong with it as `field.reason`.
--        An instant is floored to its whole second; in UTC it is of the years 1 to 9999, for no other can be written. A row without
--        snapshot is a heartbeat and names no location. A shared object is not billed from this poll, so nothing but its owner is
--        asked of it. A fold is checked as the first of its rows.
with

filled as (
    select
        file_number,
        row_number,
        listing,
        poll_s,
        answered_s,
        coalesce(poll_time, '') as poll_time,
        coalesce(account, '') as account,
        coalesce(location, '') as location,
        case when coalesce(endpoint, '') = '' then coalesce(location, '') else endpoint end as endpoint,
        coalesce(snapshot, '') as snapshot,
        coalesce(allocated_size, '') as allocated_size,
        size_bytes,
        coalesce(drive, '') as drive,
        coalesce(status, '') as status,
        coalesce(name, '') as name,
        owner,
        drive_size,
        problem,
        problem_value,
        row_count,
        slots,
        last_poll_s,
        least_phase_s,
        greatest_phase_s
    from raw_samples
),

shaped as (
    select
        *,
        poll_s is null and regexp_matches(poll_time, '^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]{1,18})?)?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9]))?$') as is_instant,
        coalesce(owner <> account, false) and problem is null as is_shared
    from filled
),

-- the clock on the wall, and how far it is from UTC
read as (
    select
        *,
        case
            when not is_instant then null
            when length(poll_time) = 10 then try_cast(poll_time || ' 00:00:00' as timestamp)
            when substr(poll_time, 17, 1) = ':' then try_cast(substr(poll_time, 1, 10) || ' ' || substr(poll_time, 12, 8) as timestamp)
            else try_cast(substr(poll_time, 1, 10) || ' ' || substr(poll_time, 12, 5) || ':00' as timestamp)
        end as wall_clock,
        case
            when not is_instant or length(poll_time) = 10 or right(poll_time, 1) = 'Z' then 0
            else (
                cast(substr(poll_time, length(poll_time) - 4, 2) as bigint) * 3600
                + cast(substr(poll_time, length(poll_time) - 1, 2) as bigint) * 60
            ) * case when substr(poll_time, length(poll_time) - 5, 1) = '-' then -1 else 1 end
        end as offset_seconds
    from shaped
),

told as (
    select
        *,
        coalesce(poll_s, date_diff('second', timestamp '1970-01-01 00:00:00', wall_clock) - offset_seconds) as told_s
    from read
),

timed as (
    select
        *,
        case when told_s >= -62135596800 and told_s < 253402300800 then told_s end as polled_s
    from told
),

judged as (
    select
        *,
        case
            when polled_s is null and (is_instant or poll_s is not null) then 'poll_time.no_date'
            when polled_s is null and poll_time = '' then 'poll_time.missing'
            when polled_s is null and regexp_matches(poll_time || 'Z', '^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.]+Z$') then 'poll_time.no_offset'
            when polled_s is null then 'poll_time.no_instant'
            when account = '' then 'account.missing'
            when length(account) > 128 then 'account.long'
            when endpoint = '' then 'location.missing'
            when length(endpoint) > 128 then 'endpoint.long'
        end as poll_problem,
        case
            when is_shared then null
            when snapshot = '' and coalesce(size_bytes, 0) = 0 and allocated_size in ('', '0') then null
            when snapshot = '' and size_bytes is not null then 'snapshot.missing'
            when snapshot = '' and not regexp_matches(allocated_size, '^0+$') then 'snapshot.missing'
            when snapshot = '' then null
            when location = '' then 'location.missing'
            when length(location) > 128 then 'location.long'
            when length(snapshot) > 128 then 'snapshot.long'
            when length(drive) > 128 then 'drive.long'
            when size_bytes >= 0 then null
            when size_bytes < 0 then 'allocated_size.negative'
            when allocated_size = '' then 'allocated_size.missing'
            when regexp_matches(allocated_size, '^-[0-9]+$') then 'allocated_size.negative'
            when not regexp_matches(allocated_size, '^[0-9]+$') then 'allocated_size.no_integer'
            when length(allocated_size) > 100 or try_cast(allocated_size as bigint) is null then 'allocated_size.large'
        end as sample_problem
    from timed
)

select
    file_number,
    row_number,
    listing,
    polled_s as poll_s,
    answered_s,
    endpoint,
    account,
    case when snapshot = '' then '' else location end as location,
    snapshot,
    case
        when snapshot = '' then 0
        when coalesce(problem, poll_problem, sample_problem) is null and not is_shared
            then coalesce(size_bytes, try_cast(allocated_size as bigint))
    end as allocated_size,
    case when snapshot = '' then '' else drive end as drive,
    case when snapshot = '' then '' else status end as status,
    case when snapshot = '' then '' else name end as name,
    is_shared,
    coalesce(owner, account) as owner,
    drive_size,
    poll_problem is null as is_poll_known,
    coalesce(problem, poll_problem, sample_problem) as problem,
    case
        when problem_value is not null then substr(problem_value, 1, 200)
        else substr(case split_part(coalesce(problem, poll_problem, sample_problem), '.', 1)
            when 'poll_time' then coalesce(cast(poll_s as varchar) || ' s since 1970', poll_time)
            when 'endpoint' then endpoint
            when 'account' then account
            when 'location' then location
            when 'snapshot' then snapshot
            when 'allocated_size' then coalesce(cast(size_bytes as varchar), allocated_size)
            when 'drive' then drive
            else ''
        end, 1, 200)
    end as problem_value,
    row_count,
    slots,
    last_poll_s,
    least_phase_s,
    greatest_phase_s
from judged
