"""Which price burst has, when: the level in force, and the price row in force at that level.

An empty location means every location; among the rows in force any that names the location beats every one that does not, then
the latest `effective_from` wins. Burst is priced at level 1 where nothing says otherwise. Source: ACCOUNTING.md §6.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from metering.billing.money import Price

# The level of the prices that subscriptions are bought at, and the one that burst has where nothing says otherwise.
SUBSCRIPTION_LEVEL = 0
DEFAULT_BURST_LEVEL = 1

Value = TypeVar("Value")
Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Rate:
    """What burst costs while neither level nor price change; `price` is None where no price is in force."""

    level: int
    price: Price | None


@dataclass(frozen=True, slots=True)
class RateStep:
    """From `starts_at_s` on, burst of `currency` and `location` has rate number `rate_key`; `ordinal` counts on from 1."""

    currency: str
    location: str
    ordinal: int
    starts_at_s: int
    rate_key: int


@dataclass(slots=True)
class RateBook:
    """All rates of a computation by number, and the steps at which they change."""

    rates: list[Rate] = field(default_factory=list)
    steps: list[RateStep] = field(default_factory=list)


class _Dated(Generic[Key, Value]):
    """Values by key and the instant from which they hold; the latest that has begun is in force."""

    def __init__(self, rows: Iterable[tuple[Key, int, Value]]) -> None:
        self._rows: defaultdict[Key, list[tuple[int, Value]]] = defaultdict(list)
        for key, effective_from_s, value in sorted(rows, key=lambda row: row[1]):
            self._rows[key].append((effective_from_s, value))

    def in_force(self, keys: Sequence[Key], instant_s: int) -> Value | None:
        """Give the value in force of the first key that has one."""
        for key in keys:
            rows = self._rows.get(key, [])
            if index := bisect_right(rows, instant_s, key=lambda row: row[0]):
                return rows[index - 1][1]
        return None


class PriceBook:
    """The price rows of a computation by location, currency and level."""

    def __init__(self, prices: Sequence[Mapping[str, Any]]) -> None:
        self._dated = _Dated(
            (
                (row["location"], row["currency"], int(row["level"])),
                int(row["effective_from_s"]),
                Price(row["price"], row["unit"], int(row["multiplier"])),
            )
            for row in prices
        )

    def at(self, currency: str, location: str, level: int, instant_s: int) -> Price | None:
        """Give the price in force; rows that name the location beat those of every location."""
        return self._dated.in_force([(place, currency, level) for place in (location, "")], instant_s)


def rate_book(
    groups: Sequence[tuple[str, str]],
    prices: Sequence[Mapping[str, Any]],
    levels: Sequence[Mapping[str, Any]],
    start_s: int,
    stop_s: int,
) -> RateBook:
    """Lay out the rates of every (currency, location) over `[start_s, stop_s)`.

    Rows that agree in level, price, unit and multiplier are one rate: where only an `effective_from` differs, nothing changes.
    An empty currency (an unknown account) has no price.
    """
    book_of_prices = PriceBook(prices)
    dated_levels = _Dated((row["location"], int(row["effective_from_s"]), int(row["level"])) for row in levels)
    book = RateBook()
    keys: dict[tuple[Any, ...], int] = {}
    for currency, location in groups:
        places = (location, "")
        instants = {start_s}
        instants.update(row["effective_from_s"] for row in prices if row["location"] in places and row["currency"] == currency)
        instants.update(row["effective_from_s"] for row in levels if row["location"] in places)
        before, ordinal = None, 0
        for instant_s in sorted(instant for instant in instants if start_s <= instant < stop_s):
            level = dated_levels.in_force(places, instant_s)
            level = DEFAULT_BURST_LEVEL if level is None else level
            price = book_of_prices.at(currency, location, level, instant_s)
            said = (price.per_byte_second, price.unit, price.multiplier) if price else None
            key = keys.setdefault((currency, location, level, said), len(book.rates))
            if key == len(book.rates):
                book.rates.append(Rate(level, price))
            if key != before:
                ordinal += 1
                book.steps.append(RateStep(currency, location, ordinal, instant_s, key))
                before = key
    return book
