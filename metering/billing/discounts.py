"""What a longer subscription saves, where and when: as the settings say, else as the provider said, else as it publishes.

The collector keeps what each location says of its discounts as dated facts; a length that it no longer names is one of them, with
nothing as its discount. Nothing says what it said before it was first asked; what it said then counts.
"""

from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from metering.billing.subscriptions import DISCOUNTS, Discounts
from metering.engine.interface import QueryEngine
from metering.model.period import Period
from metering.model.terms import Term, parse_term


@dataclass(frozen=True, slots=True)
class Settled:
    """What the settings say of discounts (`DISCOUNTS` itself where they say nothing): what they said when periods were closed.

    What a subscription costs is settled by the first closing of a period in which it entitles; other settings are for what comes
    after, and restate nothing. `closed` has periods in the order in which they were closed, `otherwise` what counts beside them.
    """

    otherwise: Discounts
    closed: tuple[tuple[Period, Discounts], ...] = ()

    def of(self, start_s: int, end_s: int) -> Discounts:
        """Give what they say of a subscription that entitles in `[start_s, end_s)`."""
        settled = (said for period, said in self.closed if start_s < period.end_s and period.start_s < end_s)
        return next(settled, self.otherwise)


class DiscountBook:
    """The discounts of every location, by the instants at which a subscription starts and ends."""

    def __init__(self, settings: Settled, rows: list[dict[str, Any]] | None = None) -> None:
        """Take what the settings say, and the facts."""
        self._settings = settings
        self._said: defaultdict[str, defaultdict[Term, list[tuple[int, str]]]] = defaultdict(lambda: defaultdict(list))
        self._first_s: dict[str, int] = {}
        for row in rows or ():
            location, from_s = row["location"], int(row["effective_from_s"])
            self._first_s[location] = min(from_s, self._first_s.get(location, from_s))
            if row["period"]:
                self._said[location][parse_term(row["period"])].append((from_s, row["discount"]))

    @classmethod
    def read(cls, engine: QueryEngine, settings: Settled, known_seq: int) -> "DiscountBook":
        """Read what was known of them by an ingest."""
        return cls(settings, engine.rows("billing/known_discounts", {"known_seq": known_seq}))

    def at(self, location: str | None, start_s: int, end_s: int) -> Discounts:
        """Give the discounts of a subscription in a location that entitles in `[start_s, end_s)`."""
        settings = self._settings.of(start_s, end_s)
        if settings is not DISCOUNTS or location is None or location not in self._first_s:
            return settings
        asked_s = max(start_s, self._first_s[location])
        in_force = ((term, _in_force(said, asked_s)) for term, said in self._said[location].items())
        return tuple((term, Fraction(discount)) for term, discount in in_force if discount)


def _in_force(said: list[tuple[int, str]], instant_s: int) -> str:
    """Give what was said last of a length, nothing where it was not, or no longer, on the list."""
    return max((each for each in said if each[0] <= instant_s), default=(0, ""))[1]
