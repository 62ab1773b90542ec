-- name   audited_changes
-- grain  one row an account, location and instant at which what its collections say of the location changes
-- reads  observed_polls, observed_stretches, observed_pieces, audited_series, audited_accounts, collections
-- params none
-- why    The level as its changes, which are few and can be added: each piece of a counted snapshot begins and ends, and so does
--        each stretch of every collection that feeds the location.
with

-- A location is fed by every collection that it is listed in, and by the one of its own endpoint.
feeding as (
    select
        collection_key,
        location
    from audited_series
    where is_counted
    union
    select
        collection_key,
        endpoint as location
    from collections
),

stretches as (
    select
        t.collection_key,
        f.starts_at_s,
        l.ends_at_s
    from observed_stretches as t
    inner join observed_polls as f
        on t.first_poll_key = f.poll_key
    inner join observed_polls as l
        on t.last_poll_key = l.poll_key
    where l.ends_at_s > f.starts_at_s
),

pieces as (
    select
        p.collection_key,
        s.location,
        p.starts_at_s,
        p.ends_at_s,
        cast(p.allocated_size as decimal(38, 0)) as allocated_size
    from observed_pieces as p
    inner join audited_series as s
        on p.series_key = s.series_key
    where
        s.is_counted
        and p.ends_at_s > p.starts_at_s
),

changed as (
    select collection_key, location, starts_at_s as instant_s, 0 as observed_count, allocated_size as occupied_bytes
    from pieces
    union all
    select collection_key, location, ends_at_s as instant_s, 0 as observed_count, -allocated_size as occupied_bytes
    from pieces
    union all
    select f.collection_key, f.location, t.starts_at_s as instant_s, 1 as observed_count, 0 as occupied_bytes
    from stretches as t
    inner join feeding as f
        on t.collection_key = f.collection_key
    union all
    select f.collection_key, f.location, t.ends_at_s as instant_s, -1 as observed_count, 0 as occupied_bytes
    from stretches as t
    inner join feeding as f
        on t.collection_key = f.collection_key
)

select
    a.account_key,
    c.location,
    c.instant_s,
    sum(c.observed_count) as observed_count,
    sum(c.occupied_bytes) as occupied_bytes
from changed as c
inner join audited_accounts as a
    on c.collection_key = a.collection_key
group by a.account_key, c.location, c.instant_s
