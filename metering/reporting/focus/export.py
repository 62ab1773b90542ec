"""A period as FOCUS rows: made from the computed period, its bill and what came late to closed ones; checked, then written.

Nothing that fails a check is ever written. What has no cost that could be told (burst without a price, a subscription of which
nothing tells the cost) has no row; it is told to whoever exports.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from operator import itemgetter
from pathlib import Path
from typing import Any

from metering.billing.bill import known_accounts, usage_rows
from metering.billing.money import amount_of
from metering.books.bills import Terms, against_sending, bill_on_terms, compute
from metering.books.closings import Closing
from metering.durable import replaced
from metering.engine.duckdb import Engine
from metering.model.errors import MeteringError, MisuseError, NoDataError, unknown_account
from metering.model.issuer import IssuerNames
from metering.model.period import parse_period
from metering.model.progress import Progress
from metering.model.records import Bill, BilledPeriod, UsageRow, called, with_identifier
from metering.model.tables import Column, Table
from metering.model.units import counted
from metering.reporting.costs import Bought
from metering.reporting.files import parquet_file, write_csv
from metering.reporting.focus.checks import failures
from metering.reporting.focus.columns import COLUMNS, COMMITMENT_COLUMNS, FIGURES_AS_TEXT
from metering.reporting.focus.commitments import Committed, committed
from metering.reporting.focus.corrections import corrected, stale_histories, told_commitments
from metering.reporting.focus.rows import Issuer, Row, commitment_row, line_row, part_row, rounding_row, row_order
from metering.reporting.focus.truth import Focus, Truth
from metering.store import Store

# How many failures a refusal names.
_NAMED = 3


@dataclass(slots=True)
class FocusExport:
    """What an export holds, and in words what speaks against sending it and what it had to leave out."""

    focus: Focus
    told: list[str] = field(default_factory=list)


def focus_export(
    engine: Engine, store: Store, terms: Terms, names: IssuerNames, account: str | None, progress: Progress
) -> FocusExport:
    """Make the rows of a period and what they are checked against.

    Raises:
        NoDataError: nothing was observed in the period, nothing is billed in it, and no subscription of a closed one is corrected;
            or the account has nothing of all this.
    """
    computation = compute(engine, terms, progress)
    own = committed(engine, computation, terms.discounts, account)
    usage = [row for row in usage_rows(engine) if account in (None, row.account)]
    accounts = {account: row["name"] for account, row in known_accounts(engine, computation.known_seq).items()}
    # Which closed periods came to be others is told by the tables of this computation, so before any other is made.
    stale = stale_histories(engine, terms, computation)
    corrections = [corrected(engine, history, terms, computation, account) for history in stale]
    corrected_rows = [(each.closing, *part) for each in corrections for part in each.differences()]
    bill = _bill(engine, store, terms, progress, account, is_needed=not corrected_rows)
    issuer = Issuer(terms.period, names.provider, names.invoice_issuer, _run_id(terms), accounts)
    rows = [part_row(issuer, key, figures) for key, figures in own.parts.items()]
    rows += _billed(issuer, terms, bill)
    rows += [part_row(issuer, key, figures, _closing_id(closing)) for closing, key, figures in corrected_rows]
    if account is not None and not rows and not bill.usage:
        raise unknown_account(account, terms.period.text)
    told = told_commitments(own, corrections)
    truth = Truth(
        period=terms.period, stop_s=computation.stop_s, statements=_asked(bill), covered=_covered(usage, own),
        commitments={each.name: each for each in own.commitments}, told=told,
        unchanged=frozenset((name, _closing_id(each.closing)) for each in corrections for name in each.unchanged),
        closed={_closing_id(closing): closing.period for closing in terms.books.closings}, run_id=issuer.run_id,
    )  # fmt: skip
    bought = [commitment_row(issuer, each, amount_of(each.cost)) for _, each in sorted(told.items())]
    left_out = [*against_sending(bill), *_left_out(bill, [own, *(each.now for each in corrections)], called(accounts))]
    return FocusExport(Focus(sorted(rows, key=row_order), bought, truth), left_out)


def write_focus(export: FocusExport, path: Path) -> dict[str, int]:
    """Check rows, and write them and the Contract Commitment dataset beside them; gives the number of rows by place.

    Raises:
        MeteringError: a check fails; nothing is written.
    """
    if found := failures(export.focus):
        more = f", and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
        raise MeteringError(f"nothing was written, the rows fail their checks: {'; '.join(map(str, found[:_NAMED]))}{more}")
    beside = path.with_name(f"{path.stem}-commitments{path.suffix}")
    tables = {
        path: Table("focus", COLUMNS, _values(COLUMNS, export.focus.rows)),
        beside: Table("commitments", COMMITMENT_COLUMNS, _values(COMMITMENT_COLUMNS, export.focus.commitments)),
    }
    # Both are whole before either takes its place: whoever reads them finds two of one export.
    with contextlib.ExitStack() as both:
        for place, table in tables.items():
            both.enter_context((parquet_file if focus_format(path) == "parquet" else _csv_file)(table, place))
    return {str(place): len(table.rows) for place, table in tables.items()}


def focus_format(path: Path) -> str:
    """Tell the format by the name.

    Raises:
        MisuseError: it is neither CSV nor Parquet, which FOCUS knows.
    """
    form = path.suffix.lower().removeprefix(".")
    if form not in ("csv", "parquet"):
        raise MisuseError(f"{path}: FOCUS is written as .parquet or .csv")
    return form


def _bill(engine: Engine, store: Store, terms: Terms, progress: Progress, account: str | None, *, is_needed: bool) -> Bill:
    """Give the bill of a period, or one account's part; one without anything where there is none and it can be done without."""
    try:
        return bill_on_terms(engine, store, terms, progress, account)
    except NoDataError:
        if is_needed:
            raise
    period = BilledPeriod(start=terms.period.start_s, end=terms.period.end_s, as_of=terms.now_s)
    return Bill(period=period, usage=[], lines=[], episodes=[], statements=[], findings=[])


def _billed(issuer: Issuer, terms: Terms, bill: Bill) -> Iterator[Row]:
    """Give the charge lines of what is billed, and what rounds each statement; a parked one bills nothing."""
    billed = {(each.account, each.currency) for each in bill.statements if each.state != "parked"}
    for line in bill.lines:
        if (line.account, line.currency) in billed:
            yield line_row(issuer, line, None if line.adjusts is None else _corrected(terms, line.adjusts))
    for statement in bill.statements:
        if statement.state != "parked" and (row := rounding_row(issuer, statement)):
            yield row


def _run_id(terms: Terms) -> str:
    """Name the run that writes the rows: the closing, or what a draft was computed from."""
    if terms.frozen is not None:
        return _closing_id(terms.frozen)
    return f"draft-{terms.period.text}-{terms.known_seq}"


def _closing_id(closing: Closing) -> str:
    return f"closing-{closing.closing_seq}-{closing.hash[:12]}"


def _corrected(terms: Terms, adjusts: str) -> str:
    closing = terms.books.of(parse_period(adjusts))
    return "" if closing is None else _closing_id(closing)


def _asked(bill: Bill) -> dict[tuple[str, str], tuple[Decimal, Decimal]]:
    """Give what each statement asks for: its exact sum and what is due."""
    return {
        (each.account, each.currency or ""): (each.burst_amount, each.amount_due)
        for each in bill.statements
        if each.amount_due is not None
    }


def _covered(usage: Sequence[UsageRow], own: Committed) -> dict[tuple[str, str], int]:
    """Give what subscriptions of known cost cover by account and location: what is occupied and did not burst."""
    found = {(row.account, row.location): row.occupied_byte_seconds - row.burst_byte_seconds for row in usage}
    for place, byte_seconds in own.covered_unknown.items():
        found[place] -= byte_seconds
    return found


def _left_out(bill: Bill, periods: Sequence[Committed], names: Mapping[str, str]) -> list[str]:
    told = []
    for each in bill.statements:
        if each.state == "parked":
            count = sum((line.account, line.currency) == (each.account, each.currency) for line in bill.lines)
            told.append(
                f"left out: {counted(count, 'charge line')} of {with_identifier(names, each.account)}, whose statement is parked "
                "until all have a price"
            )
    for of in periods:
        told += [f"left out: {_subscription(bought, names)}, of which nothing tells the cost" for bought in of.unknown]
        told += [
            f"left out: {_subscription(bought, names)}, which entitles to nothing over which its cost could be spread"
            for bought in of.empty
        ]
    # One of several periods is told once.
    return list(dict.fromkeys(told))


def _subscription(bought: Bought, names: Mapping[str, str]) -> str:
    who = with_identifier(names, bought.row["account"])
    return f"subscription {bought.row['id']} of {who} in {bought.row['location']}"


def _values(columns: Sequence[Column], rows: Sequence[Row]) -> list[tuple[Any, ...]]:
    return list(map(itemgetter(*(column.name for column in columns)), rows))


@contextlib.contextmanager
def _csv_file(table: Table, path: Path) -> Iterator[None]:
    with replaced(path) as place:
        with place.open("w", encoding="utf-8", newline="") as file:
            write_csv(table, file, FIGURES_AS_TEXT)
        yield
