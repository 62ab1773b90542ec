"""Our figures held against the provider's: what matched, what only one of us has, what differs, why, and what is at stake.

Money is exact to 20 decimals and adds up: `difference` is theirs − ours everywhere, so what they charge beyond our figures is
positive, and it is the sum of what the causes explain and of the mismatches.
"""

from typing import Literal, get_args

from metering.model.records import BilledPeriod, Instant, Money, Row, Severity

Against = Literal["ledger", "usage", "dailyburst"]
Outcome = Literal["matched", "different", "ours_only", "theirs_only"]
Cause = Literal["interval_jitter", "rounding", "missing_time", "partial_time", "held_time", "between_looks", "cut", "tolerated"]
AGAINST: tuple[Against, ...] = get_args(Against)
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
CAUSES: dict[Cause, str] = {
    "interval_jitter": "lines that are a second or two longer or shorter than the time to the next one",
    "rounding": "amounts are rounded to 20 decimals line by line",
    "missing_time": "nobody of ours looked: they charge, we do not",
    "partial_time": "some of the endpoints that feed a location were missing",
    "held_time": "a poll of ours was held: we charge as if nothing had changed",
    "between_looks": "what changed between two looks of the provider, or between two polls of ours",
    "cut": "a line reaches over the edge of the period",
    "tolerated": "differences below the tolerance that was given",
}


class Mismatch(Row):
    """A row that does not agree, beyond what is tolerated: a finding, with the amount at stake as `difference`."""

    check: str
    severity: Severity
    account: str
    location: str
    start: Instant
    end: Instant
    currency: str | None
    ours: Money
    theirs: Money
    difference: Money
    place: str | None
    message: str


class CauseTotal(Row):
    """How much of the difference one tolerated cause explains, in how many rows."""

    currency: str | None
    cause: Cause
    row_count: int
    difference: Money


class OutcomeTotal(Row):
    """Rows of one outcome: how many, and what we and they charge in them."""

    currency: str | None
    outcome: Outcome
    row_count: int
    ours: Money
    theirs: Money
    difference: Money


class UnitTotal(Row):
    """One account and location: what we and they charge, and how much of the difference is explained."""

    account: str
    location: str
    currency: str | None
    ours: Money
    theirs: Money
    difference: Money
    explained: Money
    at_stake: Money


class CurrencyTotal(Row):
    """Everything in one currency; `billed` is the sum of our charge lines, from which `ours` differs by rounding alone."""

    currency: str | None
    ours: Money
    theirs: Money
    difference: Money
    explained: Money
    at_stake: Money
    billed: Money
    rounding_against_bill: Money


class PassedOver(Row):
    """Rows of theirs that were not compared, and why."""

    what: str
    row_count: int


class Reconciliation(Row):
    """What `metering reconcile` gives."""

    period: BilledPeriod
    against: Against
    totals: list[CurrencyTotal]
    outcomes: list[OutcomeTotal]
    causes: list[CauseTotal]
    units: list[UnitTotal]
    findings: list[Mismatch]
    passed_over: list[PassedOver]

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found that is more than information."""
        return all(finding.severity == "info" for finding in self.findings)
