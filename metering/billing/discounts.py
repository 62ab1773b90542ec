"""What a longer subscription saves, where and when: as the settings say, else as the provider said, else as it publishes.

The collector keeps what each location says of its discounts as dated facts; a length that it no longer names is one of them, with
nothing as its discount. Nothing says what it said before it was first asked; what it said then counts.
"""

from collections import defaultdict
from fractions import Fraction
from typing import Any

from metering.billing.subscriptions import DISCOUNTS, Discounts
from metering.engine.interface import QueryEngine
from metering.model.terms import Term, parse_term


class DiscountBook:
    """The discounts of every location, by the instant at which a subscription starts."""

    def __init__(self, settings: Discounts, rows: list[dict[str, Any]] | None = None) -> None:
        """Take what the settings say (`DISCOUNTS` itself where they say nothing), and the facts."""
        self._otherwise = settings
        self._said: defaultdict[str, defaultdict[Term, list[tuple[int, str]]]] = defaultdict(lambda: defaultdict(list))
        self._first_s: dict[str, int] = {}
        for row in rows or () if settings is DISCOUNTS else ():
            location, from_s = row["location"], int(row["effective_from_s"])
            self._first_s[location] = min(from_s, self._first_s.get(location, from_s))
            if row["period"]:
                self._said[location][parse_term(row["period"])].append((from_s, row["discount"]))

    @classmethod
    def read(cls, engine: QueryEngine, settings: Discounts, known_seq: int) -> "DiscountBook":
        """Read what was known of them by an ingest."""
        return cls(settings, engine.rows("billing/known_discounts", {"known_seq": known_seq}))

    def at(self, location: str | None, start_s: int) -> Discounts:
        """Give the discounts of a subscription that starts in a location at an instant."""
        if location is None or location not in self._first_s:
            return self._otherwise
        asked_s = max(start_s, self._first_s[location])
        in_force = ((term, _in_force(said, asked_s)) for term, said in self._said[location].items())
        return tuple((term, Fraction(discount)) for term, discount in in_force if discount)


def _in_force(said: list[tuple[int, str]], instant_s: int) -> str:
    """Give what was said last of a length, nothing where it was not, or no longer, on the list."""
    return max((each for each in said if each[0] <= instant_s), default=(0, ""))[1]
