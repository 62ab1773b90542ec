-- name   told_keys
-- grain  one row a distinct endpoint, account, location, snapshot, drive, status and name of a possible sample
-- reads  folded_samples
-- params none
-- why    All text of a batch once, and the first identifier in it that holds a character that cannot be seen. Two identifiers that
--        look alike must be alike: control characters, marks of direction and of no width are refused. Those that Unicode has since
--        its version 14 are written out, for not every Java knows them. A name may hold whatever its owner typed; it identifies
--        nothing, and is neutralised where it is shown.
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
            when regexp_matches(account, '[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\x{890}\x{891}\x{13430}-\x{1343F}]') then 'account'
            when regexp_matches(endpoint, '[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\x{890}\x{891}\x{13430}-\x{1343F}]') then 'endpoint'
            when regexp_matches(location, '[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\x{890}\x{891}\x{13430}-\x{1343F}]') then 'location'
            when regexp_matches(snapshot, '[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\x{890}\x{891}\x{13430}-\x{1343F}]') then 'snapshot'
            when regexp_matches(drive, '[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\x{890}\x{891}\x{13430}-\x{1343F}]') then 'drive'
        end as field
    from listed
)

select
    endpoint,
    account,
    location,
    snapshot,
    drive,
    status,
    name,
    field || '.unseen' as problem,
    case field
        when 'account' then account
        when 'endpoint' then endpoint
        when 'location' then location
        when 'snapshot' then snapshot
        when 'drive' then drive
    end as problem_value
from told
