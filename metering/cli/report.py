"""`metering report`: tables of a period."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metering.cli.common import (
    EXIT_FOUND,
    AccountOption,
    AsOfOption,
    Common,
    Format,
    KnownAtOption,
    NotifyOption,
    OutputOption,
    PeriodOption,
    errors_told,
    is_page,
    message,
    meter,
    notifier,
    progress,
    with_common_options,
)
from metering.model.units import counted

if TYPE_CHECKING:
    from metering.model.tables import Table


class Report(StrEnum):
    """The reports there are."""

    USAGE = "usage"
    BURST = "burst"
    SNAPSHOTS = "snapshots"
    SUBSCRIPTIONS = "subscriptions"
    COST = "cost"
    COVERAGE = "coverage"
    STATEMENT = "statement"
    HTML = "html"


@with_common_options
def report(
    common: Common,
    name: Annotated[
        Report,
        typer.Argument(
            metavar="REPORT", help="usage, burst, snapshots, subscriptions, cost, coverage, statement; html: all of it, on a page."
        ),
    ],
    period: PeriodOption,
    by: Annotated[
        str | None,
        typer.Option(
            "--by",
            metavar="WHAT",
            help="Sum by account, location, day, hour (usage, burst, coverage); account, location, day, drive, snapshot "
            "(snapshots); account, location (subscriptions, cost); list each episode (burst) or interval (coverage).",
        ),
    ] = None,
    as_of: AsOfOption = None,
    known_at: KnownAtOption = None,
    account: AccountOption = None,
    output: OutputOption = None,
    check: Annotated[bool, typer.Option("--check", help="Exit 3 if there is any burst (burst only).")] = False,
    notify: NotifyOption = None,
) -> None:
    """Tables of a period, or a page of it.

    Who used what, who burst when, what each snapshot occupied, what was bought, what it cost beside burst and what adjusts closed
    periods, what was observed, what is due. html is one page with charts that needs nothing else; with --account it is that
    customer's own, and names nobody else.
    """
    if (check or notify is not None) and name is not Report.BURST:
        raise typer.BadParameter("only burst can be checked for; `metering audit --check` checks everything", param_hint="--check")
    if name is Report.HTML:
        _page(common, period, by, as_of, known_at, account, output)
        return
    with meter(common) as opened:
        from metering.reporting.alerts import burst_alert

        tell = notifier(common, notify, check=check)
        with progress(common, "Computing") as show:
            table = opened.report_table(
                name.value, period, by=by, as_of=as_of, known_at=known_at, account=account, progress=show,
                # What watches for burst need not wait for what is of other periods.
                tell=None if check or common.quiet else lambda text: message(common, text),
            )  # fmt: skip
        if output is not None:
            opened.write(output, table)
            message(common, f"{output}: {counted(len(table.rows), 'row')}")
        is_shown = output is None and table.rows and common.format is Format.TABLE
        names = opened.account_names() if is_shown else {}
    if output is None:
        _print(common, name, table, names)
    with errors_told():
        tell(lambda: burst_alert(period, table))
    if check and table.rows:
        raise typer.Exit(EXIT_FOUND)


def _print(common: Common, name: Report, table: "Table", names: dict[str, str]) -> None:
    from metering.cli.bill_view import print_statements
    from metering.cli.render import print_table

    if name is Report.STATEMENT and common.format is Format.TABLE and table.rows:
        print_statements(common, table)
    elif common.format is Format.TABLE:
        print_table(common, _as_read(table), names)
    else:
        print_table(common, table)


# What a snapshot is called and occupied is read first: where there is no room for all, a table is cut.
_READ_FIRST = (
    "account", "location", "snapshot", "name", "occupied_byte_seconds", "peak_occupied_bytes", "last_occupied_bytes",
    "observed_seconds",
)  # fmt: skip


def _as_read(table: "Table") -> "Table":
    """Give a table of single snapshots in the order in which people read it; any other as it is."""
    from metering.reporting.pages import columns

    placed = (*_READ_FIRST, "drive")
    if not {*placed} <= {*table.at}:
        return table
    return columns(table, *_READ_FIRST, *(name for name in table.at if name not in placed), "drive")


def _page(
    common: Common, period: str, by: str | None, as_of: str | None, known_at: str | None, account: str | None, output: Path | None
) -> None:
    if output is None or not is_page(output):
        raise typer.BadParameter("report html needs a file, such as -o report.html", param_hint="--output")
    if by is not None:
        raise typer.BadParameter("a page has everything: it takes no --by", param_hint="--by")
    with meter(common) as opened, progress(common, "Computing") as show:
        opened.page(output, period=period, account=account, as_of=as_of, known_at=known_at, progress=show)
    message(common, f"wrote {output}")
