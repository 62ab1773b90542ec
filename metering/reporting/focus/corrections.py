"""Subscriptions of closed periods: what they were when they were last billed, what they are now, and the difference as parts."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from metering.billing.discounts import DiscountBook, Settled
from metering.billing.subscriptions import discount_rate
from metering.billing.usage import Computation, compute_usage
from metering.books.bills import Terms
from metering.books.closings import Closing
from metering.books.history import History, histories_of
from metering.engine.duckdb import Engine
from metering.reporting.focus.commitments import NOTHING, Commitment, Committed, Figures, PartKey, committed


@dataclass(frozen=True, slots=True)
class Corrected:
    """A closed period's subscriptions as they were when it was last billed, and as they are now."""

    closing: Closing
    then: Committed
    now: Committed

    def differences(self) -> Iterator[tuple[PartKey, Figures]]:
        """Give what the parts would be now, less what they were."""
        for key in self.then.parts.keys() | self.now.parts.keys():
            difference = self.now.parts.get(key, NOTHING).less(self.then.parts.get(key, NOTHING))
            if difference != NOTHING:
                yield key, difference

    @property
    def unchanged(self) -> set[str]:
        """The names of the subscriptions that are what they were: of these, only the use can be corrected."""
        was = {each.name: each for each in self.then.commitments}
        return {each.name for each in self.now.commitments if was.get(each.name) == each}


def stale_histories(engine: Engine, terms: Terms, computation: Computation) -> list[History]:
    """Give the closed periods that lead to a period and may have come to be others, that of the latest bill last.

    Reads the tables of `computation`, which is that of the period.
    """
    # None leads to a part of a closed period: what the whole one carried is no part's.
    books = terms.books if terms.frozen is None else terms.books_before
    histories = histories_of(engine, books, terms.period)
    stale = [
        history
        for history in histories
        if history.is_stale_of_anybody(computation) or _is_discounted_otherwise(engine, history, terms, computation)
    ]
    return sorted(stale, key=lambda history: history.last.closing_seq)


def corrected(engine: Engine, history: History, terms: Terms, computation: Computation, account: str | None) -> Corrected:
    """Compute a closed period's subscriptions as they were and as they are; afterwards the engine holds the tables of now."""
    last, discounts = history.last, _discounts_then(history, terms)
    then = _closed(engine, history.closing, last.known_seq, last.as_of_s, discounts, account)
    now = _closed(engine, history.closing, computation.known_seq, computation.as_of_s, terms.discounts, account)
    return Corrected(history.closing, then, now)


def _discounts_then(history: History, terms: Terms) -> Settled:
    """Give what the settings said of discounts when a closed period was last billed."""
    return terms.books.before(history.last).settled(history.last.said_settings.discounts, terms.discounts.otherwise)


def _is_discounted_otherwise(engine: Engine, history: History, terms: Terms, computation: Computation) -> bool:
    """Tell whether a subscription of a closed period, as it is known now, has another discount than it had when last billed."""
    closing = history.closing
    then = DiscountBook.read(engine, _discounts_then(history, terms), history.last.known_seq)
    now = DiscountBook.read(engine, terms.discounts, computation.known_seq)
    rows = engine.rows("reports/subscriptions_in_period", {"start_s": closing.start_s, "stop_s": closing.end_s})
    return any(_rate(then, row) != _rate(now, row) for row in rows if row["price"] is None)


def _rate(discounts: DiscountBook, row: dict[str, Any]) -> Fraction:
    in_force = discounts.at(row["location"], row["start_s"], row["end_s"])
    return discount_rate(row["start_s"], row["start_s"] + row["nominal_seconds"], in_force)


def told_commitments(own: Committed, corrections: Iterable[Corrected]) -> dict[str, Commitment]:
    """Give every subscription that rows may name: as it is now, or, where there is none any more, as it was last."""
    was: dict[str, Commitment] = {}
    now: dict[str, Commitment] = {}
    for each in corrections:
        was |= {commitment.name: commitment for commitment in each.then.commitments}
        now |= {commitment.name: commitment for commitment in each.now.commitments}
    return was | now | {commitment.name: commitment for commitment in own.commitments}


def _closed(engine: Engine, closing: Closing, known_seq: int, as_of_s: int, discounts: Settled, account: str | None) -> Committed:
    computation = compute_usage(
        engine, closing.period, as_of_s=max(as_of_s, closing.as_of_s), now_s=as_of_s, known_seq=known_seq,
        clock=closing.said_settings.clock, accounts=None if account is None else (account,),
    )  # fmt: skip
    return committed(engine, computation, discounts, account)
