"""What the provider says of usage and money, row by row and validated: ledger lines, its own samples, daily burst.

Amounts are exact ratios of what was written, bytes and seconds integers. A row that cannot be read refuses its file, in one line
that names its place: what is held against our figures must not have holes. Source: PROVIDER.md "Money".
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeVar

from metering.ingest.fact_models import MAX_IDENTIFIER_LENGTH
from metering.ingest.provider_lists import Listed
from metering.ingest.strict_json import decimal_text, is_text
from metering.model.currency import currency_code
from metering.model.errors import InputError
from metering.model.period import instant_seconds

_DECIMAL = re.compile(r"-?[0-9]{1,30}(?:[.][0-9]{1,40})?(?:[eE][+-]?[0-9]{1,2})?", re.ASCII)
_WHOLE = re.compile(r"[0-9]{1,30}", re.ASCII)
# What fits is never looked for again: a reason that nearly fits would take the square of its length.
_BURST = re.compile(r"Burst: (?>.*? of )(\S+) for (?>.*? at ).*")
_LONGEST_INTERVAL_S = 31 * 86_400
_SHOWN = 60

Parsed = TypeVar("Parsed")


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """A line of `/ledger/`: burst of `burst_bytes` during `[start_s, start_s + seconds)`, and what it cost.

    `resource` is None where the line is none of burst; account, location and currency are None where the file does not name them.
    """

    place: str
    account: str | None
    location: str | None
    resource: str | None
    start_s: int
    seconds: int
    burst_bytes: int
    amount: Fraction | None
    currency: str | None = None

    @property
    def end_s(self) -> int:
        """Where the time of the line ends."""
        return self.start_s + self.seconds


@dataclass(frozen=True, slots=True)
class SampleRow:
    """A row of `/usage/`: one object in one of the provider's own samples."""

    place: str
    account: str | None
    location: str | None
    resource: str
    poll_s: int
    uuid: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class DayRow:
    """A row of `/dailyburstusage/`: what a day's burst cost, and how high it rose."""

    place: str
    account: str | None
    location: str | None
    resource: str
    day_s: int
    amount: Fraction | None
    peak_bytes: int
    currency: str | None = None


def ledger_rows(objects: Iterable[Listed]) -> list[LedgerRow]:
    """Read lines of the ledger.

    Raises:
        InputError: a field of a line of burst is missing or cannot be read.
    """
    return [_ledger_row(each) for each in objects]


def sample_rows(objects: Iterable[Listed]) -> list[SampleRow]:
    """Read the provider's own samples.

    Raises:
        InputError: a field is missing or cannot be read.
    """
    return [
        SampleRow(
            each.place, *_owner(each), _field(each, "resource", _text), _field(each, "poll_time", _instant),
            _field(each, "uuid", _text), _field(each, "amount", _whole),
        )
        for each in objects
    ]  # fmt: skip


def day_rows(objects: Iterable[Listed]) -> list[DayRow]:
    """Read daily burst.

    Raises:
        InputError: a field is missing or cannot be read.
    """
    return [
        DayRow(
            each.place, *_owner(each), _field(each, "resource_type", _text), _field(each, "date", _date),
            _optional(each, "amount", _decimal), _field(each, "usage", _whole), _optional(each, "currency", _currency),
        )
        for each in objects
    ]  # fmt: skip


def _ledger_row(each: Listed) -> LedgerRow:
    burst = _BURST.fullmatch(_field(each, "reason", _text))
    if burst is None:
        # Payments, purchases: what they say of time and resources is not compared.
        return LedgerRow(each.place, *_owner(each), None, _field(each, "time", _instant), 0, 0, _optional(each, "amount", _decimal))
    seconds = _field(each, "interval", _whole)
    if not 0 < seconds <= _LONGEST_INTERVAL_S:
        raise InputError(f"{each.place}: interval {seconds} is no length of a line, in seconds")
    return LedgerRow(
        each.place, *_owner(each), burst[1], _field(each, "poll_time", _instant), seconds,
        _field(each, "resource_amount", _whole), _optional(each, "amount", _decimal), _optional(each, "currency", _currency),
    )  # fmt: skip


def _owner(each: Listed) -> tuple[str | None, str | None]:
    return _optional(each, "account", _text), _optional(each, "location", _text)


def _field(each: Listed, name: str, read: Callable[[Any], Parsed]) -> Parsed:
    value = each.cells.get(name)
    if value is None:
        raise InputError(f"{each.place} lacks {name}: is it of the list that was named?")
    try:
        return read(value)
    except ValueError as error:
        raise InputError(f"{each.place}: {name} {str(value)[:_SHOWN]!r} {error}") from None


def _optional(each: Listed, name: str, read: Callable[[Any], Parsed]) -> Parsed | None:
    if name not in each.cells and name == "amount":
        raise InputError(f"{each.place} lacks {name}: is it of the list that was named?")
    return None if each.cells.get(name) is None else _field(each, name, read)


def _text(value: Any) -> str:
    if not is_text(value) or not value:
        raise ValueError("is no text")
    if len(value) > 10 * MAX_IDENTIFIER_LENGTH:
        raise ValueError("is too long")
    return str(value)


def _currency(value: Any) -> str:
    return currency_code(_text(value))


def _decimal(value: Any) -> Fraction:
    text = "" if isinstance(value, bool) else decimal_text(value) or ""
    if not _DECIMAL.fullmatch(text):
        raise ValueError("is no plain decimal such as 0.00014583333333333333")
    return Fraction(text)


def _whole(value: Any) -> int:
    text = "" if isinstance(value, bool) else decimal_text(value) or ""
    if not _WHOLE.fullmatch(text):
        raise ValueError("is no whole number of 0 or more")
    return int(text)


def _instant(value: Any) -> int:
    return instant_seconds(_text(value))


def _date(value: Any) -> int:
    text = _text(value)
    if len(text) != len("2026-10-01"):
        raise ValueError("is no date such as 2026-10-05")
    return instant_seconds(text)
