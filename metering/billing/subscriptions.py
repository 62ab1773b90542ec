"""What a subscription costs: `amount × nominal seconds × price / multiplier × (1 − discount)`, exactly.

Source: ACCOUNTING.md §5. `price` is the level-0 price; the discount follows from the length alone.
"""

from dataclasses import dataclass
from fractions import Fraction

from metering.billing.money import Price
from metering.model.terms import Term

# The largest length not exceeded counts (configuration; these are the provider's published ones).
DISCOUNTS: tuple[tuple[int, Fraction], ...] = (
    (3, Fraction(3, 100)),
    (6, Fraction(10, 100)),
    (12, Fraction(25, 100)),
    (24, Fraction(35, 100)),
    (36, Fraction(45, 100)),
)


@dataclass(frozen=True, slots=True)
class SubscriptionCost:
    """A subscription's exact cost, and the discount already taken off it."""

    cost: Fraction
    discount: Fraction


def discount_rate(term: Term) -> Fraction:
    """Give the discount of a length: that of the largest listed number of months it does not fall short of."""
    months = {"month": term.count, "year": 12 * term.count}.get(term.unit, 0)
    return max((rate for length, rate in DISCOUNTS if length <= months), default=Fraction(0))


def subscription_cost(amount_bytes: int, nominal_seconds: int, price: Price, discount: Fraction = Fraction(0)) -> SubscriptionCost:
    """Price a subscription of `amount_bytes` for `nominal_seconds`, exactly; nothing is rounded."""
    full = amount_bytes * nominal_seconds * price.per_byte_second
    return SubscriptionCost(cost=full * (1 - discount), discount=full * discount)
