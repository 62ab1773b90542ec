-- name   price_changes
-- grain  one row a price that takes effect in the period, after another of its location, currency and level
-- reads  known_prices
-- params start_s, stop_s
-- why    A price that is many times the one before is mostly a slip of the unit or the point; how many times is exact arithmetic
--        on money, and so not done here.
with

followed as (
    select
        location,
        currency,
        level,
        effective_from_s,
        price,
        unit,
        multiplier,
        lag(price) over (partition by location, currency, level order by effective_from_s) as price_before,
        lag(unit) over (partition by location, currency, level order by effective_from_s) as unit_before,
        lag(multiplier) over (partition by location, currency, level order by effective_from_s) as multiplier_before
    from known_prices
)

select
    location,
    currency,
    level,
    effective_from_s,
    price,
    unit,
    multiplier,
    price_before,
    unit_before,
    multiplier_before
from followed
where
    price_before is not null
    and effective_from_s >= $start_s
    and effective_from_s < $stop_s
order by location, currency, level, effective_from_s
