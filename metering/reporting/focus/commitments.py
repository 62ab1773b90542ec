"""Subscriptions as charges: the purchase, and day by day what of it was used and what went unused, at what prices.

A subscription's cost is spread over its byte-seconds, in time and within a day the used ones first; every part is the difference of
two roundings of one running sum. So the parts of a subscription's whole life add up to its cost to the last digit, whichever
periods they are exported in. What went unused includes time that nobody observed: it was paid for all the same.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Literal

from metering.billing.bill import known_currencies
from metering.billing.discounts import Settled
from metering.billing.money import Price, amount_of, amount_units, part_units, plain_decimal
from metering.billing.rates import SUBSCRIPTION_LEVEL, PriceBook, Rate, rate_book
from metering.billing.usage import Computation
from metering.engine.duckdb import Engine
from metering.model.period import SECONDS_PER_DAY, day_start
from metering.model.units import GIB_MONTH_BYTE_SECONDS
from metering.reporting.costs import Bought, bought_in_period

Kind = Literal["purchase", "used", "unused"]


@dataclass(frozen=True)
class UnitPrice:
    """What `multiplier` byte-seconds cost: as listed, and less a discount; `level` is None where no list has it.

    Ratios do not count in a hash: to hash one takes Python longer than all else that is done with it.
    """

    level: int | None
    unit: str
    multiplier: int
    listed: Fraction = field(hash=False)
    contracted: Fraction = field(hash=False)

    @cached_property
    def amounts(self) -> tuple[Decimal, Decimal]:
        """As listed and less the discount, rounded as amounts are."""
        return amount_of(self.listed), amount_of(self.contracted)

    @cached_property
    def name(self) -> str:
        """Its digits as listed.

        Of all its decimals, or two prices would be one; those that never end are of a subscription's own price, which it names.
        """
        exact = plain_decimal(self.listed)
        text = format(self.amounts[0] if exact is None else exact, "f")
        return text.rstrip("0").rstrip(".") if "." in text else text

    @property
    def level_name(self) -> str:
        """Its level, as it stands in a name."""
        return "own" if self.level is None else f"level-{self.level}"

    @classmethod
    def of(cls, level: int, price: Price, discount: Fraction = Fraction(0)) -> "UnitPrice":
        """Give a price of the list, less a discount."""
        listed = price.per_byte_second * price.multiplier
        return cls(level, price.unit, price.multiplier, listed, listed * (1 - discount))


@dataclass(frozen=True)
class Commitment:
    """A subscription whose cost is known."""

    account: str
    location: str
    id: str
    currency: str
    amount_bytes: int
    start_s: int
    end_s: int
    nominal_seconds: int
    cost: Fraction = field(hash=False)
    own_price: UnitPrice
    is_recurring: bool

    @cached_property
    def byte_seconds(self) -> int:
        """What it entitles to over its whole life."""
        return self.amount_bytes * (self.end_s - self.start_s)

    @cached_property
    def name(self) -> str:
        """What names it among all: an id may stand once a location."""
        return joined(self.location, self.id)


@lru_cache(maxsize=4096)
def joined(*names: str) -> str:
    """Join names by slashes so that no others give the same; a slash within one is written as a URL has it."""
    return "/".join(name.replace("%", "%25").replace("/", "%2F") for name in names)


@dataclass(frozen=True, slots=True)
class PartKey:
    """A part of a subscription: bought, used or unused in `[start_s, end_s)`, at the price that burst had there."""

    kind: Kind
    commitment: Commitment
    start_s: int
    end_s: int
    price: UnitPrice


@dataclass(frozen=True, slots=True)
class Figures:
    """What a part comes to: byte-seconds metered and priced, and costs in units of the 20th decimal."""

    metered: int = 0
    priced: int = 0
    billed: int = 0
    effective: int = 0

    def less(self, other: "Figures") -> "Figures":
        """Give the difference."""
        return Figures(
            self.metered - other.metered, self.priced - other.priced, self.billed - other.billed, self.effective - other.effective
        )


NOTHING = Figures()


@dataclass(frozen=True, slots=True)
class Committed:
    """The parts of a period's subscriptions, the subscriptions themselves, and those that have none.

    Of `unknown` nothing tells the cost; `empty` have a cost and entitle to nothing over which it could be spread. `covered_unknown`
    are the byte-seconds that the unknown cover, by account and location.
    """

    parts: dict[PartKey, Figures]
    commitments: list[Commitment]
    unknown: list[Bought]
    empty: list[Bought]
    covered_unknown: dict[tuple[str, str], int]


def committed(engine: Engine, computation: Computation, discounts: Settled, account: str | None) -> Committed:
    """Take the subscriptions of a computed period apart; `usage_steps` must be whole."""
    bought = bought_in_period(engine, computation, discounts, account)
    prices = PriceBook(engine.rows("billing/known_prices", computation.parameters))
    known = [_commitment(each, prices) for each in bought if each.cost is not None and each.currency is not None]
    commitments = [each for each in known if each.amount_bytes]
    timeline = _Timeline(engine, computation, commitments)
    unknown = [each for each in bought if each.cost is None or each.currency is None]
    names_of_unknown = {(each.row["location"], each.row["id"]) for each in unknown}
    covered_unknown: defaultdict[tuple[str, str], int] = defaultdict(int)
    used: defaultdict[tuple[str, str, int], list[tuple[int, int]]] = defaultdict(list)
    for row in engine.rows("focus/covered_usage"):
        location, byte_seconds = row["location"], int(row["covered_byte_seconds"])
        used[location, row["id"], row["date_s"]].append((row["rate_key"], byte_seconds))
        if (location, row["id"]) in names_of_unknown:
            covered_unknown[row["account"], location] += byte_seconds
    parts: dict[PartKey, Figures] = {}
    for commitment in commitments:
        if computation.period.start_s <= commitment.start_s:
            parts[PartKey("purchase", commitment, commitment.start_s, commitment.end_s, commitment.own_price)] = _purchase(
                commitment
            )
        parts.update(_days(commitment, timeline, used))
    return Committed(
        parts,
        commitments,
        unknown=unknown,
        empty=[each for each in bought if each.cost and each.currency is not None and not int(each.row["amount"])],
        covered_unknown=covered_unknown,
    )


def _commitment(bought: Bought, prices: PriceBook) -> Commitment:
    row, cost, currency = bought.row, bought.cost or Fraction(0), bought.currency or ""
    amount, nominal_s = int(row["amount"]), int(row["nominal_seconds"])
    price = prices.at(currency, row["location"], SUBSCRIPTION_LEVEL, row["start_s"]) if row["price"] is None else None
    if price is not None:
        own = UnitPrice.of(SUBSCRIPTION_LEVEL, price, bought.discount_rate or Fraction(0))
    else:  # it says what it cost in all, and that makes its price
        each = cost * GIB_MONTH_BYTE_SECONDS / (amount * nominal_s) if amount and nominal_s else Fraction(0)
        own = UnitPrice(None, "GB/month", GIB_MONTH_BYTE_SECONDS, each, each)
    return Commitment(
        row["account"], row["location"], row["id"], currency, amount, row["start_s"], row["end_s"], nominal_s, cost, own,
        row["is_renewed"],
    )  # fmt: skip


def _purchase(commitment: Commitment) -> Figures:
    priced = commitment.amount_bytes * commitment.nominal_seconds
    return Figures(commitment.byte_seconds, priced, amount_units(commitment.cost), 0)


def _days(
    commitment: Commitment, timeline: "_Timeline", used: dict[tuple[str, str, int], list[tuple[int, int]]]
) -> Iterator[tuple[PartKey, Figures]]:
    """Give what of a subscription was used and unused, by UTC date and price."""
    first_s, last_s = max(commitment.start_s, timeline.start_s), min(commitment.end_s, timeline.stop_s)
    spent = commitment.amount_bytes * (first_s - commitment.start_s)
    spent_cost = share(commitment, spent)
    for date_s in range(day_start(first_s), last_s, SECONDS_PER_DAY):
        start_s, end_s = max(first_s, date_s), min(last_s, date_s + SECONDS_PER_DAY)
        covered: defaultdict[UnitPrice, int] = defaultdict(int)
        for rate_key, byte_seconds in used.get((commitment.location, commitment.id, date_s), ()):
            covered[timeline.price_of(commitment, rate_key)] += byte_seconds
        held: defaultdict[UnitPrice, int] = defaultdict(int)
        for price, seconds in timeline.between(commitment, start_s, end_s):
            held[price] += commitment.amount_bytes * seconds
        unused = {price: byte_seconds - covered[price] for price, byte_seconds in held.items()}
        parts: list[tuple[Kind, UnitPrice, int]] = [("used", price, covered[price]) for price in held]
        parts += [("unused", price, byte_seconds) for price, byte_seconds in unused.items()]
        for kind, price, byte_seconds in parts:
            if byte_seconds:
                spent += byte_seconds
                cost = share(commitment, spent)
                yield PartKey(kind, commitment, start_s, end_s, price), Figures(byte_seconds, byte_seconds, 0, cost - spent_cost)
                spent_cost = cost


def share(commitment: Commitment, byte_seconds: int) -> int:
    """Give what the first byte-seconds of a subscription cost, rounded to units of the 20th decimal."""
    return part_units(commitment.cost, byte_seconds, commitment.byte_seconds)


class _Timeline:
    """At what price each second of a period would burst; the subscription's own price where no such price is in force."""

    def __init__(self, engine: Engine, computation: Computation, commitments: list[Commitment]) -> None:
        self.start_s, self.stop_s = computation.period.start_s, computation.stop_s
        parameters = computation.parameters
        self._prices = [_unit_price(rate) for rate in computation.rates.rates]
        self._currencies = known_currencies(engine, computation.known_seq)
        book = rate_book(
            sorted({(each.currency, each.location) for each in commitments}),
            engine.rows("billing/known_prices", parameters), engine.rows("billing/known_burst_levels", parameters),
            self.start_s, self.stop_s,
        )  # fmt: skip
        self._steps: defaultdict[tuple[str, str], list[tuple[int, UnitPrice | None]]] = defaultdict(list)
        for step in book.steps:
            self._steps[step.currency, step.location].append((step.starts_at_s, _unit_price(book.rates[step.rate_key])))

    def price_of(self, commitment: Commitment, rate_key: int) -> UnitPrice:
        """Give the price of a usage step's rate, as `between` gives it."""
        if self._currencies.get(commitment.account) != commitment.currency:
            return commitment.own_price
        return self._prices[rate_key] or commitment.own_price

    def between(self, commitment: Commitment, start_s: int, end_s: int) -> Iterator[tuple[UnitPrice, int]]:
        """Cut `[start_s, end_s)` where the price changes, with the seconds of each piece."""
        steps = self._steps[commitment.currency, commitment.location]
        if self._currencies.get(commitment.account) != commitment.currency:
            yield commitment.own_price, end_s - start_s
            return
        index = bisect_right(steps, start_s, key=lambda step: step[0]) - 1
        while start_s < end_s:
            until_s = min(end_s, steps[index + 1][0]) if index + 1 < len(steps) else end_s
            yield steps[index][1] or commitment.own_price, until_s - start_s
            start_s, index = until_s, index + 1


def _unit_price(rate: Rate) -> UnitPrice | None:
    return None if rate.price is None else UnitPrice.of(rate.level, rate.price)
