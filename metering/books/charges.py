"""Where a charge stands: frozen in a closed statement, or an adjustment that an open period carries."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from metering.books.closings import Books, Closing
from metering.engine.duckdb import Engine
from metering.model.errors import StoreError
from metering.model.period import SECONDS_PER_DAY, Period, day_start, month_start, next_month_start
from metering.model.records import ChargeLine


@dataclass(frozen=True, slots=True)
class FrozenCharge:
    """A line of a closed statement, what froze it, and whether it was billed; a parked statement bills nothing."""

    closing: Closing
    line: ChargeLine
    is_billed: bool


def charges_of(closing: Closing, document: dict[str, Any]) -> Iterator[FrozenCharge]:
    """Give the lines of a frozen document."""
    states = {statement["currency"]: statement["state"] for statement in document["statements"]}
    for line in document["lines"]:
        yield FrozenCharge(closing, ChargeLine.model_validate(line), states.get(line["currency"]) == "closed")


def frozen_charges(engine: Engine, books: Books, charge_id: str) -> list[FrozenCharge]:
    """Give the frozen lines of a name: one, or several where a date is cut into closed periods.

    Raises:
        StoreError: the statement was changed so that it is none any more.
    """
    closings = {closing.closing_seq: closing for closing in books.closings}
    rows = engine.sql(
        "select closing_seq, account, document from closed_statements "
        "where list_contains($closings, closing_seq) and contains(document, $charge_id) order by closing_seq, account",
        {"closings": sorted(closings), "charge_id": charge_id},
    )
    found: list[FrozenCharge] = []
    for closing_seq, account, document in rows:
        try:
            charges = list(charges_of(closings[closing_seq], json.loads(document)))
        except (ValueError, KeyError, TypeError):
            raise StoreError(f"the closed statement of {account} was changed; `metering verify` tells more") from None
        found += [charge for charge in charges if charge.line.charge_id == charge_id]
    return found


def next_open_periods(books: Books, closing: Closing) -> Iterator[Period]:
    """Give the periods that may carry a closed one's adjustments, the likeliest first: a month, one as long, a day, or its rest.

    The next open period begins where everything is closed without a gap; how long it will be is decided when it is closed.
    """
    start_s = closing.end_s
    following = {other.start_s: other for other in books.closings if other.start_s < other.end_s}
    while start_s in following:
        start_s = following[start_s].end_s
    length_s, month_end_s = closing.end_s - closing.start_s, next_month_start(start_s)
    ends = [start_s + length_s, day_start(start_s) + SECONDS_PER_DAY]
    # What is left of a month is billed after parts of it; a whole one mostly as one.
    ends.insert(0 if month_start(start_s) == start_s else len(ends), month_end_s)
    for end_s in dict.fromkeys(ends):
        yield Period(start_s, end_s)
