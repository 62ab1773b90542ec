"""Results on stdout: tables for the eye, JSON and CSV for programs."""

import json
import sys
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from metering.billing.money import round_ratio
from metering.cli.common import Common, Format
from metering.model.currency import minor_places
from metering.model.period import Period, instant_text
from metering.model.records import Bill, Episode, UsageRow
from metering.model.tables import Column, Kind, Table, plain_text, table_of
from metering.model.units import shown_gib, shown_gib_months, shown_quotient
from metering.reporting.files import csv_text

_SHOWN_EPISODES = 20
# A pipe has no edge: nothing is folded there.
_WIDTH_OF_A_PIPE = 1_000
_BETWEEN_COLUMNS = 3
_FOLDED_TEXT = 13
_FIGURES = ("count", "seconds", "bytes", "byte_seconds", "money")
# An amount of more decimals than these is shown rounded where there is no room for the exact one.
_SHOWN_PLACES = 6
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


def print_titled(common: Common, title: str, table: Table) -> None:
    """Print a table for the eye under its title."""
    console = _console()
    console.print(Text(clean(title), style="bold"))
    if table.rows:
        console.print(_fitting(console, common, lambda exact: _grid(table, exact=exact)))
    else:
        console.print("none\n")


def print_steps(title: str, steps: list[tuple[str, str]]) -> None:
    """Print what is done and what comes out, line by line, under a title."""
    grid = Grid(box=None, pad_edge=False, show_header=False)
    grid.add_column(overflow="fold")
    grid.add_column(justify="right", overflow="fold")
    for step, result in steps:
        grid.add_row(Text(clean(step)), Text(clean(result)))
    console = _console()
    console.print(Text(clean(title), style="bold"), grid, "", sep="\n")


def _console() -> Console:
    console = Console(highlight=False, soft_wrap=False)
    return console if console.is_terminal else Console(highlight=False, width=_WIDTH_OF_A_PIPE)


def _fitting(console: Console, common: Common, draw: Callable[[bool], Grid]) -> Grid:
    """Draw with exact figures under the rounded ones, unless the terminal is too narrow for them and nobody insists.

    A figure is never folded: where a terminal is too narrow even so, it is the terminal that breaks the lines.
    """
    grid = draw(True)
    if not common.verbose and _width(grid) > console.width:
        grid = draw(False)
        grid.caption = "exact figures: a wider terminal, -v, --format csv or --format json"
        grid.caption_justify = "left"
    console.width = max(console.width, _width(grid, _FOLDED_TEXT))
    return grid


def _width(grid: Grid, longest_text: int = _WIDTH_OF_A_PIPE) -> int:
    """Give how many columns a grid takes where only texts are folded, to a given width."""
    width = 0
    for column in grid.columns:
        parts = [str(part) for part in (column.header, *column.cells)]
        widest = max(cell_len(line) for part in parts for line in part.split("\n"))
        width += (widest if column.no_wrap else min(widest, longest_text)) + _BETWEEN_COLUMNS
    return width


def clean(text: str) -> str:
    """Show text from outside without the control characters that a terminal would obey."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def _grid(table: Table, *, exact: bool = True) -> Grid:
    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in table.columns:
        _add_column(grid, _heading(column), column.kind)
    for row in table.rows:
        grid.add_row(*(_cell(column, value, exact=exact) for column, value in zip(table.columns, row, strict=True)))
    return grid


def _add_column(grid: Grid, heading: str, kind: Kind = "text") -> None:
    grid.add_column(heading, justify="right" if kind in _FIGURES else "left", overflow="fold", no_wrap=kind != "text")


def _heading(column: Column) -> str:
    """Write a column's name in words, and its unit under it."""
    for kind, ending, unit in (
        ("byte_seconds", "_byte_seconds", "GiB-months"),
        ("bytes", "_bytes", "GiB"),
        ("seconds", "_seconds", "s"),
    ):
        if column.kind == kind:
            return f"{column.name.removesuffix(ending).replace('_', ' ')}\n{unit}"
    return column.name.replace("_", " ")


def _cell(column: Column, value: Any, *, exact: bool) -> Text:
    """Show a figure in the unit people think in, and under it the exact one."""
    if value is None:
        return Text("–", style="dim")
    if column.kind in ("bytes", "byte_seconds"):
        shown = shown_gib(int(value)) if column.kind == "bytes" else shown_gib_months(int(value))
        return Text.assemble(shown, ("\n" + str(value), "dim")) if exact else Text(shown)
    if column.kind in ("count", "seconds"):
        return Text(f"{value:,}")
    if column.kind == "money":
        return Text(_shown_money(value, exact=exact))
    return Text(clean(plain_text(column.kind, value)))


def _shown_money(amount: Decimal, *, exact: bool) -> str:
    """Write an amount without the zeros at its end that say nothing; rounded for the eye where there is no room."""
    places = -int(amount.as_tuple().exponent)
    shown = amount if exact or places <= _SHOWN_PLACES else round_ratio(Fraction(amount), _SHOWN_PLACES, "half-even")
    whole, point, decimals = format(shown, "f").partition(".")
    return f"{whole}{point}{decimals.rstrip('0').ljust(2, '0')}" if point else whole


def print_bill(common: Common, bill: Bill) -> None:
    """Print a bill as a finance person reads it: what is due, what was used, who burst when, what is doubtful."""
    console = _console()
    period = Period(bill.period.start, bill.period.end).text
    console.print(Text(f"Backup, {period} (UTC), as of {instant_text(bill.period.as_of)}", style="bold"))
    console.print(_fitting(console, common, lambda exact: _statements(bill, exact=exact)))
    names = _names(bill)
    console.print(Text("Usage", style="bold"))
    console.print(_fitting(console, common, lambda exact: _usage(bill.usage, names, exact=exact)))
    if bill.episodes:
        console.print(
            Text(f"Burst: {_counted(len(bill.episodes), 'episode')}, {_counted(len(bill.lines), 'charge line')}", style="bold")
        )
        shown = (
            bill.episodes
            if common.verbose
            else sorted(
                sorted(bill.episodes, key=lambda episode: -episode.burst_byte_seconds)[:_SHOWN_EPISODES],
                key=lambda episode: (episode.account, episode.location, episode.start),
            )
        )
        console.print(_fitting(console, common, lambda exact: _episodes(shown, names, exact=exact)))
        if hidden := len(bill.episodes) - len(shown):
            console.print(f"{hidden} smaller episodes are not shown: `metering report burst --period {period}` lists all\n")
    if bill.findings:
        console.print(Text(f"Findings: {len(bill.findings)}", style="bold"))
        console.print(_findings(bill, names))


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _names(bill: Bill) -> dict[str, str]:
    """Give what to call each account below the statements, which tell both: its name, unless two have the same."""
    names = {row.account: row.name or row.account for row in bill.statements}
    return {account: name if list(names.values()).count(name) == 1 else account for account, name in names.items()}


def _statements(bill: Bill, *, exact: bool) -> Grid:
    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False)
    _add_column(grid, "account")
    _add_column(grid, "name")
    _add_column(grid, "lines", "count")
    _add_column(grid, "burst amount", "money")
    _add_column(grid, "due", "money")
    _add_column(grid, "currency")
    _add_column(grid, "state")
    lines = Counter(line.account for line in bill.lines)
    for row in bill.statements:
        due = Text("–", style="dim") if row.amount_due is None else Text(_grouped(row.amount_due, row.currency), style="bold")
        grid.add_row(
            Text(clean(row.account)), Text(clean(row.name or "–")), f"{lines[row.account]:,}",
            _shown_money(row.burst_amount, exact=exact), due, row.currency or "–",
            Text(row.state, style="bold red" if row.state == "parked" else ""),
        )  # fmt: skip
    return grid


def _grouped(amount: Decimal, currency: str | None) -> str:
    places = (minor_places(currency) if currency else 0) or 0
    return f"{amount:,.{places}f}"


def _usage(rows: list[UsageRow], names: dict[str, str], *, exact: bool) -> Grid:
    table = table_of("usage", UsageRow, rows)
    keep = [i for i, column in enumerate(table.columns) if column.kind in ("bytes", "byte_seconds")]
    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False)
    _add_column(grid, "account")
    _add_column(grid, "location")
    for i in keep:
        _add_column(grid, _heading(table.columns[i]), table.columns[i].kind)
    _add_column(grid, "observed", "seconds")
    account = None
    for row, values in zip(rows, table.rows, strict=True):
        cells = (_cell(table.columns[i], values[i], exact=exact) for i in keep)
        grid.add_row(_once(row.account, account, names), Text(clean(row.location)), *cells, _coverage(row))
        account = row.account
    return grid


def _once(account: str, before: str | None, names: dict[str, str]) -> Text:
    """Name an account in the first of its rows only."""
    return Text("" if account == before else clean(names.get(account, account)))


def _coverage(row: UsageRow) -> Text:
    known = row.measured_seconds + row.held_seconds + row.partial_seconds + row.missing_seconds
    share = shown_quotient(100 * (known - row.missing_seconds), known, 2) if known else "–"
    doubts = [
        f"{seconds:,} s {state}"
        for state, seconds in (("held", row.held_seconds), ("partial", row.partial_seconds), ("missing", row.missing_seconds))
        if seconds
    ]
    return Text.assemble(f"{share} %", *((f"\n{doubt}", "yellow") for doubt in doubts))


def _episodes(episodes: list[Episode], names: dict[str, str], *, exact: bool) -> Grid:
    table = table_of("burst", Episode, episodes)
    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in table.columns:
        _add_column(grid, _heading(column), column.kind)
    account = None
    for episode, values in zip(episodes, table.rows, strict=True):
        cells = [_cell(column, value, exact=exact) for column, value in zip(table.columns, values, strict=True)]
        grid.add_row(_once(episode.account, account, names), *cells[1:])
        account = episode.account
    return grid


def _findings(bill: Bill, names: dict[str, str]) -> Grid:
    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("severity", "check", "account", "location", "what"):
        _add_column(grid, heading)
    for finding in sorted(bill.findings, key=lambda finding: list(_STYLES).index(finding.severity)):
        account = names.get(finding.account, finding.account) if finding.account else "–"
        grid.add_row(
            Text(finding.severity, style=_STYLES[finding.severity]), finding.check, Text(clean(account)),
            Text(clean(finding.location or "–")), Text(clean(finding.message)),
        )  # fmt: skip
    return grid
