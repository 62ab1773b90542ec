"""Which price burst has, when: the level in force, and the price row in force at that level.

An empty location means every location; among the rows in force any that names the location beats every one that does not, then
the latest `effective_from` wins. Burst is priced at level 1 where nothing says otherwise. Source: ACCOUNTING.md §6.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from metering.billing.money import Price

DEFAULT_BURST_LEVEL = 1


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


class _Dated:
    """Values by the instant from which they hold; the latest that has begun is in force."""

    def __init__(self) -> None:
        self._rows: list[tuple[int, Any]] = []

    def add(self, effective_from_s: int, value: Any) -> None:
        self._rows.append((effective_from_s, value))

    def sort(self) -> None:
        self._rows.sort(key=lambda row: row[0])

    def at(self, instant_s: int) -> Any | None:
        index = bisect_right(self._rows, instant_s, key=lambda row: row[0])
        return self._rows[index - 1][1] if index else None

    def instants(self) -> Iterable[int]:
        return (row[0] for row in self._rows)


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
    price_rows: defaultdict[tuple[str, str, int], _Dated] = defaultdict(_Dated)
    level_rows: defaultdict[tuple[str], _Dated] = defaultdict(_Dated)
    for row in prices:
        price = Price(row["price"], row["unit"], int(row["multiplier"]))
        price_rows[row["location"], row["currency"], int(row["level"])].add(row["effective_from_s"], price)
    for row in levels:
        level_rows[(row["location"],)].add(row["effective_from_s"], int(row["level"]))
    for dated in (*price_rows.values(), *level_rows.values()):
        dated.sort()

    book = RateBook()
    keys: dict[tuple[Any, ...], int] = {}
    for currency, location in groups:
        instants = {start_s}
        for (row_location, row_currency, _), dated in price_rows.items():
            if row_location in ("", location) and row_currency == currency:
                instants.update(dated.instants())
        for (row_location,), dated in level_rows.items():
            if row_location in ("", location):
                instants.update(dated.instants())
        before, ordinal = None, 0
        for instant_s in sorted(instant for instant in instants if start_s <= instant < stop_s):
            level = _in_force(level_rows, [(location,), ("",)], instant_s)
            level = DEFAULT_BURST_LEVEL if level is None else level
            price = _in_force(price_rows, [(location, currency, level), ("", currency, level)], instant_s)
            said = (price.per_byte_second, price.unit, price.multiplier) if price else None
            key = keys.setdefault((currency, location, level, said), len(book.rates))
            if key == len(book.rates):
                book.rates.append(Rate(level, price))
            if key != before:
                ordinal += 1
                book.steps.append(RateStep(currency, location, ordinal, instant_s, key))
                before = key
    return book


def _in_force(rows: Mapping[Any, _Dated], keys: Sequence[tuple[Any, ...]], instant_s: int) -> Any | None:
    """Give the value in force of the first key that has one."""
    for key in keys:
        value = rows[key].at(instant_s) if key in rows else None
        if value is not None:
            return value
    return None
