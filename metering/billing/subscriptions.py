"""What a subscription costs: `amount × nominal seconds × price / multiplier × (1 − discount)`, exactly.

Source: ACCOUNTING.md §5. `price` is the level-0 price; the discount follows from the length alone. What is rounded is
a part of it that falls in a period.
"""

import contextlib
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from metering.billing.money import AMOUNT_PLACES, Price, from_units, part_units
from metering.model.terms import Term

Discounts = tuple[tuple[Term, Fraction], ...]

# The provider's published ones; configuration may name others.
DISCOUNTS: Discounts = (
    (Term(3, "month"), Fraction(3, 100)),
    (Term(6, "month"), Fraction(10, 100)),
    (Term(1, "year"), Fraction(25, 100)),
    (Term(2, "year"), Fraction(35, 100)),
    (Term(3, "year"), Fraction(45, 100)),
)


@dataclass(frozen=True, slots=True)
class SubscriptionCost:
    """What a subscription costs before its discount, and the rate of the discount, all exact."""

    gross: Fraction
    discount_rate: Fraction

    @property
    def discount(self) -> Fraction:
        """What is taken off."""
        return self.gross * self.discount_rate

    @property
    def net(self) -> Fraction:
        """What is to be paid."""
        return self.gross - self.discount


def discount_rate(start_s: int, nominal_end_s: int, discounts: Discounts = DISCOUNTS) -> Fraction:
    """Give the discount of a length: that of the largest listed one that it does not fall short of.

    Lengths are compared in the calendar, from the subscription's own start, so that 90 days from 1 December are 3 months and 90
    days from 1 July are not. The end is the nominal one, before the move to noon.
    """
    reached: list[tuple[int, Fraction]] = []
    for term, rate in discounts:
        with contextlib.suppress(ValueError):  # it leaves the calendar: no subscription is that long
            reached.append((term.after(start_s), rate))
    return max(((end_s, rate) for end_s, rate in reached if end_s <= nominal_end_s), default=(0, Fraction(0)))[1]


def subscription_cost(
    amount_bytes: int, start_s: int, nominal_seconds: int, price: Price, discounts: Discounts = DISCOUNTS
) -> SubscriptionCost:
    """Price a subscription of `amount_bytes` for `nominal_seconds` from `start_s`, exactly."""
    gross = amount_bytes * nominal_seconds * price.per_byte_second
    return SubscriptionCost(gross, discount_rate(start_s, start_s + nominal_seconds, discounts))


def amortised(cost: Fraction, start_s: int, end_s: int, from_s: int, until_s: int) -> Decimal:
    """Give the part of a cost that falls in `[from_s, until_s)`, which lies within the `[start_s, end_s)` over which it is spread.

    It is rounded to 20 decimals so that the parts of adjoining periods add up to that of all of them, to the last digit.
    """
    first, last = (part_units(cost, at_s - start_s, end_s - start_s) for at_s in (from_s, until_s))
    return from_units(last - first, AMOUNT_PLACES)
