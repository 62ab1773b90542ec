-- name   facts_left_out
-- grain  one row
-- reads  closings, discounts
-- params known_seq
-- why    What a facts directory has no file for: periods that are closed, and the discounts that the collector read.
with

closed as (
    select count(*) as closing_count
    from closings
    where known_seq <= $known_seq
),

read as (
    select count(*) as discount_count
    from discounts
    where ingest_seq <= $known_seq
)

select
    c.closing_count,
    r.discount_count
from closed as c
cross join read as r
