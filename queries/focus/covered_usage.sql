-- name   covered_usage
-- grain  one row a subscription, UTC date and rate of burst in which some of what it entitles to is occupied
-- reads  usage_steps, known_subscriptions
-- params none
-- why    What is occupied is covered by the subscriptions in the order in which they start; what is left over is burst. So what
--        all of them cover together is occupied - burst, at every instant. Between two changes of a unit's subscriptions they are
--        one stack: of each of its dates and rates, what is occupied below a height is added up once, and a subscription covers
--        what is below its upper end less what is below its lower one. No step is held against every subscription. One that is
--        never less than full covers all that it entitles to, which needs no order: where there are thousands, nearly all are.
with

spans as (
    select
        unit_key,
        account,
        location,
        min(starts_at_s) as first_s,
        max(ends_at_s) as last_s
    from usage_steps
    group by unit_key, account, location
),

entitling as (
    select
        p.unit_key,
        s.id,
        s.start_s,
        s.end_s,
        s.amount
    from known_subscriptions as s
    inner join spans as p
        on s.account = p.account
        and s.location = p.location
    where
        s.start_s < p.last_s
        and s.end_s > p.first_s
        and s.amount > 0
),

changes as (
    select
        unit_key,
        start_s as stack_s
    from entitling
    union
    select
        unit_key,
        end_s as stack_s
    from entitling
),

steps_and_changes as (
    select
        unit_key,
        stack_s as starts_at_s,
        0 as is_step,
        stack_s,
        0 as step_seconds,
        0 as occupied_bytes,
        0 as rate_key
    from changes
    union all
    select
        u.unit_key,
        u.starts_at_s,
        1 as is_step,
        null as stack_s,
        u.step_seconds,
        u.occupied_bytes,
        u.rate_key
    from usage_steps as u
    inner join (select distinct unit_key from changes) as c
        on u.unit_key = c.unit_key
    where
        u.state <> 'missing'
        and u.occupied_bytes > 0
),

placed as (
    select
        unit_key,
        starts_at_s - starts_at_s % 86400 as date_s,
        is_step,
        max(stack_s) over (
            partition by unit_key order by starts_at_s, is_step rows unbounded preceding
        ) as stack_s,
        step_seconds,
        occupied_bytes,
        rate_key
    from steps_and_changes
),

occupied as (
    select
        unit_key,
        stack_s,
        date_s,
        rate_key,
        occupied_bytes,
        sum(step_seconds) as seconds
    from placed
    where
        is_step = 1
        and stack_s is not null
    group by unit_key, stack_s, date_s, rate_key, occupied_bytes
),

peaks as (
    select
        unit_key,
        stack_s,
        date_s,
        rate_key,
        min(occupied_bytes) as least_bytes,
        max(occupied_bytes) as peak_bytes,
        sum(seconds) as all_seconds
    from occupied
    group by unit_key, stack_s, date_s, rate_key
),

stacked as (
    select
        k.unit_key,
        k.stack_s,
        s.id,
        s.amount,
        sum(s.amount) over (
            partition by k.unit_key, k.stack_s order by s.start_s, s.id rows unbounded preceding
        ) as upper_bytes
    from (select distinct unit_key, stack_s from peaks) as k
    inner join entitling as s
        on k.unit_key = s.unit_key
        and k.stack_s >= s.start_s
        and k.stack_s < s.end_s
),

covering as (
    select
        p.unit_key,
        p.stack_s,
        p.date_s,
        p.rate_key,
        p.least_bytes,
        p.all_seconds,
        s.id,
        s.amount,
        s.upper_bytes
    from peaks as p
    inner join stacked as s
        on p.unit_key = s.unit_key
        and p.stack_s = s.stack_s
    where s.upper_bytes - s.amount < p.peak_bytes
),

heights as (
    select
        unit_key,
        stack_s,
        date_s,
        rate_key,
        id,
        amount,
        upper_bytes as bytes,
        0 as seconds
    from covering
    where upper_bytes > least_bytes
    union all
    select
        unit_key,
        stack_s,
        date_s,
        rate_key,
        null as id,
        0 as amount,
        occupied_bytes as bytes,
        seconds
    from occupied
),

sums as (
    select
        unit_key,
        stack_s,
        date_s,
        rate_key,
        id,
        amount,
        bytes,
        sum(cast(bytes as decimal(38, 0)) * seconds) over (
            partition by unit_key, stack_s, date_s, rate_key order by bytes rows unbounded preceding
        ) as lower_byte_seconds,
        sum(seconds) over (
            partition by unit_key, stack_s, date_s, rate_key order by bytes rows unbounded preceding
        ) as lower_seconds,
        sum(seconds) over (partition by unit_key, stack_s, date_s, rate_key) as all_seconds
    from heights
),

below as (
    select
        unit_key,
        stack_s,
        date_s,
        rate_key,
        id,
        bytes,
        -- what is below the lowest one's lower end, which is never above what is occupied
        cast(bytes - amount as decimal(38, 0)) * all_seconds as full_byte_seconds,
        lower_byte_seconds + cast(bytes as decimal(38, 0)) * (all_seconds - lower_seconds) as byte_seconds
    from sums
    where id is not null
),

covered as (
    select
        unit_key,
        id,
        date_s,
        rate_key,
        byte_seconds - coalesce(
            lag(byte_seconds) over (partition by unit_key, stack_s, date_s, rate_key order by bytes),
            full_byte_seconds
        ) as covered_byte_seconds
    from below
    union all
    select
        unit_key,
        id,
        date_s,
        rate_key,
        cast(amount as decimal(38, 0)) * all_seconds as covered_byte_seconds
    from covering
    where upper_bytes <= least_bytes
)

select
    u.account,
    u.location,
    c.id,
    c.date_s,
    c.rate_key,
    sum(c.covered_byte_seconds) as covered_byte_seconds
from covered as c
inner join spans as u
    on c.unit_key = u.unit_key
group by u.account, u.location, c.id, c.date_s, c.rate_key
order by u.account, u.location, c.id, c.date_s, c.rate_key
