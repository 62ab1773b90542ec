"""A bill as a finance person reads it: what is due, what was used, who burst when, what is doubtful."""

from collections import Counter
from dataclasses import replace

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from metering.cli.common import Common
from metering.cli.layout import Field, Sheet, draw
from metering.cli.render import (
    EXACT_HINT,
    NAMED_ACCOUNT,
    account_cell,
    cell,
    cells,
    console,
    draw_fitting,
    field_of,
    said,
    shown_instant,
    shown_money,
)
from metering.model.period import Period, date_text, instant_text
from metering.model.records import Bill, ChargeLine, Episode, Finding, UsageRow
from metering.model.tables import Column, Table, table_of, told_apart
from metering.model.units import counted, shown_percent

_SHOWN_EPISODES = 20
# Each is read on black and on white; yellow is not on white.
_STYLES = {"error": "bold red", "warning": "magenta", "info": "dim"}
_ACCOUNT = Field("account", is_key=True)
_LOCATION = Field("location", is_key=True)
_CURRENCY = Field("", is_unit=True)


def print_bill(common: Common, bill: Bill) -> None:
    """Print a bill, part by part, each account under its name."""
    terminal = console()
    period = Period(bill.period.start, bill.period.end).text
    names = bill.names
    _title(terminal, f"Backup, {period} (UTC), as of {shown_instant(bill.period.as_of)}\n")
    is_exact = draw_fitting(terminal, common, lambda exact: _statements(common, bill, exact=exact))
    terminal.print(Text(_total(bill, terminal.width), style="bold"))
    _title(terminal, "\nUsage")
    is_exact &= draw_fitting(terminal, common, lambda exact: _usage(bill.usage, names, exact=exact))
    if bill.episodes:
        own_lines = sum(line.kind == "burst" for line in bill.lines)
        _title(terminal, f"\nBurst: {counted(len(bill.episodes), 'episode')}, {counted(own_lines, 'charge line')}")
        shown = bill.episodes if common.verbose else _largest(bill.episodes)
        is_exact &= draw_fitting(terminal, common, lambda exact: _episodes(shown, names, exact=exact))
        if hidden := len(bill.episodes) - len(shown):
            are = "is" if hidden == 1 else "are"
            terminal.print(
                f"{counted(hidden, 'smaller episode')} {are} not shown: `metering report burst --period {period}` lists all",
                soft_wrap=True,
            )
    if adjustments := [line for line in bill.lines if line.kind == "adjustment"]:
        _title(terminal, f"\nAdjustments of closed periods: {counted(len(adjustments), 'line')}")
        is_exact &= draw_fitting(terminal, common, lambda exact: _adjustments(adjustments, names, exact=exact))
        for finding in bill.findings:
            if finding.check == "restated":
                terminal.print(said(f"{names.get(finding.account or '', finding.account)}: {finding.message}"))
    if not is_exact:
        terminal.print(Text("\n" + EXACT_HINT, style="dim"), soft_wrap=True)
    if bill.findings:
        print_findings(terminal, common, bill.findings, names)
        if any(row.missing_seconds or row.partial_seconds for row in bill.usage):
            terminal.print(Text(f"when: `metering report coverage --period {period} --by interval`", style="dim"), soft_wrap=True)


def _title(terminal: Console, text: str) -> None:
    terminal.print(Text(text, style="bold"), soft_wrap=True)


def _statements(common: Common, bill: Bill, *, exact: bool) -> Sheet:
    """Show what is due; where there is no room for names beside it, rounded amounts are tried before names become headings."""
    lines = Counter((line.account, line.currency) for line in bill.lines)
    words, below = ("burst and", "adjustments") if any(line.adjusts for line in bill.lines) else ("burst amount", "")
    rows = [
        [
            account_cell(row.account, row.name),
            Text(f"{lines[row.account, row.currency]:,}"),
            Text(shown_money(row.burst_amount, exact=exact)),
            said(None) if row.amount_due is None else Text(f"{row.amount_due:,f}", style="bold"),
            said(row.currency),
            Text(row.state, style="bold red" if row.state == "parked" else ""),
        ]
        for row in bill.statements
    ]
    fields = [
        NAMED_ACCOUNT, Field("lines", is_figure=True), Field(words, below, is_figure=True, is_point=True),
        Field("due", is_figure=True, is_point=True), _CURRENCY, Field("state"),
    ]  # fmt: skip
    return Sheet(fields, rows, groupings=(1,) if common.verbose or not exact else ())


def _total(bill: Bill, width: int) -> str:
    """Say what is due by currency, each amount on one line with it, and how many statements are parked: those are in no sum."""
    parts = [f"{amount:,f} {currency}" for currency, amount in bill.due]
    if parked := sum(row.state == "parked" for row in bill.statements):
        parts.append(f"{counted(parked, 'statement')} parked")
    told = "Due in all: " + " · ".join(parts or ["nothing"])
    return told if cell_len(told) <= width else "\n  ".join(["Due in all:", *parts])


def _usage(rows: list[UsageRow], names: dict[str, str], *, exact: bool) -> Sheet:
    table = table_of("usage", UsageRow, rows)
    keep = [i for i, column in enumerate(table.columns) if column.kind in ("bytes", "byte_seconds")]
    columns = [table.columns[i] for i in keep]
    fields = [_ACCOUNT, _LOCATION, *map(_field, columns), Field("observed", is_figure=True)]
    return Sheet(
        fields,
        [
            [
                said(names.get(row.account, row.account)),
                said(row.location),
                *cells(columns, [values[i] for i in keep], exact=exact),
                _observed(row),
            ]
            for row, values in zip(rows, table.rows, strict=True)
        ],
        grouped=1,
    )


def _field(column: Column) -> Field:
    """Head a column in few words: what the peak is of, the title above says."""
    found = field_of(column)
    return replace(found, words="peak") if found.words.startswith("peak ") else found


def _observed(row: UsageRow) -> Text:
    share = shown_percent(row.known_seconds - row.missing_seconds, row.known_seconds)
    return Text(f"{share} %", style="magenta" if row.missing_seconds or row.partial_seconds else "")


def _largest(episodes: list[Episode]) -> list[Episode]:
    largest = sorted(episodes, key=lambda episode: -episode.burst_byte_seconds)[:_SHOWN_EPISODES]
    return sorted(largest, key=lambda episode: (episode.account, episode.location, episode.start))


def _episodes(episodes: list[Episode], names: dict[str, str], *, exact: bool) -> Sheet:
    columns = [Column("peak_burst_bytes", "bytes"), Column("burst_byte_seconds", "byte_seconds"), Column("amount", "money")]
    fields = [
        _ACCOUNT, _LOCATION, Field("from", is_key=True), Field("until", is_key=True), *map(_field, columns), _CURRENCY,
    ]  # fmt: skip
    is_one_year = len({instant_text(at)[:4] for episode in episodes for at in (episode.start, episode.end - 1)}) == 1
    return Sheet(
        fields,
        [
            [
                said(names.get(episode.account, episode.account)),
                said(episode.location),
                *(Text(shown_instant(at)[5 if is_one_year else 0 :]) for at in (episode.start, episode.end)),
                *cells(columns, [episode.peak_burst_bytes, episode.burst_byte_seconds, episode.amount], exact=exact),
                said(episode.currency),
            ]
            for episode in episodes
        ],
        grouped=1,
    )


def _adjustments(lines: list[ChargeLine], names: dict[str, str], *, exact: bool) -> Sheet:
    """Show by how much each line of a closed period is more or less than what was billed for it so far."""
    columns = [Column("burst_byte_seconds", "byte_seconds"), Column("amount", "money")]
    fields = [
        _ACCOUNT, Field("closed", is_key=True), _LOCATION, Field("date", is_key=True), Field("price", is_figure=True),
        *map(_field, columns), _CURRENCY,
    ]  # fmt: skip
    rows = [
        [
            said(names.get(line.account, line.account)),
            said(line.adjusts),
            said(line.location),
            Text(date_text(line.date)),
            said(line.price),
            *cells(columns, [line.burst_byte_seconds, line.amount], exact=exact),
            said(line.currency),
        ]
        for line in sorted(lines, key=lambda line: (line.account, line.adjusts or ""))
    ]
    return Sheet(fields, rows, grouped=1)


def print_statements(common: Common, table: Table) -> None:
    """Print statements line by line, each account's under its name, with what is due below."""
    draw_fitting(console(), common, lambda exact: _statement_lines(table, exact=exact))


def _statement_lines(table: Table, *, exact: bool) -> Sheet:
    at = table.at
    shown = ["location", "level", "price", "burst_byte_seconds", "shown_amount"]
    if exact:
        shown[4:4] = ["burst_seconds", "peak_burst_bytes", "amount"]
    columns = [table.columns[at[name]] for name in shown]
    units = {row[at["unit"]] for row in table.rows} - {None}
    rows = []
    for row in table.rows:
        name, account, currency, kind = (row[at[column]] for column in ("name", "account", "currency", "kind"))
        heading = " · ".join(part for part in (name, account, currency) if part)
        charge = row[at["charge_id"]]
        adjusts = f" adjusts {row[at['adjusts']]}" if row[at["adjusts"]] else ""
        style = "" if charge else "bold"
        # A total has no location, level or price; that its amount is not known yet is said.
        blank = set() if charge else {"location", "level", "price", "peak_burst_bytes"}
        figures = [Text() if c.name in blank else cell(c, row[at[c.name]], exact=exact) for c in columns]
        if len(units) > 1 and row[at["unit"]]:
            figures[2] += Text(f" per {row[at['unit']]}")
        for figure in figures:
            figure.stylize(style)
        rows.append([said(heading), said(charge + adjusts if charge else kind, style), *figures])
    fields = [field_of(column) for column in told_apart(columns)]
    fields[2] = Field("price", units.pop() if len(units) == 1 else "", is_figure=True)
    return Sheet([_ACCOUNT, Field("charge", is_key=True), *fields], rows, grouped=1)


def print_findings(terminal: Console, common: Common, findings: list[Finding], names: dict[str, str]) -> None:
    """Print findings, the worst first; what is only for information is counted unless every message is asked for."""
    order = list(_STYLES)
    counts = Counter(finding.severity for finding in findings)
    said_counts = [counted(counts[severity], severity) for severity in ("error", "warning") if counts[severity]]
    if counts["info"]:
        said_counts.append(f"{counts['info']:,} for information")
    _title(terminal, "\nFindings: " + ", ".join(said_counts))
    rows = []
    for finding in sorted(findings, key=lambda finding: order.index(finding.severity)):
        if finding.severity != "info" or common.verbose:
            who = [names.get(finding.account, finding.account)] if finding.account else []
            where = [finding.location] if finding.location else []
            text = f"{', '.join([*who, *where])}: {finding.message}" if who or where else finding.message
            rows.append([Text(finding.severity, style=_STYLES[finding.severity]), Text(finding.check), said(text)])
    if rows:
        draw(terminal, [Sheet([Field("severity"), Field("check"), Field("what", is_prose=True)], rows)], headed=False)
    if counts["info"] and not common.verbose:
        kinds = Counter(finding.check for finding in findings if finding.severity == "info")
        listed = ", ".join(f"{check} {count:,}" for check, count in sorted(kinds.items()))
        terminal.print(Text(f"for information: {listed} (-v tells more)", style="dim"), soft_wrap=True)
