"""Why a charge is what it is: one line recomputed from the samples, apart from billing, with all that it rests on.

Billing sums usage steps, which it makes of totals kept per poll. Here the same rules (ACCOUNTING.md §3 to §7) are applied to the
samples of one account, location and date, second by second, in plain Python; so `agrees` is worth something.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any, Literal

from metering.billing.bill import computed_lines, known_accounts
from metering.billing.money import Price, charge_amount, cut_text, plain_decimal
from metering.billing.rates import DEFAULT_BURST_LEVEL
from metering.billing.usage import Computation
from metering.engine.duckdb import Engine
from metering.model.clock import Clock
from metering.model.errors import NoDataError
from metering.model.explanation import (
    Arithmetic,
    ExplainedClosing,
    ExplainedInterval,
    ExplainedPoll,
    ExplainedPrice,
    ExplainedSnapshot,
    ExplainedSubscription,
    Explanation,
    Recomputed,
)
from metering.model.records import BilledPeriod, ChargeLine, State

QUOTIENT_PLACES = 30


@dataclass(frozen=True, slots=True)
class _Hold:
    """A poll, and a part `[start_s, end_s)` of its time that is measured, held or missing."""

    poll: dict[str, Any]
    state: Literal["measured", "held", "missing"]
    start_s: int
    end_s: int


def explain_charge(engine: Engine, computation: Computation, charge_id: str) -> Explanation:
    """Explain one line of a computed period.

    Args:
        engine: holds the tables of `computation`.
        computation: the billed part of the line's date, mostly all of it.
        charge_id: as bills name it.

    Raises:
        NoDataError: the period has no such line.
    """
    line = find_line(engine, computation, charge_id)
    if line is None:
        raise NoDataError(
            f"there is no charge {charge_id} in {computation.period.text}: `metering report statement --period P` lists the charges"
        )
    return explain_line(engine, computation, line)


def find_line(engine: Engine, computation: Computation, charge_id: str) -> ChargeLine | None:
    """Give the line of a computed period that a charge id names, None where it has none."""
    return next((line for line in computed_lines(engine, computation) if line.charge_id == charge_id), None)


def explain_line(
    engine: Engine, computation: Computation, line: ChargeLine, closing: ExplainedClosing | None = None
) -> Explanation:
    """Explain a line, wherever it comes from: computed, frozen, or one of 0 that is there no more.

    Args:
        engine: holds the tables of `computation`.
        computation: the billed part of the line's date, mostly all of it.
        line: what is explained, and held against the samples.
        closing: what froze it.
    """
    account = known_accounts(engine, computation.known_seq).get(line.account)
    parameters = computation.parameters | {"account": line.account, "location": line.location}
    engine.create("explain/account_polls", parameters)
    listed = engine.rows("explain/listed_snapshots", parameters)
    chosen = _chosen_endpoints(listed, line.location)
    feeding = {line.location, *(row["endpoint"] for row in listed if chosen[row["snapshot"]] == row["endpoint"])}
    holds = _holds(engine.rows("explain/polls_in_period", parameters), feeding, parameters, computation.clock)
    samples = _counted_samples(engine.rows("explain/samples_in_period", parameters), chosen)
    engine.drop("account_polls")
    subscriptions = _subscriptions(engine, parameters)
    prices = _Prices(engine, parameters, line, account["currency"] if account else None)
    intervals = _intervals(holds, samples, subscriptions, prices, parameters)
    charged = [interval for interval in intervals if interval.is_charged]
    byte_seconds = sum(interval.burst_byte_seconds for interval in charged)
    price = _price_of(line)
    recomputed = recomputed_as(
        line,
        burst_byte_seconds=byte_seconds,
        burst_seconds=sum(interval.seconds for interval in charged),
        peak_burst_bytes=max((interval.burst_bytes for interval in charged), default=0),
        amount=charge_amount(byte_seconds, price) if price else None,
    )
    return Explanation(
        charge_id=line.charge_id,
        name=account["name"] if account else None,
        period=BilledPeriod(start=computation.period.start_s, end=computation.period.end_s, as_of=computation.as_of_s),
        known_at_ingest=computation.known_seq,
        cycle_seconds=computation.clock.cycle_s,
        max_hold_seconds=computation.clock.max_hold_s,
        line=line,
        closing=closing,
        recomputed=recomputed,
        arithmetic=_arithmetic(byte_seconds, line),
        endpoints=sorted(holds),
        intervals=intervals,
        subscriptions=subscriptions,
        prices=prices.used,
    )


def recomputed_as(line: ChargeLine, *, are_sound: bool = True, **figures: Any) -> Recomputed:
    """Give the figures that the samples make of a line; they agree where they are its own, and what they rest on is sound."""
    return Recomputed(**figures, agrees=are_sound and all(getattr(line, name) == found for name, found in figures.items()))


def _price_of(line: ChargeLine) -> Price | None:
    if line.price is None or line.unit is None or line.multiplier is None:
        return None
    return Price(line.price, line.unit, line.multiplier)


def _arithmetic(byte_seconds: int, line: ChargeLine) -> Arithmetic | None:
    price = _price_of(line)
    if price is None or line.currency is None:
        return None
    product = byte_seconds * Fraction(price.text)
    exact = product / price.multiplier
    return Arithmetic(
        burst_byte_seconds=byte_seconds,
        price=price.text,
        currency=line.currency,
        unit=price.unit,
        multiplier=price.multiplier,
        product=format(plain_decimal(product) or 0, "f"),
        quotient=cut_text(exact, QUOTIENT_PLACES),
        fraction=f"{exact.numerator}/{exact.denominator}",
        rounding="once, half-even, to 20 decimals",
        amount=charge_amount(byte_seconds, price),
    )


def _holds(polls: Iterable[dict[str, Any]], feeding: set[str], parameters: dict[str, Any], clock: Clock) -> dict[str, list[_Hold]]:
    """Give the polls of every feeding endpoint as the intervals in which they hold, within the period, in order of time."""
    holds: defaultdict[str, list[_Hold]] = defaultdict(list)
    for poll in polls:
        if poll["endpoint"] not in feeding:
            continue
        poll_s, next_s = poll["poll_s"], poll["next_s"]
        # 450 s is 1.5 cycles of 300 s: doubled, so that an odd cycle needs no half second.
        is_next_near = 2 * (next_s - poll_s) <= 3 * clock.cycle_s
        measured_until_s = next_s if is_next_near else poll_s + clock.cycle_s
        held_until_s = max(measured_until_s, min(next_s, poll_s + clock.max_hold_s))
        bounds = [
            min(max(instant_s, parameters["start_s"]), parameters["stop_s"])
            for instant_s in (poll_s, measured_until_s, held_until_s, next_s)
        ]
        for state, (start_s, end_s) in zip(("measured", "held", "missing"), pairwise(bounds), strict=True):
            if start_s < end_s:
                holds[poll["endpoint"]].append(_Hold(poll, state, start_s, end_s))  # type: ignore[arg-type]  # the literals above
    return dict(holds)


def _chosen_endpoints(listed: Iterable[dict[str, Any]], location: str) -> dict[str, str]:
    """Tell at which endpoint each snapshot counts: the one that is the location, else the smallest."""
    endpoints: defaultdict[str, set[str]] = defaultdict(set)
    for row in listed:
        endpoints[row["snapshot"]].add(row["endpoint"])
    return {snapshot: location if location in names else min(names) for snapshot, names in endpoints.items()}


def _counted_samples(rows: Iterable[dict[str, Any]], chosen: dict[str, str]) -> dict[int, tuple[ExplainedSnapshot, ...]]:
    """Give what each poll lists in the location, less what counts at another endpoint."""
    samples: defaultdict[int, list[ExplainedSnapshot]] = defaultdict(list)
    for row in rows:
        if chosen[row["snapshot"]] == row["endpoint"]:
            told = {name: row[name] for name in ("snapshot", "drive", "name", "status", "endpoint")}
            samples[row["poll_key"]].append(ExplainedSnapshot(**told, allocated_bytes=row["allocated_size"]))
    return {poll_key: tuple(listed) for poll_key, listed in samples.items()}


def _subscriptions(engine: Engine, parameters: dict[str, Any]) -> list[ExplainedSubscription]:
    return [
        ExplainedSubscription(id=row["id"], amount_bytes=int(row["amount"]), start=row["start_s"], end=row["end_s"])
        for row in engine.rows("reports/subscriptions_in_period", parameters)
        if (row["account"], row["location"]) == (parameters["account"], parameters["location"])
    ]


class _Prices:
    """The price rows that burst of one line's currency and location can have, and those that were used, in order of use."""

    def __init__(self, engine: Engine, parameters: dict[str, Any], line: ChargeLine, currency: str | None) -> None:
        self._line = line
        # The account's own by now; that of the line, where it was corrected since, is another.
        self._currency = currency
        places = ("", line.location)
        self._levels = [row for row in engine.rows("billing/known_burst_levels", parameters) if row["location"] in places]
        self._prices = [
            row
            for row in engine.rows("billing/known_prices", parameters)
            if row["location"] in places and row["currency"] == currency
        ]
        self.used: list[ExplainedPrice] = []

    def changes(self) -> set[int]:
        """The instants from which a row holds."""
        return {row["effective_from_s"] for row in (*self._levels, *self._prices)}

    def at(self, instant_s: int) -> int:
        """Give the place in `used` of the price in force at an instant."""
        level_row = _in_force(self._levels, instant_s)
        level = DEFAULT_BURST_LEVEL if level_row is None else int(level_row["level"])
        row = _in_force([row for row in self._prices if row["level"] == level], instant_s)
        price = ExplainedPrice(
            level=level,
            level_source="default" if level_row is None else "location" if level_row["location"] else "every location",
            level_effective_from=None if level_row is None else level_row["effective_from_s"],
            currency=self._currency,
            price=None if row is None else row["price"],
            unit=None if row is None else row["unit"],
            multiplier=None if row is None else int(row["multiplier"]),
            location=None if row is None else row["location"] or None,
            effective_from=None if row is None else row["effective_from_s"],
        )
        if price not in self.used:
            self.used.append(price)
        return self.used.index(price)

    def is_of_line(self, index: int) -> bool:
        """Whether a price is the line's own: same level, currency, price, unit and multiplier."""
        price, line = self.used[index], self._line
        if (price.level, price.currency) != (line.level, line.currency) or (price.price is None) != (line.price is None):
            return False
        if price.price is None or line.price is None:
            return True
        return Fraction(price.price) == Fraction(line.price) and (price.unit, price.multiplier) == (line.unit, line.multiplier)


def _in_force(rows: Sequence[dict[str, Any]], instant_s: int) -> dict[str, Any] | None:
    """Give the row in force: any that names the location beats every one that does not, then the latest wins."""
    begun = [row for row in rows if row["effective_from_s"] <= instant_s]
    return max(begun, key=lambda row: (row["location"] != "", row["effective_from_s"]), default=None)


def _intervals(
    holds: dict[str, list[_Hold]],
    samples: dict[int, tuple[ExplainedSnapshot, ...]],
    subscriptions: list[ExplainedSubscription],
    prices: _Prices,
    parameters: dict[str, Any],
) -> list[ExplainedInterval]:
    """Cut the billed part of the date where anything changes, and join again what does not differ but in the polls it rests on."""
    start_s, stop_s = parameters["start_s"], parameters["stop_s"]
    cuts = {start_s, stop_s} | prices.changes()
    cuts.update(instant_s for held in holds.values() for hold in held for instant_s in (hold.start_s, hold.end_s))
    cuts.update(instant_s for bought in subscriptions for instant_s in (bought.start, bought.end))
    found: list[ExplainedInterval] = []
    for begin_s, end_s in pairwise(sorted(instant_s for instant_s in cuts if start_s <= instant_s <= stop_s)):
        resting = [hold for held in holds.values() if (hold := _holding(held, begin_s)) is not None]
        if resting:
            found.append(_interval(begin_s, end_s, resting, samples, subscriptions, prices))
    return _joined(found)


def _holding(holds: list[_Hold], instant_s: int) -> _Hold | None:
    index = bisect_right(holds, instant_s, key=lambda hold: hold.start_s)
    return holds[index - 1] if index else None


def _interval(
    begin_s: int,
    end_s: int,
    resting: list[_Hold],
    samples: dict[int, tuple[ExplainedSnapshot, ...]],
    subscriptions: list[ExplainedSubscription],
    prices: _Prices,
) -> ExplainedInterval:
    observed = [hold for hold in resting if hold.state != "missing"]
    snapshots = [snapshot for hold in observed for snapshot in samples.get(hold.poll["poll_key"], ())]
    in_force = [bought for bought in subscriptions if bought.start <= begin_s < bought.end]
    occupied_bytes = sum(snapshot.allocated_bytes for snapshot in snapshots)
    entitled_bytes = sum(bought.amount_bytes for bought in in_force)
    burst_bytes = max(0, occupied_bytes - entitled_bytes)
    price = prices.at(begin_s)
    state = _state(resting)
    return ExplainedInterval(
        start=begin_s,
        end=end_s,
        seconds=end_s - begin_s,
        state=state,
        occupied_bytes=occupied_bytes,
        entitled_bytes=entitled_bytes,
        burst_bytes=burst_bytes,
        burst_byte_seconds=burst_bytes * (end_s - begin_s),
        price=price,
        is_charged=burst_bytes > 0 and state != "missing" and prices.is_of_line(price),
        snapshots=snapshots,
        subscriptions=[bought.id for bought in in_force],
        polls=[
            ExplainedPoll(
                endpoint=hold.poll["endpoint"], poll_time=hold.poll["poll_s"], state=hold.state, start=begin_s, end=end_s,
                ingest_seq=hold.poll["ingest_seq"], ingested_at=hold.poll["ingested_at_s"], file=hold.poll["file"],
            )
            for hold in resting
        ],
    )  # fmt: skip


def _state(resting: list[_Hold]) -> State:
    states = [hold.state for hold in resting]
    if all(state == "missing" for state in states):
        return "missing"
    if "missing" in states:
        return "partial"
    return "held" if "held" in states else "measured"


def _constants(interval: ExplainedInterval) -> tuple[Any, ...]:
    """Give what must not change within an interval: what counts, which endpoints are known, and how well each is."""
    known = [(poll.endpoint, poll.state) for poll in interval.polls]
    return interval.snapshots, interval.subscriptions, interval.price, known


def _joined(intervals: list[ExplainedInterval]) -> list[ExplainedInterval]:
    """Join neighbours in which nothing changes but the poll; the parts that rest on one poll are joined likewise."""
    found: list[list[ExplainedInterval]] = []
    for interval in intervals:
        last = found[-1][-1] if found else None
        if last and last.end == interval.start and _constants(last) == _constants(interval):
            found[-1].append(interval)
        else:
            found.append([interval])
    return [
        parts[0].model_copy(
            update={
                "end": parts[-1].end,
                "seconds": sum(part.seconds for part in parts),
                "burst_byte_seconds": sum(part.burst_byte_seconds for part in parts),
                "polls": _joined_polls([poll for part in parts for poll in part.polls]),
            }
        )
        for parts in found
    ]


def _joined_polls(polls: list[ExplainedPoll]) -> list[ExplainedPoll]:
    by_hold: dict[tuple[Any, ...], ExplainedPoll] = {}
    for poll in polls:
        key = (poll.endpoint, poll.poll_time, poll.state)
        first = by_hold.setdefault(key, poll)
        by_hold[key] = first.model_copy(update={"end": poll.end})
    return sorted(by_hold.values(), key=lambda poll: (poll.endpoint, poll.start))
