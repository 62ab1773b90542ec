"""Instants and periods in UTC whole seconds.

Every instant enters with an offset (`Z` or `±hh:mm`) and is floored to a whole second, because the provider bills whole
seconds; so durations add up exactly. A bare date means its 00:00Z. Every interval is half open: `[start, end)`.
Source: ACCOUNTING.md §2.
"""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache

from metering.model.errors import MisuseError

SECONDS_PER_DAY = 86_400
# The seconds of the years 1 to 9999, [start, end): no other can be written. queries/staging/checked_samples.sql has them too.
CALENDAR_START_S = -62_135_596_800
CALENDAR_END_S = 253_402_300_800

# The same text stands in queries/staging/checked_samples.sql; tests/test_docs.py holds the two together.
INSTANT_PATTERN = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]{1,18})?)?"
    r"(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9]))?"
)
_INSTANT = re.compile(INSTANT_PATTERN, re.ASCII)
_MONTH = re.compile(r"([0-9]{4})-([0-9]{2})", re.ASCII)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def instant_seconds(text: str) -> int:
    """Read an instant: whole seconds since 1970-01-01T00:00Z, floored.

    >>> instant_seconds("1970-01-02T01:00:00.999+01:00")
    86400

    Raises:
        ValueError: the text is no instant, or has no offset; its message is the reason.
    """
    if not _INSTANT.fullmatch(text):
        if _INSTANT.fullmatch(text + "Z"):
            raise ValueError("has no offset: end it in Z or ±hh:mm")
        raise ValueError("is no instant such as 2026-10-01T00:00:00Z")
    try:
        if len(text) == len("2026-10-01"):
            return _seconds(datetime.fromisoformat(text).replace(tzinfo=UTC))
        whole = re.sub(r"[.][0-9]+", "", text)
        return _seconds(datetime.fromisoformat(whole))
    except (ValueError, OverflowError):
        raise ValueError("is no date of the calendar") from None


def _seconds(moment: datetime) -> int:
    seconds = (moment - _EPOCH) // timedelta(seconds=1)
    # A clock on the wall may show a date of the calendar where there is none in UTC.
    if not CALENDAR_START_S <= seconds < CALENDAR_END_S:
        raise OverflowError
    return seconds


def moment(seconds: int) -> datetime:
    """Give whole seconds as an aware UTC datetime."""
    return _EPOCH + timedelta(seconds=seconds)


def instant_text(seconds: int) -> str:
    """Write whole seconds as `2026-10-01T00:00:00Z`."""
    return f"{_midnight_text(day_start(seconds))}T{_clock_text(seconds % SECONDS_PER_DAY)}Z"


def day_start(seconds: int) -> int:
    """Give the first second of the UTC date that holds an instant."""
    return seconds - seconds % SECONDS_PER_DAY


def date_text(seconds: int) -> str:
    """Write the UTC date of an instant as `2026-10-01`."""
    return _midnight_text(day_start(seconds))


# A bill writes hundreds of thousands of instants, of few days.
@lru_cache(maxsize=4096)
def _midnight_text(midnight_s: int) -> str:
    return moment(midnight_s).date().isoformat()


@cache
def _clock_text(second: int) -> str:
    return f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"


def month_start(seconds: int) -> int:
    """Give the first second of the UTC month that holds an instant."""
    return _seconds(moment(seconds).replace(day=1, hour=0, minute=0, second=0))


def next_month_start(seconds: int) -> int:
    """Give the first second of the UTC month after the one that holds an instant."""
    first = moment(month_start(seconds))
    return month_start(seconds) + monthrange(first.year, first.month)[1] * SECONDS_PER_DAY


@dataclass(frozen=True, slots=True)
class Period:
    """A billed interval `[start_s, end_s)` in whole UTC seconds, `start_s < end_s`."""

    start_s: int
    end_s: int

    @property
    def text(self) -> str:
        """The shortest name of the period: `2026-10`, `2026-10-03` or `START..END`; `parse_period` reads it back."""
        return _named(self.start_s, self.end_s)


# Each adjusted line and each row of FOCUS names its period: a few, over and over.
@lru_cache(maxsize=1024)
def _named(start_s: int, end_s: int) -> str:
    if start_s == month_start(start_s) and end_s == next_month_start(start_s):
        return date_text(start_s)[:7]
    if start_s % SECONDS_PER_DAY == 0 and end_s - start_s == SECONDS_PER_DAY:
        return date_text(start_s)
    return f"{instant_text(start_s)}..{instant_text(end_s)}"


def _period(text: str) -> Period:
    if match := _MONTH.fullmatch(text):
        start_s = instant_seconds(f"{match[1]}-{match[2]}-01")
        return Period(start_s, next_month_start(start_s))
    if _DAY.fullmatch(text):
        start_s = instant_seconds(text)
        return Period(start_s, start_s + SECONDS_PER_DAY)
    start, dots, end = text.partition("..")
    if not dots:
        raise ValueError("is neither a month, a day nor START..END")
    return Period(instant_seconds(start), instant_seconds(end))


def parse_period(text: str) -> Period:
    """Read a UTC month `2026-10`, a UTC day `2026-10-03`, or `START..END` (instants or bare dates, END not included).

    Raises:
        MisuseError: the text is no period, or its end is not after its start.
    """
    try:
        period = _period(text)
    except (ValueError, OverflowError) as error:
        raise MisuseError(f"period {text!r} {error}; write 2026-10, 2026-10-03 or 2026-10-01..2026-10-08") from None
    if period.start_s < 0:
        raise MisuseError(f"period {text!r} begins before 1970")
    if period.end_s <= period.start_s:
        raise MisuseError(f"period {text!r} is empty: its end must come after its start")
    if period.end_s >= CALENDAR_END_S:
        raise MisuseError(f"period {text!r} ends where the calendar does: end it at 9999-12-31T23:59:59Z at the latest")
    return period
