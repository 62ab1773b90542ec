"""What a row's comparison found, added up so that nothing is lost: theirs − ours is the causes' share and the mismatches'.

Every row is compared in exact ratios. Its figures are then rounded once to 20 decimals, and what that leaves over in the row is
counted under `rounding`, so all sums of whole units add up exactly.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import TypeVar

from metering.billing.money import AMOUNT_PLACES, amount_of, amount_units, from_units
from metering.model.reconciliation import (
    CAUSES,
    OUTCOMES,
    Cause,
    CauseTotal,
    CurrencyTotal,
    Mismatch,
    Outcome,
    OutcomeTotal,
    PassedOver,
    UnitTotal,
)
from metering.model.records import Severity
from metering.reporting.unit_steps import Unit

Named = TypeVar("Named", Outcome, Cause)


@dataclass(frozen=True, slots=True)
class Found:
    """A mismatch within a row: what is wrong, and the exact amount at stake, theirs − ours."""

    check: str
    message: str
    difference: Fraction
    severity: Severity = "error"


@dataclass(slots=True)
class Compared:
    """One row of theirs held against ours over `[start_s, end_s)`: `theirs − ours = Σ causes + Σ found`, exactly."""

    start_s: int
    end_s: int
    ours: Fraction = field(default_factory=Fraction)
    theirs: Fraction = field(default_factory=Fraction)
    causes: dict[Cause, Fraction] = field(default_factory=dict)
    found: list[Found] = field(default_factory=list)
    place: str | None = None
    outcome: Outcome | None = None

    def explain(self, cause: Cause, amount: Fraction) -> None:
        """Let a cause explain a part of the difference."""
        if amount:
            self.causes[cause] = self.causes.get(cause, Fraction(0)) + amount


def money(units: int) -> Decimal:
    """Give whole units of the 20th decimal as an amount."""
    return from_units(units, AMOUNT_PLACES)


class Tally:
    """Adds rows up by unit, currency, outcome and cause."""

    def __init__(self, tolerance: Fraction) -> None:
        self._tolerance = tolerance
        self.findings: list[Mismatch] = []
        self._units: dict[Unit, list[int]] = {}
        self._outcomes: defaultdict[tuple[str, Outcome], list[int]] = defaultdict(lambda: [0, 0, 0])
        self._causes: defaultdict[tuple[str, Cause], list[int]] = defaultdict(lambda: [0, 0])
        self._passed: Counter[str] = Counter()

    def know(self, unit: Unit) -> None:
        """Count a unit in, whether there is a row of it or not."""
        self._units.setdefault(unit, [0, 0, 0])

    def pass_over(self, what: str, count: int = 1) -> None:
        """Count rows that are not compared."""
        if count:
            self._passed[what] += count

    def match(self, unit: Unit, units: int, rows: int = 1) -> None:
        """Count rows in which theirs is ours to the last digit."""
        self._count(unit, "matched", units, units, rows)

    def add(self, unit: Unit, row: Compared) -> None:
        """Count a compared row in; what is found below the tolerance is a cause like any other."""
        at_stake = [each for each in row.found if not each.difference or abs(each.difference) > self._tolerance]
        for each in row.found:
            if each not in at_stake:
                row.explain("tolerated", each.difference)
        ours, theirs = amount_units(row.ours), amount_units(row.theirs)
        left = theirs - ours
        for each in at_stake:
            stake = amount_units(each.difference)
            left -= stake
            self._find(unit, row, each, stake)
        for cause, amount in row.causes.items():
            if cause != "rounding":
                share = amount_units(amount)
                left -= share
                self._explain(unit, cause, share)
        if left:
            self._explain(unit, "rounding", left)
        self._count(unit, row.outcome or ("different" if at_stake else "matched"), ours, theirs, 1)

    def _find(self, unit: Unit, row: Compared, each: Found, stake: int) -> None:
        self._units[unit][2] += stake
        self.findings.append(
            Mismatch(
                check=each.check, severity=each.severity, account=unit.account, location=unit.location, start=row.start_s,
                end=row.end_s, currency=unit.currency or None, ours=amount_of(row.ours), theirs=amount_of(row.theirs),
                difference=money(stake), place=row.place, message=each.message,
            )
        )  # fmt: skip

    def _explain(self, unit: Unit, cause: Cause, share: int) -> None:
        into = self._causes[unit.currency, cause]
        into[0] += 1
        into[1] += share

    def _count(self, unit: Unit, outcome: Outcome, ours: int, theirs: int, rows: int) -> None:
        self.know(unit)
        self._units[unit][0] += ours
        self._units[unit][1] += theirs
        into = self._outcomes[unit.currency, outcome]
        into[0] += rows
        into[1] += ours
        into[2] += theirs

    def unit_totals(self) -> list[UnitTotal]:
        """Give the sums of each account and location."""
        return [
            UnitTotal(
                account=unit.account, location=unit.location, currency=unit.currency or None, ours=money(ours),
                theirs=money(theirs), difference=money(theirs - ours), explained=money(theirs - ours - stake),
                at_stake=money(stake),
            )
            for unit, (ours, theirs, stake) in sorted(self._units.items(), key=lambda item: (item[0].account, item[0].location))
        ]  # fmt: skip

    def currency_totals(self, billed: dict[str, int]) -> list[CurrencyTotal]:
        """Give the sums of each currency beside what our charge lines add up to there."""
        sums: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
        for unit, figures in self._units.items():
            sums[unit.currency] = [a + b for a, b in zip(sums[unit.currency], figures, strict=True)]
        return [
            CurrencyTotal(
                currency=currency or None, ours=money(ours), theirs=money(theirs), difference=money(theirs - ours),
                explained=money(theirs - ours - stake), at_stake=money(stake), billed=money(billed.get(currency, 0)),
                rounding_against_bill=money(ours - billed.get(currency, 0)),
            )
            for currency, (ours, theirs, stake) in sorted(sums.items())
        ]  # fmt: skip

    def outcome_totals(self) -> list[OutcomeTotal]:
        """Give the sums of each outcome."""
        return [
            OutcomeTotal(
                currency=currency or None, outcome=outcome, row_count=rows, ours=money(ours), theirs=money(theirs),
                difference=money(theirs - ours),
            )
            for (currency, outcome), (rows, ours, theirs) in _in_order(self._outcomes, OUTCOMES)
        ]  # fmt: skip

    def cause_totals(self) -> list[CauseTotal]:
        """Give what each cause explains."""
        return [
            CauseTotal(currency=currency or None, cause=cause, row_count=rows, difference=money(share))
            for (currency, cause), (rows, share) in _in_order(self._causes, CAUSES)
        ]

    def passed_over(self) -> list[PassedOver]:
        """Give what was not compared."""
        return [PassedOver(what=what, row_count=count) for what, count in sorted(self._passed.items())]


def _in_order(sums: dict[tuple[str, Named], list[int]], names: Iterable[Named]) -> list[tuple[tuple[str, Named], list[int]]]:
    order = list(names)
    return sorted(sums.items(), key=lambda item: (item[0][0], order.index(item[0][1])))
