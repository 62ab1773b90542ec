"""Self-contained HTML pages: no network, no script, light and dark, fit to print; all text from outside is escaped."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metering.model.explanation import ExplainedAdjustment, Explanation
from metering.model.period import Period, instant_text
from metering.model.reconciliation import Reconciliation
from metering.model.tables import Column, Table, plain_text, printable
from metering.model.units import shown_amount, shown_gib, shown_gib_months
from metering.reporting.explain import adjustment_tables
from metering.reporting.explain.line_tables import arithmetic_lines, heading, remarks, tables, verdict
from metering.reporting.reconcile import tables as reconcile_tables

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).parent / "templates"
_SHORT = ("date", "period", "closed_at", "charge_id", "unit", "currency", "state", "state_then", "state_now")
_NUMBERS = ("count", "seconds", "bytes", "byte_seconds", "money")
# A table of more columns, or of more amounts, which have 20 decimals, is written smaller, so that a sheet of paper holds it.
_MOST_COLUMNS = 10
_MOST_AMOUNTS = 2


@cache
def environment() -> "Environment":
    """Give what renders the templates, and how it shows figures."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 -- a bill must not wait for pages

    # Autoescape is off by default in jinja2; here every template is a page.
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"cell": _cell, "unit": _unit, "title": _title}
    environment.filters |= {"gib_months": shown_gib_months, "columns": columns}
    environment.tests |= {"number": _is_number, "short": _is_short, "wide": _is_wide, "leading": _is_leading}
    return environment


def columns(table: Table, *names: str) -> Table:
    """Keep some columns of a table."""
    places = table.at
    at = [places[name] for name in names]
    return Table(table.name, tuple(table.columns[i] for i in at), [tuple(row[i] for i in at) for row in table.rows])


def called_by_name(table: Table, names: Mapping[str, str]) -> Table:
    """Call accounts by what `names` says, where they have a name."""
    at = table.at.get("account")
    if at is None:
        return table
    return Table(table.name, table.columns, [(*row[:at], names.get(row[at], row[at]), *row[at + 1 :]) for row in table.rows])


def _is_number(column: Column) -> bool:
    """Tell whether figures stand in a column, which are read from their right."""
    return column.kind in _NUMBERS or column.name == "price" or column.name.endswith("_percent")


def _is_leading(column: Column, following: Column | None = None) -> bool:
    """Tell whether a column says what the amount behind it is in, and so stands at that amount, not at the figure before it."""
    return column.name == "currency" and following is not None and following.kind == "money"


def _is_short(column: Column) -> bool:
    """Tell whether what stands in a column is read as one word, whatever it looks like."""
    return column.kind in ("instant", "date") or column.name in _SHORT


def _is_wide(table: Table) -> bool:
    """Tell whether a table has more than stands beside each other in the size of the others."""
    return len(table.columns) > _MOST_COLUMNS or sum(column.kind == "money" for column in table.columns) > _MOST_AMOUNTS


def _title(column: Column) -> str:
    return column.spoken.removesuffix(" byte seconds").removesuffix(" bytes")


def _unit(column: Column) -> str:
    return {"bytes": "GiB", "byte_seconds": "GiB-months"}.get(column.kind, "") if column.name != "multiplier" else ""


def _cell(value: Any, column: Column) -> tuple[str, str]:
    """Give a figure in the unit that people think in, and the exact one to stand under it."""
    if value is None:
        return "–", ""
    exact = plain_text(column.kind, value)
    if column.kind in ("count", "seconds") or column.name == "multiplier":
        return f"{int(value):,}", ""
    if column.kind == "money":
        return (f"{value:,f}" if column.is_in_coins else shown_amount(value)), ""
    if column.kind == "bytes":
        return shown_gib(int(value)), exact
    if column.kind == "byte_seconds":
        return shown_gib_months(int(value)), exact
    return exact, ""


def explanation_page(explanation: Explanation) -> str:
    """Write an explanation as one HTML page."""
    *evidence, (polls_title, polls) = tables(explanation, every_poll=False)
    arithmetic = explanation.arithmetic
    return _explained_page(
        explanation,
        title=printable(heading(explanation)),
        stands_in="computed for",
        steps=arithmetic_lines(explanation),
        verdict=verdict(explanation),
        exactly=f"{arithmetic.fraction} {arithmetic.currency}" if arithmetic else None,
        remarks=remarks(explanation),
        evidence=evidence,
        polls_title=polls_title,
        polls=polls,
        every_poll=tables(explanation, every_poll=True)[-1][1],
    )


def adjustment_page(explanation: ExplainedAdjustment) -> str:
    """Write an explained adjustment as one HTML page."""
    return _explained_page(
        explanation,
        title=printable(adjustment_tables.heading(explanation)),
        stands_in="carried by the bill of",
        steps=adjustment_tables.arithmetic_lines(explanation),
        verdict=adjustment_tables.verdict(explanation),
        exactly=None,
        remarks=[],
        evidence=adjustment_tables.tables(explanation, every_poll=False),
        polls=None,
    )


def _explained_page(explanation: Explanation | ExplainedAdjustment, **parts: Any) -> str:
    line, period = explanation.line, explanation.period
    return (
        environment()
        .get_template("explain.html")
        .render(
            explanation=explanation,
            period=Period(period.start, period.end).text,
            as_of=instant_text(period.as_of),
            amount="unpriced" if line.amount is None else f"{line.amount:f} {line.currency}",
            **parts,
        )
    )


def reconciliation_page(made: Reconciliation, names: Mapping[str, str]) -> str:
    """Write a reconciliation as one HTML page, with every finding; accounts by their `names` too, where they have one."""
    told = {account: name if name == account else f"{printable(name)} ({account})" for account, name in names.items()}
    template = environment().get_template("reconcile.html")
    return template.render(
        title=reconcile_tables.heading(made),
        verdict=reconcile_tables.verdict(made),
        is_clean=made.is_clean,
        parts=[(title, called_by_name(table, told)) for title, table in reconcile_tables.tables(made, every_finding=True)],
    )
