"""Which charge is asked about: frozen in a closed statement, on the bill of an open period, or an adjustment that it carries."""

import contextlib
import re
from collections.abc import Callable

from metering.billing.rates import RateBook
from metering.billing.usage import Computation, assert_observed
from metering.books.bills import Terms, compute
from metering.books.charges import FrozenCharge, frozen_charges, next_open_periods
from metering.books.closings import Books, Closing
from metering.engine.duckdb import Engine
from metering.model.errors import MisuseError, NoDataError
from metering.model.explanation import ExplainedAdjustment, Explanation
from metering.model.period import Period, parse_period
from metering.model.progress import Progress
from metering.reporting.explain.adjustment import explain_adjustment, told_closing
from metering.reporting.explain.line import explain_charge, explain_line, find_line

TermsOf = Callable[[Period], Terms]
_CHARGE_ID = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}-[0-9a-f]{16}", re.ASCII)


def explain(
    engine: Engine, charge_id: str, asked: Period | None, terms_of: TermsOf, *, is_by_clock: bool, progress: Progress
) -> Explanation | ExplainedAdjustment:
    """Explain a charge by its id: as it was frozen if it was, else on the bill that has it.

    Args:
        engine: the store.
        charge_id: as bills name it; it begins with the line's date.
        asked: the billed period in which the line stands, where that does not follow from the date.
        terms_of: decides what a question about a period is answered from.
        is_by_clock: a clock was given, so that closed periods are computed anew.
        progress: called with each stage, how many are done and how many there are.

    Raises:
        MisuseError: it is no charge id, or several periods have it.
        NoDataError: no bill has it.
    """
    if not _CHARGE_ID.fullmatch(charge_id):
        raise MisuseError(f"{charge_id!r} is no charge id such as 2026-10-03-0123456789abcdef: bills name those of their lines")
    date = parse_period(charge_id[:10])
    billed = date if asked is None else _common(asked, date)
    terms = terms_of(billed or date)
    books = terms.books
    if not is_by_clock and (frozen := _frozen(engine, books, charge_id, asked, date)):
        if frozen.line.kind == "adjustment":
            return _frozen_adjustment(engine, books, frozen, date)
        if asked is None:
            _assert_closed_alone(engine, frozen, date, books, terms_of, progress)
        return _frozen_line(engine, frozen, date, terms_of, progress)
    is_as_closed = terms.closing is not None and billed == _common(terms.closing.period, date)
    if billed and not is_as_closed:
        try:
            computation = compute(engine, terms, progress, is_at_a_glance=True)
            assert_observed(engine, computation)
            return explain_charge(engine, computation, charge_id)
        except NoDataError:
            if not books.overlapping(date):
                raise
    return _open_adjustment(engine, charge_id, asked, date, books, terms_of, progress)


def _common(period: Period, other: Period) -> Period | None:
    """Give the time that two periods have in common."""
    start_s, end_s = max(period.start_s, other.start_s), min(period.end_s, other.end_s)
    return Period(start_s, end_s) if start_s < end_s else None


def _frozen(engine: Engine, books: Books, charge_id: str, asked: Period | None, date: Period) -> FrozenCharge | None:
    """Find the frozen line of a name; one of a period that is cut otherwise than asked is another line of that name."""
    found = frozen_charges(engine, books, charge_id)
    if asked is not None:
        part = _common(asked, date)
        found = [c for c in found if c.line.kind == "adjustment" or _common(c.closing.period, date) == part]
    if len(found) > 1:
        names = " and ".join(charge.closing.period.text for charge in found)
        raise MisuseError(f"charge {charge_id} stands in {names}, which are closed: name one with --period")
    return found[0] if found else None


def _assert_closed_alone(
    engine: Engine, frozen: FrozenCharge, date: Period, books: Books, terms_of: TermsOf, progress: Progress
) -> None:
    """Refuse to choose between a frozen line and those of its name that the open parts of its date have."""
    charge_id, others = frozen.line.charge_id, []
    for part in books.open_parts(date):
        with contextlib.suppress(NoDataError):  # it has not begun
            if find_line(engine, compute(engine, terms_of(part), progress, is_at_a_glance=True), charge_id):
                others.append(part.text)
    if others:
        closed, are = frozen.closing.period.text, "is" if len(others) == 1 else "are"
        raise MisuseError(
            f"charge {charge_id} stands in {closed}, which is closed, and in {' and '.join(others)}, which {are} not: "
            "name one with --period"
        )


def _frozen_line(engine: Engine, frozen: FrozenCharge, date: Period, terms_of: TermsOf, progress: Progress) -> Explanation:
    part = _common(frozen.closing.period, date)
    if part is None:
        raise NoDataError(f"charge {frozen.line.charge_id} stands in {frozen.closing.period.text}, which has no time of its date")
    computation = compute(engine, terms_of(part), progress, is_at_a_glance=True)
    return explain_line(engine, computation, frozen.line, told_closing(frozen))


def _frozen_adjustment(engine: Engine, books: Books, frozen: FrozenCharge, date: Period) -> ExplainedAdjustment:
    carrier = frozen.closing
    before = books.before(carrier)
    adjusted = next((closing for closing in before.closings if closing.period.text == frozen.line.adjusts), None)
    if adjusted is None:
        raise NoDataError(
            f"charge {frozen.line.charge_id} adjusts {frozen.line.adjusts}, whose closing is missing: `metering verify` tells more"
        )
    computation = Computation(
        carrier.period, carrier.end_s, carrier.as_of_s, carrier.known_seq, carrier.said_settings.clock, RateBook()
    )
    explained = explain_adjustment(engine, before, adjusted, computation, frozen, date)
    if explained is None:
        raise NoDataError(f"charge {frozen.line.charge_id} is no adjustment any more: `metering verify` tells more")
    return explained


def _open_adjustment(
    engine: Engine, charge_id: str, asked: Period | None, date: Period, books: Books, terms_of: TermsOf, progress: Progress
) -> ExplainedAdjustment:
    """Look for an adjustment of the closed periods of a date in the open period that carries them, or in the one that is asked."""
    looked: list[str] = []
    for closing in books.overlapping(date):
        for period in (asked,) if asked else next_open_periods(books, closing):
            if closing not in books.led_to(period):
                continue
            try:
                carrier = compute(engine, terms_of(period), progress, is_at_a_glance=True)
            except NoDataError:
                continue
            looked.append(period.text)
            if explained := explain_adjustment(engine, books, closing, carrier, charge_id, date):
                return explained
    raise NoDataError(_not_found(charge_id, date, asked, books.overlapping(date), looked))


def _not_found(charge_id: str, date: Period, asked: Period | None, closings: list[Closing], looked: list[str]) -> str:
    if not closings:
        return f"charge {charge_id} is of {date.text}, of which nothing is in {asked.text if asked else 'any bill'}"
    names = " and ".join(closing.period.text for closing in closings)
    where = f", nor do the adjustments in {' or '.join(looked)}" if looked else ""
    return (
        f"there is no charge {charge_id}: {names}, which {'is' if len(closings) == 1 else 'are'} closed, "
        f"{'has' if len(closings) == 1 else 'have'} no such line{where}; `metering report statement --period P` lists the charges, "
        "and --period names the bill that has it"
    )
