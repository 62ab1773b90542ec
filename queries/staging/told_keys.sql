-- name   told_keys
-- grain  one row a distinct endpoint, account, location, snapshot, drive, status and name of a possible sample
-- reads  folded_samples
-- params none
-- why    All text of a batch once, and the first identifier in it that holds a character that cannot be seen, or begins or ends
--        with white space. Two identifiers that look alike must be alike: control characters, marks of direction and of no width
--        are refused, and a space that another does not have. A name may hold whatever its owner typed; it identifies nothing, and
--        is neutralised where it is shown.
with

listed as (
    select distinct
        endpoint,
        account,
        location,
        snapshot,
        drive,
        status,
        name
    from folded_samples
    where
        problem is null
        and not is_shared
),

told as (
    select
        *,
        case
            when regexp_matches(account, '^\p{Zs}|\p{Zs}$|[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}]') then 'account'
            when regexp_matches(endpoint, '^\p{Zs}|\p{Zs}$|[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}]') then 'endpoint'
            when regexp_matches(location, '^\p{Zs}|\p{Zs}$|[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}]') then 'location'
            when regexp_matches(snapshot, '^\p{Zs}|\p{Zs}$|[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}]') then 'snapshot'
            when regexp_matches(drive, '^\p{Zs}|\p{Zs}$|[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}]') then 'drive'
        end as field
    from listed
),

valued as (
    select
        *,
        case field
            when 'account' then account
            when 'endpoint' then endpoint
            when 'location' then location
            when 'snapshot' then snapshot
            when 'drive' then drive
        end as problem_value
    from told
)

select
    endpoint,
    account,
    location,
    snapshot,
    drive,
    status,
    name,
    field || case
        when regexp_matches(problem_value, '[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}]') then '.unseen'
        else '.padded'
    end as problem,
    problem_value
from valued
