-- name   known_discounts
-- grain  one row a location, period and effective_from
-- reads  discounts
-- params known_seq
-- why    The version in force of every discount that the provider told; an empty one says that a length left its list.
select
    location,
    period,
    effective_from_s,
    discount
from (
    select
        *,
        row_number() over (partition by location, period, effective_from_s order by ingest_seq desc) as version
    from discounts
    where ingest_seq <= $known_seq
) as versions
where version = 1
