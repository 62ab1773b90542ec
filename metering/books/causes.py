"""Which facts came after a closing and can touch its period: what makes it worth recomputing, and why it is restated."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from metering.books.closings import Closing
from metering.engine.duckdb import Engine
from metering.model.period import instant_text

_NOUNS = {
    "late_polls": ("late poll", "late polls"),
    "superseded_polls": ("superseded poll", "superseded polls"),
    "subscriptions": ("subscription", "subscriptions"),
    "prices": ("price", "prices"),
    "burst_levels": ("burst level", "burst levels"),
    "account_currencies": ("currency of the account", "currencies of the account"),
    "parked_statements": ("parked statement, of which nothing was billed", "parked statements, of which nothing was billed"),
    "polls_before_the_period": ("poll before the period", "polls before the period"),
    "polls_after_the_period": ("poll after the period", "polls after the period"),
}
# The table of facts, other than samples, that a kind of cause came into.
TABLES_OF = {
    "subscriptions": "subscriptions", "prices": "prices", "burst_levels": "burst_levels", "account_currencies": "accounts",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cause:
    """Facts of one kind that came late: whom they touch, how many they are, the first of them, and the ingests that brought them.

    An account, currency or level that is None, and a location that is empty, stand for every one.
    """

    kind: str
    account: str | None
    location: str
    currency: str | None
    count: int
    first: str
    first_ingest_seq: int
    last_ingest_seq: int
    level: int | None = None

    def touches(self, account: str, locations: Collection[str], levels: Collection[int], currency: str | None) -> bool:
        """Tell whether it can be a reason why an account's lines in some locations, at some levels and in a currency changed."""
        return (
            self.account in (None, account)
            and (self.location == "" or self.location in locations)
            and (self.level is None or self.level in levels)
            and (self.currency is None or self.currency == currency)
        )

    @property
    def document(self) -> dict[str, Any]:
        """The cause as it stands in a finding."""
        return {
            "cause": self.kind, "count": self.count, "first": self.first, "first_ingest": self.first_ingest_seq,
            "last_ingest": self.last_ingest_seq,
        }  # fmt: skip

    @property
    def text(self) -> str:
        """The cause in words."""
        last = self.last_ingest_seq
        ingests = f"ingest {last}" if self.first_ingest_seq == last else f"ingests {self.first_ingest_seq} to {last}"
        first = self.first if self.count == 1 else f"the first {self.first}"
        one, several = _NOUNS[self.kind]
        return f"{self.count} {one if self.count == 1 else several} ({first}; {ingests})"


def reach_s(closing: Closing) -> int:
    """Give the instant from which no poll can decide any more how the seconds of a closed period are classed.

    The last poll of a period holds measured until the next where that comes within 1.5 cycles.
    """
    return closing.end_s + (3 * closing.said_settings.clock.cycle_s) // 2 + 1


@dataclass(frozen=True, slots=True)
class Came:
    """What came after an ingest, by another, wherever it reaches; an instant is None where there is nothing of the kind."""

    since_seq: int
    known_seq: int
    first_poll_s: int | None
    first_start_s: int | None
    last_end_s: int | None
    first_effective_s: int | None
    accounts: tuple[dict[str, Any], ...]

    @classmethod
    def read(cls, engine: Engine, since_seq: int, known_seq: int) -> "Came":
        """Look at all that came."""
        parameters = {"since_seq": since_seq, "known_seq": known_seq}
        (found,) = engine.rows("books/came_since", parameters)
        return cls(since_seq, known_seq, **found, accounts=tuple(engine.rows("books/late_accounts", parameters)))


def late_facts(engine: Engine, closing: Closing, came: Came) -> list[Cause]:
    """Give the facts that can touch a closed period, of those that came after what is reflected in what was billed for it.

    Args:
        engine: the store.
        closing: the closed period.
        came: what came since, by what the computation knows that restates it.
    """
    parameters = {
        "since_seq": came.since_seq, "known_seq": came.known_seq, "start_s": closing.start_s, "end_s": closing.end_s,
        "reach_s": reach_s(closing),
    }  # fmt: skip
    found: list[Cause] = []
    if _is_before(came.first_poll_s, reach_s(closing)):
        found += _polls(engine, parameters)
    if _is_before(came.first_start_s, closing.end_s) and _is_before(closing.start_s, came.last_end_s):
        found += _subscriptions(engine, parameters)
    if _is_before(came.first_effective_s, closing.end_s):
        found += _prices(engine, parameters)
    return found + _accounts(came)


def _is_before(instant_s: int | None, other_s: int | None) -> bool:
    return instant_s is not None and other_s is not None and instant_s < other_s


def _polls(engine: Engine, parameters: dict[str, Any]) -> list[Cause]:
    return [
        Cause(
            "superseded_polls" if row["is_superseding"] else "late_polls", row["account"], "", None, row["poll_count"],
            f"at {row['endpoint']} {instant_text(row['first_poll_s'])}", row["first_ingest_seq"], row["last_ingest_seq"],
        )
        for row in engine.rows("books/late_polls", parameters)
    ]  # fmt: skip


def _subscriptions(engine: Engine, parameters: dict[str, Any]) -> list[Cause]:
    return [
        Cause("subscriptions", row["account"], row["location"], None, 1, row["id"], row["ingest_seq"], row["ingest_seq"])
        for row in engine.rows("books/late_subscriptions", parameters)
    ]


def _prices(engine: Engine, parameters: dict[str, Any]) -> list[Cause]:
    return [
        Cause(
            "prices" if row["kind"] == "price" else "burst_levels", None, row["location"], row["currency"] or None, 1,
            f"level {row['level']} from {instant_text(row['effective_from_s'])}", row["ingest_seq"], row["ingest_seq"],
            # A level that came into force moves charges to it from any other.
            row["level"] if row["kind"] == "price" else None,
        )
        for row in engine.rows("books/late_prices", parameters)
    ]  # fmt: skip


def _accounts(came: Came) -> list[Cause]:
    return [
        Cause(
            "account_currencies", row["account"], "", None, 1, f"{row['currency_before'] or 'unknown'} to {row['currency']}",
            row["ingest_seq"], row["ingest_seq"],
        )
        for row in came.accounts
    ]  # fmt: skip
