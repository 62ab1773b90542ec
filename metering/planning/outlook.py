"""What comes: sizes ahead beside what is subscribed, when burst is likely to begin, what the month will cost, what runs out.

Entitlement ahead is that of the subscriptions known now; one that runs out is not taken to be renewed. Burst ahead costs what it
costs where the days ahead begin.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any

from metering.billing.bill import computed_lines, known_accounts
from metering.billing.money import Price, amount_of, from_units
from metering.billing.rates import rate_book
from metering.billing.usage import Computation
from metering.engine.duckdb import Engine
from metering.model.period import SECONDS_PER_DAY, date_text, month_start, next_month_start
from metering.model.records import BigInteger, Date, Instant, Money, Row
from metering.planning.advise import Place, occupied_days
from metering.planning.forecasting import LEAST_DAYS, Ahead, backtest, daily_sizes, forecast


class DayAhead(Row):
    """A UTC date ahead: the average size expected, at the 5th and 95th percentile, and what is least entitled then."""

    account: str
    location: str
    day: Date
    expected_bytes: BigInteger
    low_bytes: BigInteger
    high_bytes: BigInteger
    entitled_bytes: BigInteger


class Outlook(Row):
    """One account and location: when burst begins, and what it costs by the end of the month; empty where it does not.

    `early` is at the 95th percentile of what is occupied, `late` at the 5th; a cost is empty where burst has no price.
    `error_percent` is how far off the method was on the last `backtest_days` of the history.
    """

    account: str
    location: str
    history_days: int
    backtest_days: int | None
    error_percent: Money | None
    burst_begins: Date | None
    burst_begins_early: Date | None
    burst_begins_late: Date | None
    month: str
    currency: str | None
    burst_cost_so_far: Money | None
    burst_cost_month: Money | None
    burst_cost_month_p5: Money | None
    burst_cost_month_p95: Money | None


class RunsOut(Row):
    """A subscription that ends in the days ahead."""

    account: str
    location: str
    id: str
    amount_bytes: BigInteger
    end: Instant
    auto_renew: str | None


@dataclass(slots=True)
class Forecast:
    """What comes before `end`, by account and location; `unforecast` names those whose history is too short."""

    end: int
    outlooks: list[Outlook] = field(default_factory=list)
    days: list[DayAhead] = field(default_factory=list)
    runs_out: list[RunsOut] = field(default_factory=list)
    unforecast: list[Place] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Held:
    """What an account is entitled to in a location, from some instants on, and the price of burst there."""

    changes: list[tuple[int, int]]
    price: Price | None

    def pieces(self, date_s: int) -> list[tuple[int, int]]:
        """Cut a date into seconds of one entitlement: how long, and how much."""
        edges = sorted({date_s, *(at_s for at_s, _ in self.changes if date_s < at_s < date_s + SECONDS_PER_DAY)})
        ends = [*edges[1:], date_s + SECONDS_PER_DAY]
        return [
            (end_s - at_s, sum(amount for since_s, amount in self.changes if since_s <= at_s))
            for at_s, end_s in zip(edges, ends, strict=True)
        ]


def look_ahead(engine: Engine, computation: Computation, ahead_days: int, account: str | None, learnt_s: int) -> Forecast:
    """Forecast each account and location of a computed history, from its end on; `usage_steps` must be whole.

    With `account` the history was computed of that account alone.
    Sizes are learnt from the days since `learnt_s`; what the month cost so far is taken from all of its days that are computed.
    """
    start_s, parameters = computation.period.end_s, computation.parameters
    found = Forecast(end=start_s + ahead_days * SECONDS_PER_DAY)
    subscriptions = [row for row in engine.rows("billing/known_subscriptions", parameters) if account in (None, row["account"])]
    entitling: defaultdict[Place, list[dict[str, Any]]] = defaultdict(list)
    for row in subscriptions:
        entitling[row["account"], row["location"]].append(row)
    prices = _Prices(engine, computation)
    accounts = known_accounts(engine, computation.known_seq)
    so_far = _so_far(engine, computation)
    month_days = (next_month_start(start_s) - start_s) // SECONDS_PER_DAY
    for place, days in occupied_days(engine).items():
        sizes = daily_sizes([day for day in days if day.date_s >= learnt_s])
        if len(sizes) < LEAST_DAYS or days[-1].date_s + SECONDS_PER_DAY < start_s:
            found.unforecast.append(place)
            continue
        ahead = forecast(sizes, max(ahead_days, month_days))
        currency = accounts[place[0]]["currency"] if place[0] in accounts else None
        held = _Held(_changes(entitling[place]), prices.of(currency, place[1]))
        found.days += _days(place, ahead[:ahead_days], held, start_s)
        found.outlooks.append(
            _outlook(place, sizes, ahead, held, start_s, ahead_days, month_days, currency, so_far.get(place, Fraction(0)))
        )
    found.runs_out = [
        RunsOut(
            account=row["account"], location=row["location"], id=row["id"], amount_bytes=int(row["amount"]), end=row["end_s"],
            auto_renew=row["auto_renew"],
        )
        for row in sorted(subscriptions, key=lambda row: (row["end_s"], row["account"], row["location"], row["id"]))
        if start_s <= row["end_s"] < found.end
    ]  # fmt: skip
    return found


def _changes(own: Sequence[dict[str, Any]]) -> list[tuple[int, int]]:
    changes = [(row["start_s"], int(row["amount"])) for row in own] + [(row["end_s"], -int(row["amount"])) for row in own]
    return sorted(changes)


class _Prices:
    """The prices of burst that are in force at the instant at which the history ends and the days ahead begin."""

    def __init__(self, engine: Engine, computation: Computation) -> None:
        self._begin_s = computation.period.end_s
        self._prices = engine.rows("billing/known_prices", computation.parameters)
        self._levels = engine.rows("billing/known_burst_levels", computation.parameters)
        self._found: dict[tuple[str, str], Price | None] = {}

    def of(self, currency: str | None, location: str) -> Price | None:
        """Give the one in a currency and location; there is none without a currency."""
        if currency is None:
            return None
        if (currency, location) not in self._found:
            book = rate_book([(currency, location)], self._prices, self._levels, self._begin_s, self._begin_s + 1)
            self._found[currency, location] = book.rates[0].price
        return self._found[currency, location]


def _so_far(engine: Engine, computation: Computation) -> dict[Place, Fraction | None]:
    """Give what burst cost in the month that goes on; None where a part of it has no price."""
    first_s = month_start(computation.period.end_s)
    found: defaultdict[Place, Fraction | None] = defaultdict(Fraction)
    for line in computed_lines(engine, computation):
        if line.date >= first_s:
            before = found[line.account, line.location]
            found[line.account, line.location] = None if line.amount is None or before is None else before + Fraction(line.amount)
    return dict(found)


def _days(place: Place, ahead: Sequence[Ahead], held: _Held, start_s: int) -> list[DayAhead]:
    return [
        DayAhead(
            account=place[0], location=place[1], day=start_s + i * SECONDS_PER_DAY, expected_bytes=each.expected_bytes,
            low_bytes=each.low_bytes, high_bytes=each.high_bytes,
            entitled_bytes=min(amount for _, amount in held.pieces(start_s + i * SECONDS_PER_DAY)),
        )
        for i, each in enumerate(ahead)
    ]  # fmt: skip


def _outlook(
    place: Place, sizes: list[int], ahead: list[Ahead], held: _Held, start_s: int, ahead_days: int, month_days: int,
    currency: str | None, so_far: Fraction | None,
) -> Outlook:  # fmt: skip
    lines = [[getattr(each, name) for each in ahead] for name in ("expected_bytes", "high_bytes", "low_bytes")]
    begins = [_begin(line[:ahead_days], held, start_s) for line in lines]
    costs = [
        None if held.price is None or so_far is None else so_far + _cost(line[:month_days], held, start_s, held.price)
        for line in lines
    ]
    tested = backtest(sizes, ahead_days)
    return Outlook(
        account=place[0], location=place[1], history_days=len(sizes), backtest_days=tested.days if tested else None,
        error_percent=from_units(tested.error_permille, 1) if tested else None, burst_begins=begins[0],
        burst_begins_early=begins[1], burst_begins_late=begins[2], month=date_text(month_start(start_s))[:7], currency=currency,
        burst_cost_so_far=_money(so_far), burst_cost_month=_money(costs[0]), burst_cost_month_p5=_money(costs[2]),
        burst_cost_month_p95=_money(costs[1]),
    )  # fmt: skip


def _begin(sizes: Sequence[int], held: _Held, start_s: int) -> int | None:
    """Give the first date on which a size is above what is entitled."""
    for i, size in enumerate(sizes):
        date_s = start_s + i * SECONDS_PER_DAY
        if size > min(amount for _, amount in held.pieces(date_s)):
            return date_s
    return None


def _cost(sizes: Sequence[int], held: _Held, start_s: int, price: Price) -> Fraction:
    """Give what the burst of the dates costs."""
    byte_seconds = sum(
        max(0, size - amount) * seconds
        for i, size in enumerate(sizes)
        for seconds, amount in held.pieces(start_s + i * SECONDS_PER_DAY)
    )
    return byte_seconds * price.per_byte_second


def _money(cost: Fraction | None) -> Decimal | None:
    return None if cost is None else amount_of(cost)
