"""Which subscription would have cost least over a history: for each account and location, by length, with the risk of growth.

What is in force at the instant at which the history ends stays, and counts over all of it as if it had always been there; the
question is what to add. What ends then is not taken to be renewed.
Costs are a month's, of 30 days as in the price, over the time that was observed. Burst costs what it cost in the history, a
subscription what it would cost now. The risk is the cost of the same purchase if all sizes change as the history's days suggest, by
half of the subscription's length: the middle of it. Nothing is bought and nothing is written.
"""

import contextlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from itertools import groupby
from operator import itemgetter
from typing import Any

from metering.billing.bill import known_currencies
from metering.billing.discounts import DiscountBook
from metering.billing.money import Price, amount_of, plain_decimal
from metering.billing.rates import SUBSCRIPTION_LEVEL, PriceBook
from metering.billing.subscriptions import Discounts, discount_rate
from metering.billing.usage import Computation
from metering.engine.duckdb import Engine
from metering.model.period import SECONDS_PER_DAY
from metering.model.records import BigInteger, Money, Row
from metering.model.terms import Term
from metering.model.units import MONTH_SECONDS
from metering.planning.growth import Day, Growth, growth_of
from metering.planning.least_cost import BurstCost, stepped

_SHORTEST = Term(1, "month")
# Lengths up to this are advised unless others are named: a history of months says little about years.
_LONGEST = Term(1, "year")
Place = tuple[str, str]


class Advice(Row):
    """What to buy of one length, and what a month then costs; `is_best` of the lengths is the one that costs least.

    `now` is without buying, `p5` and `p95` are at the 5th and 95th percentile of growth, empty where the history is too short
    to tell, or what grows would burst at a time that has no price. Costs include what is bought already, and are empty where
    nothing tells what that cost.
    """

    account: str
    location: str
    length: str
    is_best: bool
    amount_bytes: BigInteger
    bought_already_bytes: BigInteger
    currency: str
    price: str
    unit: str
    discount_percent: str
    subscription_cost: Money
    burst_cost: Money
    month_cost: Money | None
    month_cost_now: Money | None
    saving: Money
    month_cost_p5: Money | None
    month_cost_p95: Money | None
    month_cost_now_p5: Money | None
    month_cost_now_p95: Money | None
    observed_seconds: int


class Unadvised(Row):
    """An account and location of which nothing can be said, and why."""

    account: str
    location: str
    reason: str


@dataclass(frozen=True, slots=True)
class Kept:
    """What is in force when the history ends: bytes, and what a second of it costs, None where that is not known."""

    amount_bytes: int = 0
    cost_per_second: Fraction | None = Fraction(0)


@dataclass(frozen=True, slots=True)
class Curve:
    """What a month costs at amounts on top of what is bought already, for the picture; the best among them."""

    account: str
    location: str
    currency: str
    best_bytes: int
    points: list[tuple[int, Decimal]]


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked: which lengths (none: those of the location), in which steps of bytes, what is kept, and what lengths save."""

    lengths: Sequence[Term]
    step: int
    kept: Mapping[Place, Kept]
    discounts: DiscountBook


@dataclass(slots=True)
class Advised:
    """The advice of a history, by account, location and length."""

    advice: list[Advice] = field(default_factory=list)
    unadvised: list[Unadvised] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Unit:
    """One account and location: what it occupied, at what prices, and how it grows."""

    place: Place
    currency: str
    price: Price
    cost: BurstCost
    observed_seconds: int
    growth: Growth | None
    kept: Kept
    # The largest size of the time in which burst has no price, if there is such: what is kept covers it, unless it grows.
    unpriced_bytes: int | None


def advise(engine: Engine, computation: Computation, ask: Ask, most_points: int = 0) -> Advised:
    """Advise each account and location of a computed period; `usage_steps` must be whole.

    With `most_points`, curves of about so many points come with it.
    """
    found = Advised()
    reason = "all of the time is missing: nobody looked"
    found.unadvised += [Unadvised(**unobserved, reason=reason) for unobserved in engine.rows("planning/unobserved_units")]
    for unit in _units(engine, computation, ask, found.unadvised):
        rows, prices = [], {}
        discounts = ask.discounts.at(unit.place[1], computation.stop_s, computation.stop_s + 1)
        for term in ask.lengths or _lengths(discounts, computation.stop_s):
            rate = discount_rate(computation.stop_s, term.after(computation.stop_s), discounts)
            prices[term.text] = unit.price.per_byte_second * (1 - rate)
            rows.append(_advice(unit, term, rate, ask.step, computation.stop_s))
        best = min(rows, key=lambda row: row[0])[1]
        found.advice += [row.model_copy(update={"is_best": row is best}) for _, row in rows]
        if most_points:
            found.curves.append(_curve(unit, best, prices[best.length], most_points))
    found.unadvised.sort(key=lambda row: (row.account, row.location))
    return found


def _lengths(discounts: Discounts, from_s: int) -> list[Term]:
    """Give the lengths that are worth advising: a month, and those with a discount up to a year, from short to long."""
    lengths = {_SHORTEST}
    for term, _ in discounts:
        with contextlib.suppress(ValueError):  # it leaves the calendar: no subscription is that long
            lengths |= {term} if term.after(0) <= _LONGEST.after(0) and term.after(from_s) else set()
    return sorted(lengths, key=lambda term: term.after(0))


def _units(engine: Engine, computation: Computation, ask: Ask, unadvised: list[Unadvised]) -> Iterator[_Unit]:
    parameters, rates = computation.parameters, [rate.price for rate in computation.rates.rates]
    currencies = known_currencies(engine, computation.known_seq)
    book = PriceBook(engine.rows("billing/known_prices", parameters))
    days = occupied_days(engine)
    for place, levels in _levels(engine):
        currency = currencies.get(place[0])
        price = None if currency is None else book.at(currency, place[1], SUBSCRIPTION_LEVEL, computation.stop_s)
        kept = ask.kept.get(place, Kept())
        unpriced = max((occupied for occupied, _, key in levels if rates[key] is None), default=None)
        if currency is None:
            unadvised.append(Unadvised(account=place[0], location=place[1], reason="the account's currency is not known"))
        elif price is None:
            unadvised.append(Unadvised(account=place[0], location=place[1], reason=f"no {currency} price of level 0 is in force"))
        elif unpriced is not None and unpriced > kept.amount_bytes:
            unadvised.append(Unadvised(account=place[0], location=place[1], reason=f"burst has no {currency} price all the time"))
        else:
            each = [None if one is None else one.per_byte_second for one in rates]
            cost = BurstCost((occupied, seconds, each[key] or Fraction(0)) for occupied, seconds, key in levels)
            observed = sum(seconds for _, seconds, _ in levels)
            yield _Unit(place, currency, price, cost, observed, growth_of(days.get(place, [])), kept, unpriced)


def _levels(engine: Engine) -> Iterator[tuple[Place, list[tuple[int, int, int]]]]:
    """Give the occupied bytes, seconds and rates of each account and location, one after the other: all together are millions."""
    for place, rows in groupby(engine.stream("planning/occupied_levels"), key=itemgetter(0, 1)):
        yield place, [(int(occupied), seconds, rate_key) for _, _, occupied, seconds, rate_key in rows]


def occupied_days(engine: Engine) -> dict[Place, list[Day]]:
    """Give the average sizes of the days of a computed period, by account and location."""
    found: defaultdict[Place, list[Day]] = defaultdict(list)
    for row in engine.rows("planning/occupied_days"):
        seconds = int(row["observed_seconds"])
        day = Day(row["date_s"], int(row["occupied_byte_seconds"]) // seconds, seconds)
        found[row["account"], row["location"]].append(day)
    return found


def _advice(unit: _Unit, term: Term, rate: Fraction, step: int, now_s: int) -> tuple[Fraction, Advice]:
    """Give the best amount of one length, and its exact cost in a month, to choose by."""
    kept, seconds = unit.kept.amount_bytes, unit.observed_seconds
    price = unit.price.per_byte_second * (1 - rate) * seconds
    amount = unit.cost.least(price, kept)
    if step > 1:
        amount = stepped(unit.cost, amount, price, kept, step)
    month = Fraction(MONTH_SECONDS, seconds)
    days = (term.after(now_s) - now_s) // SECONDS_PER_DAY
    shifts = unit.growth.after(days // 2) if unit.growth else None
    already = unit.kept.cost_per_second

    def total(bought: int, shift: int) -> Fraction:
        return bought * price * month + unit.cost.at(kept + bought - shift) * month

    def shown(bought: int, shift: int) -> Decimal | None:
        is_priced = unit.unpriced_bytes is None or unit.unpriced_bytes + shift <= kept + bought
        return amount_of(total(bought, shift) + already * MONTH_SECONDS) if is_priced and already is not None else None

    p5, p95 = shifts or (None, None)
    return total(amount, 0), Advice(
        account=unit.place[0], location=unit.place[1], length=term.text, is_best=False, amount_bytes=amount,
        bought_already_bytes=kept, currency=unit.currency, price=unit.price.text, unit=unit.price.unit,
        discount_percent=f"{plain_decimal(100 * rate):f}", subscription_cost=amount_of(amount * price * month),
        burst_cost=amount_of(unit.cost.at(kept + amount) * month), month_cost=shown(amount, 0), month_cost_now=shown(0, 0),
        saving=amount_of(total(0, 0) - total(amount, 0)), month_cost_p5=None if p5 is None else shown(amount, p5),
        month_cost_p95=None if p95 is None else shown(amount, p95), month_cost_now_p5=None if p5 is None else shown(0, p5),
        month_cost_now_p95=None if p95 is None else shown(0, p95), observed_seconds=seconds,
    )  # fmt: skip


def _curve(unit: _Unit, best: Advice, price: Fraction, most: int) -> Curve:
    kept, month = unit.kept.amount_bytes, Fraction(MONTH_SECONDS, unit.observed_seconds)
    already = (unit.kept.cost_per_second or Fraction(0)) * MONTH_SECONDS
    amounts = {max(0, bend - kept) for bend in unit.cost.bends(most)} | {0, best.amount_bytes}
    amounts.add(max(amounts) * 5 // 4)
    points = [
        (amount, amount_of(already + amount * price * MONTH_SECONDS + unit.cost.at(kept + amount) * month))
        for amount in sorted(amounts)
    ]
    return Curve(unit.place[0], unit.place[1], unit.currency, best.amount_bytes, points)


def kept_of(bought: Sequence[Any], currencies: Mapping[str, str]) -> dict[Place, Kept]:
    """Sum up by account and location what is in force when a history ends, given as subscriptions with their costs."""
    found: dict[Place, Kept] = {}
    for each in bought:
        row = each.row
        place = row["account"], row["location"]
        before = found.get(place, Kept())
        is_known = each.cost is not None and each.currency == currencies.get(row["account"])
        cost = Fraction(each.cost) / (row["end_s"] - row["start_s"]) if is_known else None
        both = None if cost is None or before.cost_per_second is None else before.cost_per_second + cost
        found[place] = Kept(before.amount_bytes + int(row["amount"]), both)
    return found
