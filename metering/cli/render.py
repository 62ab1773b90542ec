"""Results on stdout: tables for the eye, JSON and CSV for programs."""

import json
import sys
from collections.abc import Callable
from typing import Any

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table as Grid
from rich.text import Text

from metering.cli.common import Common, Format
from metering.model.currency import minor_places
from metering.model.period import Period, instant_text
from metering.model.records import Bill, Episode, UsageRow
from metering.model.tables import Column, Table, plain_text, table_of
from metering.model.units import shown_gib, shown_gib_months, shown_quotient
from metering.reporting.files import csv_text

_SHOWN_EPISODES = 20
# A pipe has no edge: nothing is folded there.
_WIDTH_OF_A_PIPE = 1_000
_STYLES = {"error": "bold red", "warning": "yellow", "info": "dim"}


def print_json(document: Any) -> None:
    """Print a JSON document."""
    json.dump(document, sys.stdout, ensure_ascii=False, indent=1)
    sys.stdout.write("\n")


def print_table(common: Common, table: Table) -> None:
    """Print a table in the format asked for."""
    if common.format is Format.JSON:
        print_json(table.documents())
    elif common.format is Format.CSV:
        sys.stdout.write(csv_text(table))
    elif table.rows:
        console = _console()
        console.print(_fitting(console, common, lambda exact: _grid(table, exact=exact)))
    else:
        _console().print(f"no rows in {table.name}")


def _console() -> Console:
    console = Console(highlight=False, soft_wrap=False)
    return console if console.is_terminal else Console(highlight=False, width=_WIDTH_OF_A_PIPE)


def _fitting(console: Console, common: Common, draw: Callable[[bool], Grid]) -> Grid:
    """Draw with exact figures under the rounded ones, unless the terminal is too narrow for them and nobody insists."""
    grid = draw(True)
    if common.verbose or Measurement.get(console, console.options, grid).maximum <= console.width:
        return grid
    grid = draw(False)
    grid.caption = "exact figures: a wider terminal, -v, --format csv or --format json"
    grid.caption_justify = "left"
    return grid


def clean(text: str) -> str:
    """Show text from outside without the control characters that a terminal would obey."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def _grid(table: Table, *, exact: bool = True) -> Grid:
    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in table.columns:
        is_number = column.kind in ("count", "seconds", "bytes", "byte_seconds", "money")
        grid.add_column(_heading(column), justify="right" if is_number else "left", overflow="fold")
    for row in table.rows:
        grid.add_row(*(_cell(column, value, exact=exact) for column, value in zip(table.columns, row, strict=True)))
    return grid


def _heading(column: Column) -> str:
    words = column.name.removesuffix("_byte_seconds").removesuffix("_bytes").replace("_", " ")
    unit = {"bytes": "GiB", "byte_seconds": "GiB-months"}.get(column.kind)
    return f"{words}\n{unit}" if unit else words


def _cell(column: Column, value: Any, *, exact: bool) -> Text:
    """Show a figure in the unit people think in, and under it the exact one."""
    if value is None:
        return Text("–", style="dim")
    if column.kind in ("bytes", "byte_seconds"):
        shown = shown_gib(int(value)) if column.kind == "bytes" else shown_gib_months(int(value))
        return Text.assemble(shown, ("\n" + str(value), "dim")) if exact else Text(shown)
    if column.kind in ("count", "seconds"):
        return Text(f"{value:,}")
    return Text(clean(plain_text(column.kind, value)))


def print_bill(common: Common, bill: Bill) -> None:
    """Print a bill as a finance person reads it: what is due, what was used, who burst when, what is doubtful."""
    console = _console()
    period = Period(bill.period.start, bill.period.end).text
    console.print(Text(f"Backup, {period} (UTC), as of {instant_text(bill.period.as_of)}", style="bold"))
    console.print(_statements(bill))
    console.print(Text("Usage", style="bold"))
    console.print(_fitting(console, common, lambda exact: _usage(bill.usage, exact=exact)))
    if bill.episodes:
        console.print(Text(f"Burst: {len(bill.episodes)} episodes, {len(bill.lines)} charge lines", style="bold"))
        shown = (
            bill.episodes
            if common.verbose
            else sorted(
                sorted(bill.episodes, key=lambda episode: -episode.burst_byte_seconds)[:_SHOWN_EPISODES],
                key=lambda episode: (episode.account, episode.location, episode.start),
            )
        )
        episodes = table_of("burst", Episode, shown)
        console.print(_fitting(console, common, lambda exact: _grid(episodes, exact=exact)))
        if hidden := len(bill.episodes) - len(shown):
            console.print(f"{hidden} smaller episodes are not shown: `metering report burst --period {period}` lists all\n")
    if bill.findings:
        console.print(Text(f"Findings: {len(bill.findings)}", style="bold"))
        console.print(_findings(bill))


def _statements(bill: Bill) -> Grid:
    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading, side in (
        ("account", "left"), ("name", "left"), ("lines", "right"), ("burst amount", "right"), ("due", "right"), ("", "left"),
        ("state", "left"),
    ):  # fmt: skip
        grid.add_column(heading, justify=side, overflow="fold")  # type: ignore[arg-type]  # the literals above
    for row in bill.statements:
        lines = sum(1 for line in bill.lines if line.account == row.account)
        due = Text("–", style="dim") if row.amount_due is None else Text(_grouped(row.amount_due, row.currency), style="bold")
        state = Text("parked: burst without a price", style="bold red") if row.state == "parked" else Text(row.state)
        grid.add_row(
            Text(clean(row.account)), Text(clean(row.name or "–")), str(lines), format(row.burst_amount, "f"), due,
            row.currency or "–", state,
        )  # fmt: skip
    return grid


def _grouped(amount: Any, currency: str | None) -> str:
    places = (minor_places(currency) if currency else 0) or 0
    return f"{amount:,.{places}f}"


def _usage(rows: list[UsageRow], *, exact: bool) -> Grid:
    table = table_of("usage", UsageRow, rows)
    keep = [i for i, column in enumerate(table.columns) if not column.name.endswith("seconds") or column.kind == "byte_seconds"]
    columns = [table.columns[i] for i in keep]
    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        grid.add_column(_heading(column), justify="left" if column.kind == "text" else "right", overflow="fold")
    grid.add_column("observed", justify="right")
    for row, values in zip(rows, table.rows, strict=True):
        cells = (_cell(column, values[i], exact=exact) for column, i in zip(columns, keep, strict=True))
        grid.add_row(*cells, _coverage(row))
    return grid


def _coverage(row: UsageRow) -> Text:
    known = row.measured_seconds + row.held_seconds + row.partial_seconds + row.missing_seconds
    share = shown_quotient(100 * (known - row.missing_seconds), known, 2) if known else "–"
    doubts = [
        f"{seconds:,} s {state}"
        for state, seconds in (("held", row.held_seconds), ("partial", row.partial_seconds), ("missing", row.missing_seconds))
        if seconds
    ]
    return Text.assemble(f"{share} %", *((f"\n{doubt}", "yellow") for doubt in doubts))


def _findings(bill: Bill) -> Grid:
    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("severity", "check", "account", "location", "what"):
        grid.add_column(heading, overflow="fold")
    for finding in bill.findings:
        grid.add_row(
            Text(finding.severity, style=_STYLES[finding.severity]), finding.check, Text(clean(finding.account or "–")),
            Text(clean(finding.location or "–")), Text(clean(finding.message)),
        )  # fmt: skip
    return grid
