"""One account and location as steps of time: what it occupied, was entitled to and burst, how well that is known, at what price.

All intervals are half open, all instants whole seconds; an amount is an exact ratio until somebody rounds it.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Any

from metering.billing.money import Price
from metering.billing.rates import Rate, RateBook
from metering.billing.usage import Computation
from metering.engine.duckdb import Engine

# The state of time of which the facts know nothing at all, such as before the first poll.
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Step:
    """`[start_s, end_s)` in which nothing changes; missing and unknown time has no burst, whatever the levels say."""

    start_s: int
    end_s: int
    occupied_bytes: int
    entitled_bytes: int
    state: str
    rate_key: int

    @property
    def is_observed(self) -> bool:
        """Whether the time is billed."""
        return self.state not in ("missing", UNKNOWN)

    @property
    def burst_bytes(self) -> int:
        """What is held beyond the entitlement, in time that is billed."""
        return max(0, self.occupied_bytes - self.entitled_bytes) if self.is_observed else 0

    @property
    def seconds(self) -> int:
        """Its length."""
        return self.end_s - self.start_s

    def clipped(self, start_s: int, end_s: int) -> "Step":
        """Give the part of the step that lies in `[start_s, end_s)`."""
        return replace(self, start_s=max(self.start_s, start_s), end_s=min(self.end_s, end_s))


@dataclass(frozen=True, slots=True)
class Unit:
    """An account in a location, and the currency it is charged in; empty where the account is not known."""

    account: str
    location: str
    currency: str


class UnitSteps:
    """The steps of one unit over a computed period, in order; between them, and around them, time is unknown."""

    def __init__(self, unit: Unit, steps: list[Step], book: RateBook, rate_changes: Mapping[int, int]) -> None:
        """Keep the steps, the rates of the period, and from when on which of them is in force for the unit."""
        self.unit = unit
        self.steps = steps
        self._starts = [step.start_s for step in steps]
        self._book = book
        # Where a poll showed another level than the one before.
        self._changes = [
            after.start_s
            for before, after in pairwise(steps)
            if before.end_s == after.start_s and before.is_observed and before.occupied_bytes != after.occupied_bytes
        ]
        self._rate_changes = sorted(rate_changes.items())

    def at(self, instant_s: int) -> Step | None:
        """Give the step that holds an instant."""
        index = bisect_right(self._starts, instant_s) - 1
        if index >= 0 and instant_s < self.steps[index].end_s:
            return self.steps[index]
        return None

    def bursts(self) -> Iterator[Step]:
        """Give the steps that burst; adjoining ones of one burst and one price are one, however well each is known."""
        run: Step | None = None
        for step in self.steps:
            if run and (run.end_s, run.burst_bytes, run.rate_key) == (step.start_s, step.burst_bytes, step.rate_key):
                run = replace(run, end_s=step.end_s)
                continue
            if run and run.burst_bytes:
                yield run
            run = step
        if run and run.burst_bytes:
            yield run

    def between(self, start_s: int, end_s: int) -> Iterator[Step]:
        """Cut `[start_s, end_s)` into its steps without a break; what no step covers is unknown."""
        at_s = start_s
        for index in range(max(0, bisect_right(self._starts, start_s) - 1), len(self.steps)):
            step = self.steps[index]
            if step.start_s >= end_s:
                break
            if step.end_s <= at_s:
                continue
            if step.start_s > at_s:
                yield Step(at_s, step.start_s, 0, 0, UNKNOWN, -1)
            part = step.clipped(start_s, end_s)
            yield part
            at_s = part.end_s
        if at_s < end_s:
            yield Step(at_s, end_s, 0, 0, UNKNOWN, -1)

    def charge(self, start_s: int, end_s: int) -> Fraction:
        """Charge the burst of `[start_s, end_s)`, exactly; what is unpriced costs nothing here, and is told by others."""
        return sum((self.rate_of(step) * step.seconds for step in self.between(start_s, end_s)), Fraction(0))

    def changes(self, start_s: int, end_s: int) -> list[int]:
        """Give the instants in `[start_s, end_s)` at which a poll showed another level than the one before."""
        return self._changes[bisect_left(self._changes, start_s) : bisect_left(self._changes, end_s)]

    def rate_of(self, step: Step) -> Fraction:
        """Give what a step costs in a second."""
        price = self.price_of(step) if step.burst_bytes else None
        return step.burst_bytes * price.per_byte_second if price else Fraction(0)

    def price_of(self, step: Step) -> Price | None:
        """Give the price of burst in a step of ours; None where none is in force."""
        return self._book.rates[step.rate_key].price

    def rate_at(self, instant_s: int) -> Rate | None:
        """Give level and price of burst at an instant, observed or not; None outside the period."""
        index = bisect_right(self._rate_changes, instant_s, key=lambda change: change[0])
        return self._book.rates[self._rate_changes[index - 1][1]] if index else None


def units_of(engine: Engine) -> list[Unit]:
    """List what a computed period meters, in order."""
    return [Unit(*row) for row in engine.sql("select account, location, currency from units order by account, location")]


def steps_of(engine: Engine, computation: Computation, units: Sequence[Unit]) -> Iterator[UnitSteps]:
    """Read the steps of units, which stand as `units_of` gives them, one after the other.

    Nothing else may run on this engine before the last one was given.
    """
    dated: defaultdict[tuple[str, str], dict[int, int]] = defaultdict(dict)
    for change in computation.rates.steps:
        dated[change.currency, change.location][change.starts_at_s] = change.rate_key
    keys = {(account, location): key for account, location, key in engine.sql("select account, location, unit_key from units")}
    engine.load("told_units", {"unit_key": "bigint"}, ([keys[unit.account, unit.location]] for unit in units))
    groups = groupby(engine.stream("reports/unit_steps"), itemgetter(0))
    key, rows = next(groups, (None, iter(())))
    for unit in units:
        steps: list[Step] = []
        if key == keys[unit.account, unit.location]:
            steps = _joined(_step(*row[1:]) for row in rows)
            key, rows = next(groups, (None, iter(())))
        yield UnitSteps(unit, steps, computation.rates, dated[unit.currency, unit.location])
    engine.drop("told_units")


def steps_at(engine: Engine, instant_s: int) -> dict[tuple[str, str], Step]:
    """Give the step that holds an instant, of each account and location of which something is known then."""
    rows = engine.rows("reports/steps_at", {"instant_s": instant_s})
    return {(row.pop("account"), row.pop("location")): _step(*row.values()) for row in rows}


def _step(starts_at_s: int, ends_at_s: int, occupied_bytes: Any, entitled_bytes: Any, state: str, rate_key: int) -> Step:
    return Step(starts_at_s, ends_at_s, int(occupied_bytes), int(entitled_bytes), state, rate_key)


def _joined(steps: Iterable[Step]) -> list[Step]:
    """Make adjoining steps that agree in all but their time one."""
    found: list[Step] = []
    for step in steps:
        last = found[-1] if found else None
        if last and last.end_s == step.start_s and _says(last) == _says(step):
            found[-1] = replace(last, end_s=step.end_s)
        else:
            found.append(step)
    return found


def _says(step: Step) -> tuple[int, int, str, int]:
    return step.occupied_bytes, step.entitled_bytes, step.state, step.rate_key
