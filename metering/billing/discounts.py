"""What a longer subscription saves, where and when: as the settings say, else as the provider said, else as it publishes.

The collector keeps what each location says of its discounts as dated facts. Nothing says what it said before it was first asked;
what it said then counts.
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
        self._said: defaultdict[str, defaultdict[Term, list[tuple[int, Fraction]]]] = defaultdict(lambda: defaultdict(list))
        for row in rows or () if settings is DISCOUNTS else ():
            said = (int(row["effective_from_s"]), Fraction(row["discount"]))
            self._said[row["location"]][parse_term(row["period"])].append(said)

    @classmethod
    def read(cls, engine: QueryEngine, settings: Discounts, known_seq: int) -> "DiscountBook":
        """Read what was known of them by an ingest."""
        return cls(settings, engine.rows("billing/known_discounts", {"known_seq": known_seq}))

    def at(self, location: str | None, start_s: int) -> Discounts:
        """Give the discounts of a subscription that starts in a location at an instant."""
        terms = self._said.get(location) if location is not None else None
        if terms is None:
            return self._otherwise
        return tuple((term, _in_force(said, start_s)) for term, said in terms.items())


def _in_force(said: list[tuple[int, Fraction]], instant_s: int) -> Fraction:
    begun = [each for each in said if each[0] <= instant_s]
    return max(begun)[1] if begun else min(said)[1]
