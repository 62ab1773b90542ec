-- name   known_burst_levels
-- grain  one row a location and effective_from
-- reads  burst_levels
-- params known_seq
-- why    The version in force of every burst level of backup.
select
    location,
    effective_from_s,
    level
from (
    select
        *,
        row_number() over (partition by location, resource, effective_from_s order by ingest_seq desc) as version
    from burst_levels
    where ingest_seq <= $known_seq
) as versions
where version = 1
