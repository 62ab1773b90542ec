"""The interval of a subscription: what start, end and period mean together, and the moves to noon.

Source: ACCOUNTING.md §5, after the provider's rules of buying. A subscription bought by period ends at `start + period` in
calendar arithmetic, moved up to the next noon UTC; its start, if in the future, first moves back to the noon before it.
"""

import re
from dataclasses import dataclass

from dateutil.relativedelta import relativedelta

from metering.model.period import SECONDS_PER_DAY, instant_seconds, moment

NOON_S = SECONDS_PER_DAY // 2

_TERM = re.compile(r"([1-9][0-9]{0,3}) (day|week|month|year)s?", re.ASCII)


# The same stands in queries/billing/known_subscriptions.sql; a test holds the two together.
_RENEWING = ("true", "1", "yes")


def renews(auto_renew: str | None) -> bool:
    """Whether the `auto_renew` of a subscription, whoever wrote it how, says that it is renewed by itself.

    >>> renews("True"), renews("no"), renews(None)
    (True, False, False)
    """
    return (auto_renew or "").lower() in _RENEWING


class CalendarError(ValueError):
    """A time that no calendar has."""


@dataclass(frozen=True, slots=True)
class Term:
    """A length in the calendar, such as 3 months."""

    count: int
    unit: str

    @property
    def text(self) -> str:
        """The one way to write it: `1 month`, `3 months`."""
        return f"{self.count} {self.unit}{'' if self.count == 1 else 's'}"

    @property
    def in_calendar(self) -> tuple[int, str]:
        """The same length in months or in days: a year is 12 months, a week 7 days; how many days are a month depends.

        >>> Term(1, "year").in_calendar, Term(2, "week").in_calendar
        ((12, 'month'), (14, 'day'))
        """
        factor, unit = {"year": (12, "month"), "week": (7, "day")}.get(self.unit, (1, self.unit))
        return self.count * factor, unit

    def after(self, start_s: int) -> int:
        """Give `start + term`; the 31st is clamped to the month's last day."""
        return _seconds_of(start_s, self.count, self.unit)

    def before(self, end_s: int) -> int:
        """Give `end − term`, clamped likewise."""
        return _seconds_of(end_s, -self.count, self.unit)


def _seconds_of(origin_s: int, count: int, unit: str) -> int:
    delta = {
        "day": relativedelta(days=count),
        "week": relativedelta(weeks=count),
        "month": relativedelta(months=count),
        "year": relativedelta(years=count),
    }[unit]
    try:
        return instant_seconds((moment(origin_s) + delta).isoformat())
    except (OverflowError, ValueError):
        raise CalendarError("leaves the calendar") from None


def parse_term(text: str) -> Term:
    """Read `1 month`, `3 months`, `30 days`, `2 weeks`, `1 year`.

    Raises:
        ValueError: the text is no such length; its message is the reason.
    """
    match = _TERM.fullmatch(text.strip())
    if match is None:
        raise ValueError("is no period such as 30 days, 1 month or 1 year")
    return Term(int(match[1]), match[2])


def noon_from(instant_s: int) -> int:
    """Move up to the next noon UTC; noon itself stays."""
    return instant_s + (NOON_S - instant_s) % SECONDS_PER_DAY


def noon_until(instant_s: int) -> int:
    """Move back to the noon UTC before; noon itself stays."""
    return instant_s - (instant_s - NOON_S) % SECONDS_PER_DAY


@dataclass(frozen=True, slots=True)
class Interval:
    """A subscription's `[start_s, end_s)` and its nominal seconds, the calendar length before the move to noon."""

    start_s: int
    end_s: int
    nominal_seconds: int


def resolve_interval(start_s: int | None, end_s: int | None, term: Term | None, now_s: int) -> Interval:
    """Resolve what was said of a subscription's time, by the table of ACCOUNTING.md §5.

    The moves to noon belong to a purchase by period instead of end: an end that was given is exact, and so is `[start, end)`.

    Raises:
        ValueError: too much or too little was said, or the interval is empty; its message is the reason.
    """
    interval = _resolve(start_s, end_s, term, now_s)
    if interval.end_s <= interval.start_s:
        raise ValueError("end_time is not after start_time")
    return _in_calendar(interval)


def extension(interval: Interval, term: Term | None) -> Interval:
    """Give the interval that follows on: by the same exact length, or, where it was bought by period, by that, read again.

    Source: ACCOUNTING.md §5. The new start is the old end; a period's end moves up to noon, as at the purchase.
    """
    start_s = interval.end_s
    if term is None:
        end_s = start_s + (interval.end_s - interval.start_s)
        return _in_calendar(Interval(start_s, end_s, end_s - start_s))
    end_s = term.after(start_s)
    return _in_calendar(Interval(start_s, noon_from(end_s), end_s - start_s))


def _in_calendar(interval: Interval) -> Interval:
    try:
        moment(interval.end_s)
    except (OverflowError, ValueError):
        raise CalendarError("leaves the calendar") from None
    return interval


def _resolve(start_s: int | None, end_s: int | None, term: Term | None, now_s: int) -> Interval:
    match (start_s, end_s, term):
        case (int(), int(), Term()):
            raise ValueError("start_time, end_time and period together are ambiguous: leave one out")
        case (int(start), int(end), None):
            return Interval(start, end, end - start)
        case (None, int(end), Term() as length):
            start = length.before(end)
            return Interval(start, end, end - start)
        case (None, int(end), None):
            return Interval(now_s, end, end - now_s)
        case (_, None, Term() as length):
            start = now_s if start_s is None else start_s
            if start > now_s:
                start = noon_until(start)
            end = length.after(start)
            return Interval(start, noon_from(end), end - start)
        case _:
            raise ValueError("start_time, end_time or period is missing: not specific enough")
