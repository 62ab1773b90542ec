"""A period on one page: what is due, what to know, who burst when, what was used, what it cost, what was observed.

The page is bounded whatever it is of: what burst most is drawn, the rest stands in tables, and what is left out is said.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

from markupsafe import Markup

from metering import __version__
from metering.billing.usage import Computation
from metering.engine.duckdb import Engine
from metering.model.period import SECONDS_PER_DAY, Period, date_text, instant_text
from metering.model.records import Bill, Episode, Finding, Statement, UsageRow
from metering.model.tables import Column, Table, columns_of, table_of, told_apart
from metering.model.units import counted, shown_amount, shown_gib_months, shown_percent, shown_time
from metering.reporting.charts import draw, pictures, series
from metering.reporting.pages import called_by_name, columns, environment
from metering.reporting.reports import statement
from metering.reporting.tops import tops

MOST_DRAWN = 60
_MOST_ROWS = 5_000
_MOST_LINES = 1_500
_MOST_FINDINGS = 200
_MOST_EPISODES = 30
_MOST_TOPS = 15
_MOST_COVERED = 50
_SEVERITIES = ("error", "warning", "info")
_USAGE = (
    "account", "location", "occupied_byte_seconds", "entitled_byte_seconds", "burst_byte_seconds", "unused_byte_seconds",
    "peak_occupied_bytes",
)  # fmt: skip
# What a customer needs to know; other findings are for whoever runs the program, and may name files and other accounts.
_TOLD_CUSTOMERS = {
    "unpriced_burst": "burst has no price yet, so what is due is not known",
    "restated": "what was billed for a closed period is adjusted by this bill",
    "missing_time": "not observed, and not billed",
    "partial_time": "observed in part, and billed by what was seen",
    "held_time": "a listing came late, and the one before it counts on",
}
_CONTENTS = {
    "statements": "Statements", "findings": "Findings", "burst": "Burst", "usage": "Usage", "cost": "Cost", "drives": "Drives",
    "snapshots": "Snapshots", "coverage": "Coverage",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shown:
    """What a page is made of, beside the tables of the computation in the engine: the bill, its costs, whose it is, its state."""

    engine: Engine
    computation: Computation
    bill: Bill
    cost: Table
    cost_by_location: Table
    account: str | None
    is_closed: bool


def month_page(shown: Shown) -> str:
    """Write the page of a period, or of one account in it.

    Raises:
        InputError: what draws charts is not installed.
    """
    draw.assert_installed()
    bill, names = shown.bill, shown.bill.names
    period = Period(bill.period.start, bill.period.end)
    notes: dict[str, list[str]] = {name: [] for name in ("statements", "findings", "episodes", "usage", "coverage")}
    is_own = shown.account is not None
    table = _table_maker(names, keep_account=not is_own)
    drives, snapshots = tops(shown.engine, shown.computation, shown.account, _MOST_TOPS)
    units = series.ranked(bill.usage)
    has_adjustments = any(line.adjusts for line in bill.lines)
    rest = partial(_rest, period, is_own=is_own)
    statements = _capped(_statements(bill, has_adjustments=has_adjustments), _MOST_ROWS, notes["statements"], rest("bill"))
    return (
        environment()
        .get_template("month.html")
        .render(
            title=f"Backup, {period.text}",
            who=names.get(shown.account, shown.account) if shown.account else None,
            subtitle=_subtitle(shown),
            is_own=is_own,
            hatches=Markup(draw.hatches(draw.ON_PAGE)),  # noqa: S704 -- our own patterns
            cards=_cards(bill, is_own=is_own),
            contents=_CONTENTS.items(),
            statements=table(statements) if is_own else statements,
            has_adjustments=has_adjustments,
            has_credit=any(row.amount_due is not None and row.amount_due < 0 for row in bill.statements),
            lines=_lines(bill, names, notes["statements"], rest("report statement")),
            findings=_findings(bill, table, notes["findings"], rest("audit"), is_own=is_own),
            burst_chart=_drawn(pictures.burst_chart(draw.ON_PAGE, period, bill.usage, bill.lines, 1_000)),
            episodes=_episodes(bill.episodes, table, notes["episodes"], rest("report burst")),
            bucket=_bucket(series.bucket_seconds(period)),
            charts=_charts(shown, period, units, notes["usage"]),
            usage=table(_capped(_usage(units), _MOST_ROWS, notes["usage"], rest("report usage"))),
            cost=table(shown.cost),
            cost_charts=[_drawn(chart) for chart in pictures.cost_charts(draw.ON_PAGE, shown.cost_by_location, 560)],
            drives=table(drives),
            snapshots=table(snapshots),
            coverage=table(_coverage(bill.usage, notes["coverage"], rest("report coverage"))),
            notes=notes,
            footer=f"metering {__version__}; all times are UTC; a GiB is 2³⁰ bytes, a GiB-month 30 days of it, and so are the GB "
            "and the month of a price; below stand exact bytes and byte-seconds.",
        )
    )


def _drawn(spec: draw.Spec) -> Markup:
    return Markup(draw.svg(spec))  # noqa: S704 -- drawn from data; the drawing library escapes what is text in it


def _subtitle(shown: Shown) -> str:
    state = "closed" if shown.is_closed else "draft: it may still change"
    whose = f"account {shown.account} · " if shown.account else ""
    period = shown.bill.period
    start, end, as_of = (instant_text(at) for at in (period.start, period.end, period.as_of))
    return f"{whose}from {start} until {end} · as of {as_of} · {state}"


def _cards(bill: Bill, *, is_own: bool) -> list[tuple[str, str]]:
    """Tell in figures what a reader looks for first."""
    cards = [(f"Due, {currency}", f"{amount:,f}") for currency, amount in bill.due]
    if parked := sum(row.state == "parked" for row in bill.statements):
        cards.append(("Parked", counted(parked, "statement")))
    if not is_own and (serious := sum(finding.severity != "info" for finding in bill.findings)):
        cards.append(("Errors and warnings", f"{serious:,}"))
    known = sum(row.known_seconds for row in bill.usage)
    missing = sum(row.missing_seconds for row in bill.usage)
    cards += [
        ("Burst, GiB-months", shown_gib_months(sum(row.burst_byte_seconds for row in bill.usage))),
        ("Occupied, GiB-months", shown_gib_months(sum(row.occupied_byte_seconds for row in bill.usage))),
        ("Entitled, GiB-months", shown_gib_months(sum(row.entitled_byte_seconds for row in bill.usage))),
        ("Observed", f"{shown_percent(known - missing, known)} %"),
        ("Locations", f"{len({row.location for row in bill.usage}):,}"),
    ]
    if not is_own:
        cards.append(("Accounts", f"{len({row.account for row in bill.usage}):,}"))
    return cards


def _statements(bill: Bill, *, has_adjustments: bool) -> Table:
    """Give what is due; an amount that is not of burst alone is not headed as if it were."""
    table = table_of("statements", Statement, bill.statements)
    if not has_adjustments:
        return table
    headed = [Column("burst_and_adjustments", c.kind) if c.name == "burst_amount" else c for c in table.columns]
    return Table(table.name, tuple(headed), table.rows)


def _table_maker(names: dict[str, str], *, keep_account: bool) -> Callable[[Table], Table]:
    """Call accounts by name, or leave them out of a page that is one account's."""

    def made(table: Table) -> Table:
        if keep_account:
            return called_by_name(table, names)
        at = table.at.get("account")
        if at is None:
            return table
        return Table(table.name, _without(table.columns, at), [_without(row, at) for row in table.rows])

    return made


def _without(values: tuple[Any, ...], at: int) -> tuple[Any, ...]:
    return (*values[:at], *values[at + 1 :])


def _rest(period: Period, command: str, *, is_own: bool) -> str:
    """Say what has what is left out, as an end of a sentence; a customer has no such command."""
    told = f"bill {period.text}" if command == "bill" else f"{command} --period {period.text}"
    return "." if is_own else f": `metering {told}` has them all."


def _capped(table: Table, most: int, notes: list[str], rest: str) -> Table:
    if len(table.rows) <= most:
        return table
    notes.append(f"{counted(len(table.rows) - most, 'more row')} left out here{rest}")
    return Table(table.name, table.columns, table.rows[:most])


_LINE = (
    "date", "location", "shown_amount", "amount", "burst_byte_seconds", "burst_seconds", "peak_burst_bytes", "level", "price",
    "unit", "charge_id", "adjusts",
)  # fmt: skip


def _lines(bill: Bill, names: dict[str, str], notes: list[str], rest: str) -> list[tuple[str, str, Table]]:
    """Give the lines of each statement that has any, with its total; as many statements as there is room for."""
    table = statement(bill)
    at = table.at
    shown = [name for name in _LINE if name != "adjusts" or any(line.adjusts for line in bill.lines)]
    own: list[tuple[Any, ...]] = []
    found: list[tuple[str, str, Table]] = []
    lines = left_out = 0
    for row in table.rows:
        own.append(row)
        if row[at["charge_id"]] is not None:
            continue
        if len(own) > 1 and lines + len(own) > _MOST_LINES and found:
            left_out += 1
        elif len(own) > 1:
            lines += len(own)
            due = "not known yet" if row[at["shown_amount"]] is None else f"{row[at['shown_amount']]:,f} {row[at['currency']]}"
            who = names.get(row[at["account"]], row[at["account"]])
            found.append(
                (
                    who,
                    f"{counted(len(own) - 1, 'line')}, due {due}",
                    _with_total(columns(Table("lines", table.columns, own), *shown)),
                )
            )
        own = []
    if left_out:
        notes.append(f"The lines of {counted(left_out, 'statement')} are left out here{rest}")
    return found


def _with_total(lines: Table) -> Table:
    """Say in a statement's last row what it is, and of two amounts which one is exact."""
    named = (Column("date", "text"), *told_apart(lines.columns[1:]))
    rows = [("total" if row[0] is None else date_text(row[0]), *row[1:]) for row in lines.rows]
    return Table(lines.name, named, rows)


def _findings(bill: Bill, table: Callable[[Table], Table], notes: list[str], rest: str, *, is_own: bool) -> Table:
    """Give what to know before believing the figures; a customer is told what touches the bill, in words that are no orders."""
    if is_own:
        told = [f for check in _TOLD_CUSTOMERS for f in bill.findings if f.check == check]
        told_rows = [(f.location, None if f.seconds is None else shown_time(f.seconds), _told_customer(f)) for f in told]
        return Table("findings", columns_of(location="text", time="text", what="text"), told_rows)
    # What is left out at the end is the least of its kind.
    ordered = sorted(bill.findings, key=lambda f: (_SEVERITIES.index(f.severity), f.check, -(f.seconds or 0)))
    shown = columns(table_of("findings", Finding, ordered), "severity", "check", "account", "location", "message")
    return table(_capped(shown, _MOST_FINDINGS, notes, rest))


def _told_customer(finding: Finding) -> str:
    """Say what a finding means to whom it is billed; of a closed period by how much, but not which facts of ours made it so."""
    told, more = _TOLD_CUSTOMERS[finding.check], finding.model_extra or {}
    if finding.check != "restated":
        return told
    billed, now, by = (
        "–" if more[name] is None else shown_amount(Decimal(more[name])) for name in ("billed", "restated", "difference")
    )
    return f"{told}: {more['adjusts']}, billed {billed} {more['currency'] or ''} so far, now {now}, so adjusted by {by}"


def _episodes(episodes: list[Episode], table: Callable[[Table], Table], notes: list[str], rest: str) -> Table:
    largest = sorted(episodes, key=lambda episode: -episode.burst_byte_seconds)
    return table(_capped(table_of("episodes", Episode, largest), _MOST_EPISODES, notes, rest))


def _bucket(seconds: int) -> str:
    for length, word in ((SECONDS_PER_DAY, "day"), (3_600, "hour"), (60, "minute")):
        if seconds % length == 0:
            return word if seconds == length else f"{seconds // length} {word}s"
    return f"{seconds} seconds"


def _charts(shown: Shown, period: Period, units: list[UsageRow], notes: list[str]) -> list[tuple[str, str, str, Markup]]:
    drawn = units[:MOST_DRAWN]
    if len(drawn) < len(units):
        notes.append(f"The {len(drawn)} that burst most are drawn, of {len(units):,}; all are in the table below.")
    drawer = draw.Drawer(pictures.page_chart(period))
    names = shown.bill.names
    return [
        (
            names.get(unit.usage.account, unit.usage.account),
            unit.usage.location,
            f"burst {shown_gib_months(unit.usage.burst_byte_seconds)} of {shown_gib_months(unit.usage.occupied_byte_seconds)} "
            "GiB-months",
            Markup(drawer.svg(unit.rows)),  # noqa: S704 -- drawn from figures
        )
        for unit in series.levels(shown.engine, period, drawn)
    ]


def _usage(units: list[UsageRow]) -> Table:
    return columns(table_of("usage", UsageRow, units), *_USAGE)


def _coverage(usage: list[UsageRow], notes: list[str], rest: str) -> Table:
    states = ("measured_seconds", "held_seconds", "partial_seconds", "missing_seconds")
    worst = sorted(
        usage, key=lambda row: (-row.missing_seconds, -row.partial_seconds, -row.held_seconds, row.account, row.location)
    )
    named = (
        Column("account", "text"), Column("location", "text"), *(Column(state, "seconds") for state in states),
        Column("observed_percent", "text"),
    )  # fmt: skip
    rows = []
    for row in worst:
        seconds = [getattr(row, state) for state in states]
        rows.append((row.account, row.location, *seconds, shown_percent(sum(seconds[:3]), sum(seconds))))
    return _capped(Table("coverage", named, rows), _MOST_COVERED, notes, rest)
