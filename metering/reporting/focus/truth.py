"""The rows of an export, and what they must agree with."""

from dataclasses import dataclass, field
from decimal import Decimal

from metering.billing.money import quotient_amount
from metering.model.period import Period
from metering.reporting.focus.commitments import Commitment
from metering.reporting.focus.rows import Row


@dataclass(frozen=True, slots=True)
class Truth:
    """What the rows must agree with.

    `statements` has the exact sum and the amount due by account and currency, `covered` the byte-seconds that subscriptions cover
    by account and location, `commitments` the subscriptions of the period and `told` these and those of corrections, by name.
    `closed` has the closed periods by the run that closed them, `unchanged` the subscriptions, each with such a run, of which only
    the use is corrected.
    """

    period: Period
    stop_s: int
    statements: dict[tuple[str, str], tuple[Decimal, Decimal]]
    covered: dict[tuple[str, str], int]
    commitments: dict[str, Commitment]
    told: dict[str, Commitment]
    closed: dict[str, Period]
    run_id: str
    unchanged: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Focus:
    """The rows of both datasets, and what they must agree with."""

    rows: list[Row]
    commitments: list[Row]
    truth: Truth = field(repr=False)


def is_burst(row: Row) -> bool:
    """Tell whether a row is usage that no subscription covers."""
    return row["ChargeCategory"] == "Usage" and row["CommitmentDiscountId"] is None


def is_part(row: Row) -> bool:
    """Tell whether a row is what of a subscription was used, or went unused."""
    return row["ChargeCategory"] == "Usage" and row["CommitmentDiscountId"] is not None


def metered(row: Row) -> int:
    """Give a row's byte-seconds."""
    return int(row["x_MeteredByteSeconds"])


def is_quantity(value: Decimal | None, byte_seconds: int, unit: int) -> bool:
    """Tell whether a quantity is byte-seconds in a unit, rounded once."""
    return value == quotient_amount(byte_seconds, unit)
