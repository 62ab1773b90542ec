"""Results on stdout: tables for the eye, JSON and CSV for programs."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

from rich.console import Console
from rich.text import Text

from metering.billing.money import round_ratio
from metering.cli.common import Common, Format
from metering.cli.documents import print_json
from metering.cli.layout import Field, Sheet, draw
from metering.model.period import instant_text
from metering.model.tables import Column, Kind, Table, plain_text, printable
from metering.model.units import shown_amount, shown_gib, shown_gib_months
from metering.reporting.files import csv_text

# A pipe has no edge: nothing is folded there, unless COLUMNS says where its edge is.
_WIDTH_OF_A_PIPE = 1_000
_WIDTH_UNKNOWN = 80
_FIGURES: tuple[Kind, ...] = ("count", "seconds", "bytes", "byte_seconds", "money")
_UNITS: dict[Kind, tuple[str, str]] = {
    "byte_seconds": ("_byte_seconds", "GiB-months"),
    "bytes": ("_bytes", "GiB"),
    "seconds": ("_seconds", "s"),
    "instant": ("", "UTC"),
}
# What a row can be named by, as far as these stand before the other columns.
_KEYS = (
    "account", "location", "day", "hour", "drive", "snapshot", "id", "state", "start", "end", "table", "interval", "intervals",
    "price_number", "currency", "check",
)  # fmt: skip
_PROSE = ("name", "message", "what", "reason", "why_this_level", "charged", "means", "do")
# What is shown rounded where there is no room.
_ROUNDED: tuple[Kind, ...] = ("bytes", "byte_seconds", "money")
# An amount of more decimals than these is shown rounded where there is no room for the exact one.
_SHOWN_PLACES = 6
_NOBODY: Mapping[str, str] = {}
# A name is folded beside its figures, but not its identifier below it.
NAMED_ACCOUNT = Field("account", is_key=True, is_prose=True, narrowest=len("0a1be405-5c1a-4e0b-9d3e-6f2a7c4d1b01"), widest=60)
EXACT_HINT = "exact figures: a wider terminal, -v, --format csv or --format json"


def print_table(common: Common, table: Table, names: Mapping[str, str] = _NOBODY) -> None:
    """Print a table in the format asked for; for the eye, accounts by their `names` too, where they have one."""
    if common.format is Format.JSON:
        print_json(table.documents())
    elif common.format is Format.CSV:
        text = csv_text(table)
        sys.stdout.write("\n".join(map(printable, text.split("\n"))) if sys.stdout.isatty() else text)
    elif table.rows:
        terminal = console()
        is_exact = draw_fitting(terminal, common, lambda exact: sheet_of(table, names, exact=exact))
        if not is_exact and any(column.kind in _ROUNDED for column in table.columns):
            terminal.print(Text(EXACT_HINT, style="dim"), soft_wrap=True)
    else:
        console().print(f"no rows in {table.name}")


def print_titled(common: Common, title: str, table: Table, names: Mapping[str, str] = _NOBODY) -> None:
    """Print a table for the eye under its title, accounts by their `names` too, where they have one."""
    terminal = console()
    terminal.print(Text(printable(title), style="bold"))
    if table.rows:
        draw_fitting(terminal, common, lambda exact: sheet_of(table, names, exact=exact))
    else:
        terminal.print("none")
    terminal.print()


def print_steps(title: str, steps: list[tuple[str, str]]) -> None:
    """Print what is done and what comes out, line by line, under a title; what nothing comes out of stands below."""
    terminal = console()
    terminal.print(Text(printable(title), style="bold"))
    rows = [[said(step), said(result)] for step, result in steps if result]
    draw(terminal, [Sheet([Field("step", is_prose=True), Field("result", is_figure=True)], rows)], headed=False)
    for step, result in steps:
        if not result:
            terminal.print(said(step))
    terminal.print()


def console() -> Console:
    """Give the terminal that stdout is, or a pipe as a terminal without an edge."""
    found = Console(highlight=False)
    # COLUMNS is 0 where nobody knows the width; a table of no width has nothing in it.
    if found.width and (found.is_terminal or os.environ.get("COLUMNS")):
        return found
    return Console(highlight=False, width=_WIDTH_UNKNOWN if found.is_terminal else _WIDTH_OF_A_PIPE)


def draw_fitting(terminal: Console, common: Common, sheet: Callable[[bool], Sheet]) -> bool:
    """Draw with exact figures beside the rounded ones, unless the terminal is too narrow for them and nobody insists.

    Gives whether they were drawn.
    """
    for exact in (True,) if common.verbose else (True, False):
        each = sheet(exact)
        choices = [each, *(each.under(count) for count in each.groupings)]
        if any(choice.fits(terminal) for choice in choices) or common.verbose or not exact:
            draw(terminal, choices)
            return exact
    raise AssertionError


def said(text: str | None, style: str = "") -> Text:
    """Show text from outside; a dash where there is none."""
    return Text("–", style="dim") if text is None else Text(printable(text), style=style)


def account_cell(account: str, name: str | None) -> Text:
    """Show whose row it is: the name, and the identifier below it."""
    return Text.assemble((printable(name), "bold"), ("\n" + printable(account), "dim")) if name else said(account)


def sheet_of(table: Table, names: Mapping[str, str], *, exact: bool) -> Sheet:
    """Show a table: the columns that it begins with name its rows.

    An account that has a name is called by it. Its identifier stands below where a row is all there is of it; what may have several
    rows is a heading of them, as in a bill.
    """
    leading = next((i for i, column in enumerate(table.columns) if column.name not in _KEYS), len(table.columns))
    fields = [field_of(column, is_key=i < leading) for i, column in enumerate(table.columns)]
    rows = [[cell(column, value, exact=exact) for column, value in zip(table.columns, row, strict=True)] for row in table.rows]
    columns = list(table.at)
    shared = ["account", "location", "snapshot"]
    groupings = [count for count in (1, 2, 3) if columns[:count] == shared[:count] and count < len(columns)]
    grouped, at = 0, table.at.get("account")
    # What has no name is called by its identifier.
    if at is not None and any(names.get(row[at], row[at]) != row[at] for row in table.rows):
        grouped = int(at == 0 and bool({*columns[1:leading]} - {"currency"}))
        for shown, row in zip(rows, table.rows, strict=True):
            name = names.get(row[at], row[at])
            if name != row[at]:
                shown[at] = said(f"{name} · {row[at]}") if grouped else account_cell(row[at], name)
        fields[at] = replace(NAMED_ACCOUNT, is_key=fields[at].is_key)
    return Sheet(fields, rows, tuple(groupings), grouped)


def field_of(column: Column, *, is_key: bool = False) -> Field:
    """Head a column: its name in words, and its unit under it."""
    ending, unit = _UNITS.get(column.kind, ("", ""))
    words = column.spoken.removesuffix(ending.replace("_", " "))
    return Field(
        words,
        unit,
        is_figure=column.kind in _FIGURES or column.name.endswith("_percent"),
        is_point=column.kind == "money",
        is_prose=column.name in _PROSE,
        is_key=is_key,
        leads=column.name == "currency",
    )


def cell(column: Column, value: Any, *, exact: bool) -> Text:
    """Show a figure in the unit people think in, and under it the exact one."""
    if value is None:
        return Text("–", style="dim")
    if column.kind in ("bytes", "byte_seconds"):
        shown = shown_gib(int(value)) if column.kind == "bytes" else shown_gib_months(int(value))
        return Text.assemble(shown, ("\n" + str(value), "dim")) if exact else Text(shown)
    if column.kind in ("count", "seconds"):
        return Text(f"{value:,}")
    if column.kind == "money":
        return Text(f"{value:,f}" if column.is_in_coins else shown_money(value, exact=exact))
    if column.kind == "instant":
        return Text(shown_instant(value))
    return said(plain_text(column.kind, value))


def cells(columns: Sequence[Column], values: Sequence[Any], *, exact: bool) -> list[Text]:
    """Show several figures."""
    return [cell(column, value, exact=exact) for column, value in zip(columns, values, strict=True)]


def shown_instant(instant_s: int) -> str:
    """Write an instant as people read it; that it is UTC stands in the heading."""
    return instant_text(instant_s).replace("T", " ").removesuffix("Z")


def shown_money(amount: Decimal, *, exact: bool) -> str:
    """Write an amount without the zeros at its end that say nothing; rounded for the eye where there is no room."""
    places = -int(amount.as_tuple().exponent)
    shown = amount if exact or places <= _SHOWN_PLACES else round_ratio(Fraction(amount), _SHOWN_PLACES, "half-even")
    return shown_amount(shown)
