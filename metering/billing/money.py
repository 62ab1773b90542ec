"""The one place where money is computed, and its one rounding function.

Amounts are `Decimal`s that are only ever built from integers: a charge is `byte_seconds × price / multiplier`, an exact ratio
of integers, rounded once. Nothing here depends on the process's decimal context, and no float exists. Source: ACCOUNTING.md §6, §7.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from fractions import Fraction
from functools import cache
from typing import Literal

from metering.model.currency import minor_places

AMOUNT_PLACES = 20
# One unit of the last decimal of an amount: less than that is lost where it is rounded.
LAST_PLACE = Fraction(1, 10**AMOUNT_PLACES)
# Rounds nothing and refuses nothing, whatever the process's own context is.
_EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)

Rounding = Literal["half-even", "half-up"]


@dataclass(frozen=True, slots=True)
class Price:
    """A price of one byte for `multiplier` seconds: `text / multiplier` per byte-second, `text` as it came in."""

    text: str
    unit: str
    multiplier: int

    @property
    def per_byte_second(self) -> Fraction:
        """The exact price of one byte for one second."""
        return ratio(self.text, self.multiplier)


@cache
def ratio(decimal: str, divisor: int = 1) -> Fraction:
    """Give a plain decimal, divided, as an exact ratio; a bill asks for the same few prices over and over."""
    return Fraction(decimal) / divisor


def round_ratio(value: Fraction, places: int, rounding: Rounding) -> Decimal:
    """Round an exact ratio to `places` decimals; this is the only rounding of money there is.

    `half-even` sends a tie to the even digit (amounts), `half-up` away from zero (amounts due).
    """
    return round_quotient(value.numerator, value.denominator, places, rounding)


def round_quotient(numerator: int, denominator: int, places: int, rounding: Rounding) -> Decimal:
    """Round `numerator / denominator`, which need not be in lowest terms, to `places` decimals; see `round_ratio`."""
    return from_units(rounded_units(numerator, denominator, places, rounding), places)


def rounded_units(numerator: int, denominator: int, places: int, rounding: Rounding) -> int:
    """Round as `round_quotient` does, and give a whole number of `10^-places`."""
    scale: int = 10**places
    units, rest = divmod(abs(numerator) * scale, denominator)
    twice = 2 * rest
    if twice > denominator or (twice == denominator and (rounding == "half-up" or units % 2)):
        units += 1
    return -units if numerator < 0 else units


def from_units(units: int, places: int) -> Decimal:
    """Give `units × 10^-places` as a Decimal with exactly `places` decimals, whatever its size."""
    return _EXACT.scaleb(Decimal(units), -places)


def in_units(amount: Decimal, places: int) -> int:
    """Give an amount as a whole number of `10^-places`.

    Raises:
        ValueError: the amount has more decimals than that.
    """
    scaled = _EXACT.scaleb(amount, places)
    units = int(scaled)
    if units != scaled:
        raise ValueError(f"{amount} has more than {places} decimals")
    return units


ZERO = from_units(0, AMOUNT_PLACES)


def amount_of(value: Fraction) -> Decimal:
    """Round an exact amount once, half-even, to 20 decimals, as every amount is."""
    return quotient_amount(value.numerator, value.denominator)


def quotient_amount(numerator: int, denominator: int) -> Decimal:
    """Round `numerator / denominator`, which need not be in lowest terms, as `amount_of` does."""
    return round_quotient(numerator, denominator, AMOUNT_PLACES, "half-even")


def amount_units(value: Fraction) -> int:
    """Round an exact amount as `amount_of` does, and give it as a whole number of its last decimal."""
    return rounded_units(value.numerator, value.denominator, AMOUNT_PLACES, "half-even")


def part_units(cost: Fraction, part: int, whole: int) -> int:
    """Give what the first `part` of `whole` equal parts of a cost come to, rounded to units of the 20th decimal.

    What lies between two parts is the difference of theirs: so pieces that adjoin add up to the cost, wherever it is cut.
    """
    return rounded_units(cost.numerator * part, cost.denominator * whole, AMOUNT_PLACES, "half-even")


def charge_amount(byte_seconds: int, price: Price) -> Decimal:
    """Price a burst: `byte_seconds × price / multiplier`, computed exactly, rounded once, half-even, to 20 decimals."""
    each = price.per_byte_second
    return quotient_amount(byte_seconds * each.numerator, each.denominator)


def total(amounts: Sequence[Decimal]) -> Decimal:
    """Add amounts exactly; the sum has 20 decimals."""
    return from_units(sum(in_units(amount, AMOUNT_PLACES) for amount in amounts), AMOUNT_PLACES)


def less(amount: Decimal, other: Decimal) -> Decimal:
    """Give amount − other, exactly, with 20 decimals; `-` rounds to the digits of the process's decimal context."""
    return from_units(in_units(amount, AMOUNT_PLACES) - in_units(other, AMOUNT_PLACES), AMOUNT_PLACES)


def total_known(amounts: Iterable[Decimal | None]) -> Decimal:
    """Add the amounts that are known, exactly; for sums that say elsewhere that something is not."""
    return total([amount for amount in amounts if amount is not None])


def total_if_known(amounts: Sequence[Decimal | None]) -> Decimal | None:
    """Add amounts exactly; None where one of them is not known, for that is no zero. Source: ACCOUNTING.md §6."""
    return None if None in amounts else total_known(amounts)


def amount_due(amount: Decimal, currency: str | None) -> Decimal:
    """Round a statement's sum half-up to its currency's minor unit; an account that has no currency can only owe 0."""
    places = minor_places(currency) if currency else 0
    return round_ratio(Fraction(amount), places or 0, "half-up")


def spread(total_units: int, weights: Sequence[Fraction]) -> list[int]:
    """Share whole units out by the largest remainder, so that the shares add up to `total_units` exactly.

    Each share starts as its weight's floor; what is left goes to the largest remainders, the first of equals first.
    The weights must add up to within one unit a share of the total, as rounded lines do to their rounded sum.
    """
    floors = [weight.numerator // weight.denominator for weight in weights]
    order = sorted(range(len(weights)), key=lambda i: (floors[i] - weights[i], i))
    missing = total_units - sum(floors)
    if not 0 <= missing <= len(weights):
        raise ValueError(f"{len(weights)} shares cannot add up to {total_units}")
    for i in order[:missing]:
        floors[i] += 1
    return floors


def shown_amounts(amounts: Sequence[Decimal], currency: str) -> list[Decimal]:
    """Round lines for showing, the remainder spread by largest remainder, so that they add up to the amount due."""
    places = minor_places(currency) or 0
    due = in_units(amount_due(total(amounts), currency), places)
    shares = spread(due, [Fraction(amount) * 10**places for amount in amounts])
    return [from_units(share, places) for share in shares]


def plain_decimal(value: Fraction) -> Decimal | None:
    """Give an exact ratio as a decimal with just the decimals that it has; None where they never end."""
    twos = fives = 0
    rest = value.denominator
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    if rest != 1:
        return None
    places = max(twos, fives)
    return from_units(int(value * 10**places), places)


def cut_text(value: Fraction, places: int) -> str:
    """Write a ratio with all its decimals, or, where it has more, the first `places` of them and `…`; for the eye."""
    exact = plain_decimal(value)
    if exact is not None and -int(exact.as_tuple().exponent) <= places:
        return format(exact, "f")
    units = abs(value.numerator) * 10**places // value.denominator
    return f"{from_units(-units if value < 0 else units, places):f}…"
