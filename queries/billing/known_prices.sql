-- name   known_prices
-- grain  one row a location, currency, level and effective_from
-- reads  prices
-- params known_seq
-- why    The version in force of every price row of backup.
select
    location,
    currency,
    level,
    effective_from_s,
    price,
    unit,
    multiplier
from (
    select
        *,
        row_number() over (
            partition by location, resource, currency, level, effective_from_s
            order by ingest_seq desc
        ) as version
    from prices
    where ingest_seq <= $known_seq
) as versions
where version = 1
