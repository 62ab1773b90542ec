-- name   sums_that_differ
-- grain  one row an account, location and UTC date whose usage is not what its samples make
-- reads  audited_changes, audited_accounts, known_subscriptions, usage_parts
-- params start_s, stop_s, first_midnight_s
-- why    The whole usage again, from the samples and apart from the billing path: a step function as its changes, burst taken at
--        every instant. Any difference, by as little as a byte-second, is a defect of this program or of its store.
with

entitling as (
    select
        a.account_key,
        s.location,
        greatest(s.start_s, $start_s) as starts_at_s,
        least(s.end_s, $stop_s) as ends_at_s,
        s.amount
    from known_subscriptions as s
    inner join (select distinct account, account_key from audited_accounts) as a
        on s.account = a.account
    where
        s.start_s < $stop_s
        and s.end_s > $start_s
),

changes as (
    select account_key, location, instant_s, observed_count, occupied_bytes, cast(0 as decimal(38, 0)) as entitled_bytes
    from audited_changes
    union all
    select account_key, location, starts_at_s as instant_s, 0 as observed_count, 0 as occupied_bytes, amount as entitled_bytes
    from entitling
    union all
    select account_key, location, ends_at_s as instant_s, 0 as observed_count, 0 as occupied_bytes, -amount as entitled_bytes
    from entitling
    union all
    select u.account_key, u.location, d.midnight_s as instant_s, 0 as observed_count, 0 as occupied_bytes, 0 as entitled_bytes
    from (select distinct account_key, location from audited_changes) as u
    cross join (select unnest(generate_series($first_midnight_s, $stop_s - 1, 86400)) as midnight_s) as d
),

instants as (
    select
        account_key,
        location,
        instant_s,
        sum(observed_count) as observed_count,
        sum(occupied_bytes) as occupied_bytes,
        sum(entitled_bytes) as entitled_bytes
    from changes
    group by account_key, location, instant_s
),

levels as (
    select
        account_key,
        location,
        instant_s,
        lead(instant_s, 1, $stop_s) over (partition by account_key, location order by instant_s) - instant_s as step_seconds,
        sum(observed_count) over (partition by account_key, location order by instant_s rows unbounded preceding) as observed_count,
        sum(occupied_bytes) over (partition by account_key, location order by instant_s rows unbounded preceding) as occupied_bytes,
        sum(entitled_bytes) over (partition by account_key, location order by instant_s rows unbounded preceding) as entitled_bytes
    from instants
),

summed as (
    select
        account_key,
        location,
        instant_s - instant_s % 86400 as date_s,
        sum(step_seconds) as observed_seconds,
        sum(occupied_bytes * step_seconds) as occupied_byte_seconds,
        sum(entitled_bytes * step_seconds) as entitled_byte_seconds,
        sum(greatest(occupied_bytes - entitled_bytes, 0) * step_seconds) as burst_byte_seconds
    from levels
    where
        observed_count > 0
        and step_seconds > 0
    group by account_key, location, instant_s - instant_s % 86400
),

recomputed as (
    select
        a.account,
        m.location,
        m.date_s,
        m.observed_seconds,
        m.occupied_byte_seconds,
        m.entitled_byte_seconds,
        m.burst_byte_seconds
    from summed as m
    inner join (select distinct account, account_key from audited_accounts) as a
        on m.account_key = a.account_key
),

billed as (
    select
        account,
        location,
        starts_at_s - starts_at_s % 86400 as date_s,
        sum(measured_seconds + held_seconds + partial_seconds) as observed_seconds,
        sum(occupied_byte_seconds) as occupied_byte_seconds,
        sum(entitled_byte_seconds) as entitled_byte_seconds,
        sum(burst_byte_seconds) as burst_byte_seconds
    from usage_parts
    group by account, location, starts_at_s - starts_at_s % 86400
)

select
    coalesce(b.account, r.account) as account,
    coalesce(b.location, r.location) as location,
    coalesce(b.date_s, r.date_s) as date_s,
    coalesce(b.observed_seconds, 0) as billed_seconds,
    coalesce(r.observed_seconds, 0) as recomputed_seconds,
    coalesce(b.occupied_byte_seconds, 0) as billed_occupied_byte_seconds,
    coalesce(r.occupied_byte_seconds, 0) as recomputed_occupied_byte_seconds,
    coalesce(b.burst_byte_seconds, 0) as billed_burst_byte_seconds,
    coalesce(r.burst_byte_seconds, 0) as recomputed_burst_byte_seconds
from billed as b
full outer join recomputed as r
    on b.account = r.account
    and b.location = r.location
    and b.date_s = r.date_s
where
    coalesce(b.observed_seconds, 0) <> coalesce(r.observed_seconds, 0)
    or coalesce(b.occupied_byte_seconds, 0) <> coalesce(r.occupied_byte_seconds, 0)
    or coalesce(b.entitled_byte_seconds, 0) <> coalesce(r.entitled_byte_seconds, 0)
    or coalesce(b.burst_byte_seconds, 0) <> coalesce(r.burst_byte_seconds, 0)
order by account, location, date_s
