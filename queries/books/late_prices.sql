-- name   late_prices
-- grain  one row a price or burst level of backup
-- reads  prices, burst_levels
-- params since_seq, known_seq, end_s
-- why    The prices and burst levels that came or were corrected after a closing and may be in force within its period. A burst
--        level has no currency of its own.
select
    'price' as kind,
    location,
    currency,
    level,
    effective_from_s,
    ingest_seq
from prices
where
    ingest_seq > $since_seq
    and ingest_seq <= $known_seq
    and effective_from_s < $end_s
union all
select
    'burst_level' as kind,
    location,
    '' as currency,
    level,
    effective_from_s,
    ingest_seq
from burst_levels
where
    ingest_seq > $since_seq
    and ingest_seq <= $known_seq
    and effective_from_s < $end_s
order by kind, location, currency, level, effective_from_s, ingest_seq
