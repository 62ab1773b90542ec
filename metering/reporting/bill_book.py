"""A bill as sheets of a workbook: what is due, line by line, and everything that a bill shows beside it."""

from collections import Counter, defaultdict
from decimal import Decimal
from typing import Any

from metering import __version__
from metering.billing.money import total
from metering.model.period import instant_text
from metering.model.records import Bill, Episode, Finding, Statement, UsageRow
from metering.model.tables import Column, Table, columns_of, table_of
from metering.reporting.reports import statement
from metering.reporting.workbook import Formula, Sheet, columns_of_sheet, installed

_LINES = "lines"


def bill_sheets(bill: Bill) -> list[Sheet]:
    """Give the sheets of a bill; `sum_of_lines` is computed in the sheet, and is what is due to the last coin."""
    lines = _lines(bill)
    return [
        about_sheet(bill),
        _statements(bill, lines),
        Sheet(lines),
        Sheet(table_of("usage", UsageRow, bill.usage)),
        Sheet(table_of("episodes", Episode, bill.episodes)),
        Sheet(findings_table(bill.findings), has_totals=False),
    ]


def findings_table(findings: list[Finding]) -> Table:
    """Give findings as a table."""
    return table_of("findings", Finding, findings)


def about_sheet(bill: Bill) -> Sheet:
    """Say what a workbook is of."""
    period = bill.period
    rows: list[tuple[Any, ...]] = [
        ("start", instant_text(period.start)),
        ("end", instant_text(period.end)),
        ("as of", instant_text(period.as_of)),
        ("made by", f"metering {__version__}"),
        ("times", "are UTC, and an end is no longer part of its interval"),
        ("GiB", "is 2^30 bytes, a GiB-month is 30 days of it; exact figures are text, for a sheet keeps 15 digits"),
    ]
    return Sheet(Table("about", columns_of(what="text", is_so="text"), rows), has_totals=False)


def _lines(bill: Bill) -> Table:
    """Give the lines of all statements, each with its statement's number; totals are the sheet's own."""
    table = statement(bill)
    at = table.at["charge_id"]
    number, rows = 1, []
    for row in table.rows:
        if row[at] is None:
            number += 1
        else:
            rows.append((number, *row))
    return Table(_LINES, (Column("statement", "count"), *table.columns), rows)


def _statements(bill: Bill, lines: Table) -> Sheet:
    counts = Counter(row[0] for row in lines.rows)
    table = table_of("statements", Statement, bill.statements)
    columns = (Column("statement", "count"), *table.columns[:4], Column("lines", "count"), *table.columns[4:])
    rows = [(i, *row[:4], counts[i], *row[4:]) for i, row in enumerate(table.rows, start=1)]
    _, utility = installed()
    shown = [cells.header for cells in columns_of_sheet(lines.columns)].index("shown_amount")
    last = max(1, len(lines.rows))
    amounts, numbers = (f"{_LINES}!{utility.xl_range_abs(1, column, last, column)}" for column in (shown, 0))
    formula = Formula("sum_of_lines", lambda row: f"=SUMIFS({amounts},{numbers},$A{row})", _sums(bill, lines))
    return Sheet(Table(table.name, columns, rows), [formula])


def _sums(bill: Bill, lines: Table) -> list[Decimal | None]:
    """Add up the shown lines of each statement; what is not known yet has no sum."""
    at = lines.at["shown_amount"]
    shown: defaultdict[int, list[Decimal]] = defaultdict(list)
    for row in lines.rows:
        if row[at] is not None:
            shown[row[0]].append(row[at])
    return [None if due.amount_due is None else total(shown[i]) for i, due in enumerate(bill.statements, start=1)]
