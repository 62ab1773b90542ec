"""Closings: what was frozen, when and by whom, in a hash chain; and what the chain says about any period.

A closing is of a period, all its statements at once. Its hash is the SHA-256 of its canonical content: the closing before it,
the period, what it saw (ingest, clock, settings, seals of the facts), who closed it when and why, and the digest of every
statement. Closings only ever come at the end of the chain, so the books as they stood at any moment are a beginning of it.
"""

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

from metering.billing.discounts import Settled
from metering.billing.subscriptions import DISCOUNTS, Discounts
from metering.engine.duckdb import Engine
from metering.model.clock import Clock
from metering.model.errors import StoreError
from metering.model.period import Period, instant_text
from metering.model.terms import parse_term
from metering.seals import Seal

# What the first closing names as the hash before it.
NO_HASH = "0" * 64


def canonical(value: Any) -> str:
    """Write a value as JSON in the one way that digests are taken of."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def sha256(text: str) -> str:
    """Give the SHA-256 of a text, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class ClosingSettings:
    """Every setting that can change what is frozen or what subscriptions cost, and the tolerance that it was held against.

    `discounts` are `DISCOUNTS` itself where the settings name none, and None in closings that were made before they were kept.
    """

    clock: Clock
    locations: frozenset[str]
    missing_tolerance: str
    discounts: Discounts | None

    @property
    def text(self) -> str:
        """The settings as canonical JSON."""
        return canonical(
            {
                "cycle": self.clock.cycle_s, "discounts": _written(self.discounts), "locations": sorted(self.locations),
                "max_hold": self.clock.max_hold_s, "missing_tolerance": self.missing_tolerance,
            }
        )  # fmt: skip

    @classmethod
    def read(cls, text: str) -> "ClosingSettings":
        """Read what `text` wrote."""
        said = json.loads(text)
        clock = Clock(int(said["cycle"]), int(said["max_hold"]))
        discounts = _read(said["discounts"]) if "discounts" in said else None
        return cls(clock, frozenset(said["locations"]), said["missing_tolerance"], discounts)


def _written(discounts: Discounts | None) -> list[list[str]] | None:
    """Write discounts by length as exact ratios; where the settings name none, nothing, for then the provider's count."""
    if discounts is None or discounts is DISCOUNTS:
        return None
    return sorted([term.text, str(rate)] for term, rate in discounts)


def _read(said: list[list[str]] | None) -> Discounts:
    """Read what `_written` wrote."""
    return DISCOUNTS if said is None else tuple((parse_term(length), Fraction(rate)) for length, rate in said)


@dataclass(frozen=True, slots=True)
class Closing:
    """One closing as it stands in the store.

    `findings` are those of no statement in particular, and `settings` those of `ClosingSettings`: both canonical JSON.
    """

    closing_seq: int
    start_s: int
    end_s: int
    known_seq: int
    as_of_s: int
    closed_at_s: int
    closed_by: str
    reason: str | None
    settings: str
    findings: str
    inputs_sha256: str
    feeds_sha256: str
    previous_hash: str
    hash: str = ""

    @property
    def period(self) -> Period:
        """The period that is closed."""
        return Period(self.start_s, self.end_s)

    @property
    def said_settings(self) -> ClosingSettings:
        """The settings it was made with.

        Raises:
            StoreError: they cannot be read.
        """
        try:
            return ClosingSettings.read(self.settings)
        except (ArithmeticError, AttributeError, ValueError, KeyError, TypeError):
            raise StoreError(f"the settings of closing {self.closing_seq} were changed; `metering verify` tells more") from None

    @property
    def closed_at(self) -> str:
        """Write when it was closed; the plain number where that was changed so that it is no instant."""
        try:
            return instant_text(self.closed_at_s)
        except (OverflowError, ValueError):
            return str(self.closed_at_s)

    @property
    def told(self) -> str:
        """Say what was closed, when, by whom and why."""
        reason = f", because: {self.reason}" if self.reason else ""
        return f"{self.period.text} was closed at {self.closed_at} by {self.closed_by} (closing {self.closing_seq}{reason})"

    def hashed(self, digests: dict[str, str]) -> "Closing":
        """Give the closing with its hash, which covers all it says and the digests of its statements by account."""
        content = {
            "as_of": self.as_of_s, "closed_at": self.closed_at_s, "closed_by": self.closed_by, "closing": self.closing_seq,
            "end": self.end_s, "feeds": self.feeds_sha256, "findings": self.findings, "inputs": self.inputs_sha256,
            "known": self.known_seq, "previous": self.previous_hash, "reason": self.reason, "settings": self.settings,
            "start": self.start_s, "statements": digests,
        }  # fmt: skip
        return replace(self, hash=sha256(canonical(content)))


_COLUMNS = ", ".join(Closing.__slots__)


def read_closings(engine: Engine) -> list[Closing]:
    """Give all closings in the order of the chain."""
    return [Closing(*row) for row in engine.sql(f"select {_COLUMNS} from closings order by closing_seq, hash")]


def write_closing(engine: Engine, closing: Closing, documents: dict[str, str]) -> None:
    """Append a closing and its statements' documents, by account."""
    values = ", ".join(f"${name}" for name in Closing.__slots__)
    engine.sql(f"insert into closings ({_COLUMNS}) values ({values})", {name: getattr(closing, name) for name in Closing.__slots__})
    engine.load(
        "new_statements",
        {"closing_seq": "bigint", "account": "varchar", "document": "varchar", "sha256": "varchar"},
        ((closing.closing_seq, account, document, sha256(document)) for account, document in sorted(documents.items())),
    )
    engine.sql("insert into closed_statements by name from new_statements")
    engine.drop("new_statements")


def read_documents(
    engine: Engine, closing: Closing, text: str = "", accounts: Collection[str] | None = None
) -> dict[str, dict[str, Any]]:
    """Give the frozen documents of a closing by account; only those that have a text in them, or of some accounts, if given.

    Raises:
        StoreError: one is no JSON any more.
    """
    rows = engine.sql(
        "select account, document from closed_statements where closing_seq = $closing and contains(document, $text) "
        "and ($accounts is null or list_contains($accounts, account)) order by account",
        {"closing": closing.closing_seq, "text": text, "accounts": None if accounts is None else sorted(accounts)},
    )
    found: dict[str, dict[str, Any]] = {}
    for account, document in rows:
        try:
            found[account] = json.loads(document)
        except ValueError:
            raise StoreError(f"the closed statement of {account} was changed; `metering verify` tells more") from None
    return found


def inputs_digest(seals: Sequence[Seal]) -> str:
    """Give the digest of the facts that came since the closing before, by their seals."""
    return sha256(canonical([[s.table_name, s.ingest_seq, s.row_count, s.digest, s.last_key] for s in seals]))


def feeds_digest(engine: Engine, known_seq: int) -> str:
    """Give the digest of what feeds what, in a computation, as far as it was known by an ingest.

    Which collection feeds which location, and which series are counted in another collection, is all by which polls far from a
    period can change what it says. Collections and series that came later are not in the period, unless their polls came late,
    which shows by itself.
    """
    last = {
        table: engine.scalar(
            "select coalesce(max(last_key), 0) from seals where table_name = $table and ingest_seq <= $known_seq",
            {"table": table, "known_seq": known_seq},
        )
        for table in ("collections", "series")
    }
    feeds = engine.sql(
        "select collection_key, location from fed_units where collection_key <= $last order by collection_key, location",
        {"last": last["collections"]},
    )
    ignored = engine.sql(
        "select series_key from ignored_series where series_key <= $last order by series_key", {"last": last["series"]}
    )
    return sha256(canonical([list(map(list, rows)) for rows in (feeds, ignored)]))


@dataclass(frozen=True)
class Books:
    """The closings that count, in the order of the chain."""

    closings: tuple[Closing, ...] = ()

    @classmethod
    def read(cls, engine: Engine) -> "Books":
        """Read all closings of a store."""
        return cls(tuple(read_closings(engine)))

    def until(self, known_seq: int | None, instant_s: int | None) -> "Books":
        """Give the books as they stood: closings that saw no later ingest than one, or that were made by an instant."""
        return Books(
            tuple(
                closing
                for closing in self.closings
                if (known_seq is None or closing.known_seq <= known_seq) and (instant_s is None or closing.closed_at_s <= instant_s)
            )
        )

    def before(self, closing: Closing) -> "Books":
        """Give the books as they stood just before a closing."""
        return Books(tuple(other for other in self.closings if other.closing_seq < closing.closing_seq))

    def settled(self, *otherwise: Discounts | None) -> Settled:
        """Give what was settled of discounts by closings; beside them, the first of `otherwise` that is known counts."""
        said = ((closing.period, closing.said_settings.discounts) for closing in self.closings)
        return Settled(
            next((discounts for discounts in otherwise if discounts is not None), DISCOUNTS),
            tuple((period, discounts) for period, discounts in said if discounts is not None),
        )

    def of(self, period: Period) -> Closing | None:
        """Give the closing of just this period."""
        return next((closing for closing in self.closings if closing.period == period), None)

    def around(self, period: Period) -> Closing | None:
        """Give the closing of a period that holds this one."""
        return next((c for c in self.closings if c.start_s <= period.start_s and period.end_s <= c.end_s), None)

    def overlapping(self, period: Period) -> list[Closing]:
        """Give the closings that have time in common with a period."""
        return [closing for closing in self.closings if closing.start_s < period.end_s and period.start_s < closing.end_s]

    def open_parts(self, period: Period) -> list[Period]:
        """Give the parts of a period that are not closed, in order of time."""
        parts, start_s = [], period.start_s
        for closing in sorted(self.overlapping(period), key=lambda closing: closing.start_s):
            if start_s < closing.start_s:
                parts.append(Period(start_s, closing.start_s))
            start_s = max(start_s, closing.end_s)
        return [*parts, Period(start_s, period.end_s)] if start_s < period.end_s else parts

    def led_to(self, period: Period) -> list[Closing]:
        """Give the closings whose next open period this one is: closed without a gap up to its start, the latest first.

        A period that is closed in part, or as a whole, is no open period: none leads to it.
        """
        return [] if self.overlapping(period) else self._chain(period.start_s)

    def _chain(self, end_s: int) -> list[Closing]:
        found: list[Closing] = []
        while closing := self._by_end.get(end_s):
            found.append(closing)
            end_s = closing.start_s
        return found

    @cached_property
    def _by_end(self) -> dict[int, Closing]:
        # A closing that ends before it begins was changed by hand, and would lead round in a circle.
        return {closing.end_s: closing for closing in self.closings if closing.start_s < closing.end_s}

    def carriers(self, adjusted: Closing) -> list[Closing]:
        """Give the closings whose statements may carry adjustments of a closed period, in the order of the chain."""
        return [closing for closing in self.closings if adjusted in self._carried[closing]]

    @cached_property
    def _carried(self) -> dict[Closing, frozenset[Closing]]:
        """The closed periods that led to each when it was closed."""
        return {closing: frozenset(self.before(closing).led_to(closing.period)) for closing in self.closings}
