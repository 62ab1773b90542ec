"""The rows of a bill, as they leave in JSON (INTERFACE.md).

Bytes, byte-seconds and money can pass 2⁵³, so they leave as strings of plain decimals; seconds, counts and levels are
numbers. Instants are whole UTC seconds inside and `2026-10-01T00:00:00Z` outside. What left can be read again.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from metering.model.period import date_text, instant_seconds, instant_text


def _read(parse: Callable[[str], Any]) -> BeforeValidator:
    return BeforeValidator(lambda value: parse(value) if isinstance(value, str) else value)


BigInteger = Annotated[int, PlainSerializer(str, return_type=str), _read(int)]
Money = Annotated[Decimal, PlainSerializer(lambda amount: format(amount, "f"), return_type=str), _read(Decimal)]
Instant = Annotated[int, PlainSerializer(instant_text, return_type=str), _read(instant_seconds)]
Date = Annotated[int, PlainSerializer(date_text, return_type=str), _read(instant_seconds)]
State = Literal["measured", "held", "partial", "missing"]
Severity = Literal["error", "warning", "info"]


def _is_none(value: object) -> bool:
    return value is None


def _unsaid() -> Any:
    """Give the default of a field that is not named where it says nothing."""
    return Field(default=None, exclude_if=_is_none)


class Row(BaseModel):
    """A row of a result: immutable, no column that is not named here, no value that had to be bent to fit."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    def document(self) -> dict[str, Any]:
        """Give the row as JSON has it; a field that is left out where it says nothing (`_unsaid`) is not named then."""
        return self.model_dump(mode="json")


class BilledPeriod(Row):
    """The interval `[start, end)` that was billed, and the clock of the computation."""

    start: Instant
    end: Instant
    as_of: Instant


class UsageRow(Row):
    """One account in one location: quantities integrated over measured + held + partial time, and the seconds in each state.

    `occupied − entitled = burst − unused`, exactly.
    """

    account: str
    location: str
    occupied_byte_seconds: BigInteger
    entitled_byte_seconds: BigInteger
    burst_byte_seconds: BigInteger
    unused_byte_seconds: BigInteger
    peak_occupied_bytes: BigInteger
    measured_seconds: int
    held_seconds: int
    partial_seconds: int
    missing_seconds: int

    @property
    def known_seconds(self) -> int:
        """The seconds in any state: of the time before the first poll nothing is known."""
        return self.measured_seconds + self.held_seconds + self.partial_seconds + self.missing_seconds


class ChargeLine(Row):
    """One account, location, UTC date and price with burst > 0; `price` and `amount` are None where no price was in force.

    An adjustment is what such a line of a closed period (`adjusts`) would be now, less what was billed for it so far: its
    byte-seconds, seconds and amount are differences, and signed; its peak is the line's peak now.
    """

    charge_id: str
    kind: Literal["burst", "adjustment"]
    account: str
    location: str
    date: Date
    level: int
    currency: str | None
    price: str | None
    unit: str | None
    multiplier: BigInteger | None
    burst_byte_seconds: BigInteger
    burst_seconds: int
    peak_burst_bytes: BigInteger
    amount: Money | None
    adjusts: str | None = _unsaid()


class Episode(Row):
    """A maximal interval `[start, end)` in which an account bursts in a location without a break."""

    account: str
    location: str
    start: Instant
    end: Instant
    peak_burst_bytes: BigInteger
    burst_byte_seconds: BigInteger
    currency: str | None
    amount: Money | None


class Statement(Row):
    """One account, period and currency: the sum of its lines' amounts, and what is due, None while a line is unpriced.

    `draft` may still change; `closed` is frozen; `parked` has an unpriced line, and nothing of it is billed. An account whose
    currency changed has a second statement where it is owed, or owes, something in the old one.
    """

    account: str
    name: str | None
    currency: str | None
    state: Literal["draft", "closed", "parked"]
    burst_amount: Money
    amount_due: Money | None


class Finding(Row):
    """Something a person should know before believing the figures; `seconds` and `count` say how much of it there is.

    Some checks say more, under names of their own; big integers and money are then text, as they leave.
    """

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    check: str
    severity: Severity
    account: str | None = None
    location: str | None = None
    message: str
    count: int | None = _unsaid()
    seconds: int | None = _unsaid()


def called(names: Mapping[str, str | None]) -> dict[str, str]:
    """Say what to call each account: its name, unless it has none or two have the same."""
    own = {account: name or account for account, name in names.items()}
    shared = Counter(own.values())
    return {account: name if shared[name] == 1 else account for account, name in own.items()}


def with_identifier(names: Mapping[str, str], account: str) -> str:
    """Name an account with the identifier that `--account` takes behind its name; one that has no name is its identifier."""
    name = names.get(account, account)
    return account if name == account else f"{name} ({account})"


class Bill(Row):
    """What `run` and `bill` print; rows are sorted by their key, so the same facts give the same bytes."""

    period: BilledPeriod
    usage: list[UsageRow]
    lines: list[ChargeLine]
    episodes: list[Episode]
    statements: list[Statement]
    findings: list[Finding]

    @property
    def names(self) -> dict[str, str]:
        """What to call each account; see `called`."""
        return called({row.account: row.name for row in self.statements})

    @property
    def due(self) -> list[tuple[str, Decimal]]:
        """What is due in all, by currency; parked statements are in no sum."""
        sums: dict[str, Decimal] = {}
        for row in self.statements:
            if row.amount_due is not None and row.currency is not None:
                sums[row.currency] = sums.get(row.currency, Decimal(0)) + row.amount_due
        return sorted(sums.items())

    def of_account(self, account: str) -> Self:
        """Keep one account's rows."""
        parts = ("usage", "lines", "episodes", "statements", "findings")
        return self.model_copy(update={part: [row for row in getattr(self, part) if row.account == account] for part in parts})
