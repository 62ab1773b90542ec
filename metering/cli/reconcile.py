"""`metering reconcile`: our figures against the provider's own."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metering.cli.common import (
    EXIT_FOUND,
    AsOfOption,
    CheckOption,
    Common,
    Format,
    KnownAtOption,
    PeriodOption,
    is_page,
    message,
    meter,
    note_unknown_location,
    output_option,
    progress,
    with_common_options,
)
from metering.model.units import counted

if TYPE_CHECKING:
    from metering.model.reconciliation import Reconciliation


class Against(StrEnum):
    """The provider's lists that can be asked for."""

    LEDGER = "ledger"
    USAGE = "usage"
    DAILYBURST = "dailyburst"


@with_common_options
def reconcile(
    common: Common,
    period: PeriodOption,
    ledger: Annotated[
        Path | None, typer.Option("--ledger", metavar="FILE", help="Lines of /ledger/: .json, .ndjson, .csv, also .gz or .zst.")
    ] = None,
    usage: Annotated[Path | None, typer.Option("--usage", metavar="FILE", help="Rows of /usage/, in these formats.")] = None,
    dailyburst: Annotated[
        Path | None, typer.Option("--dailyburst", metavar="FILE", help="Rows of /dailyburstusage/, in these formats.")
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Ask every endpoint and account of the settings, as metering collect does.")
    ] = False,
    against: Annotated[Against | None, typer.Option("--against", help="Which list --live asks for; ledger unless given.")] = None,
    account: Annotated[
        str | None, typer.Option("--account", metavar="ID", help="Whose list it is, if the file does not say; only this account.")
    ] = None,
    location: Annotated[
        str | None, typer.Option("--location", metavar="CODE", help="Where, if the file does not say; only this location.")
    ] = None,
    tolerance: Annotated[
        str, typer.Option("--tolerance", metavar="AMOUNT", help="Differences of a row up to this amount are no findings.")
    ] = "0",
    jitter: Annotated[
        int | None,
        typer.Option(
            "--jitter", metavar="SECONDS", help="How far a ledger's line may be from the time to the next one; 2 unless given."
        ),
    ] = None,
    check: CheckOption = False,
    output: Annotated[Path | None, output_option("FILE.html", "Write a page that needs nothing else.")] = None,
    as_of: AsOfOption = None,
    known_at: KnownAtOption = None,
) -> None:
    """Our figures against the provider's own, row by row.

    What matches, what differs, why, and what is at stake. Rows meet by account, location and time, never by id. Differences are
    theirs − ours: what they charge beyond our figures is positive. What jitter, rounding and time that we did not observe explain
    is told apart; the rest are findings.
    """
    if output is not None and not is_page(output):
        raise typer.BadParameter(f"{output} is no page: end it in .html", param_hint="-o")
    if against is not None and not live:
        raise typer.BadParameter("--against is what --live asks for: give --live too, or leave it out", param_hint="--against")
    asked_for = (against or Against.LEDGER).value if live else None
    with meter(common) as opened:
        with progress(common, "Reconciling") as show:
            made = opened.reconcile(
                period, ledger=ledger, usage=usage, dailyburst=dailyburst, live=asked_for, account=account,
                location=location, tolerance=tolerance, jitter=jitter, as_of=as_of, known_at=known_at, progress=show,
            )  # fmt: skip
        note_unknown_location(common, opened, location)
        names = opened.account_names() if output is not None or common.format is Format.TABLE else {}
        if output is not None:
            from metering.reporting.files import write_text
            from metering.reporting.pages import reconciliation_page

            write_text(reconciliation_page(made, names), output)
            message(common, f"{output}: {counted(len(made.findings), 'finding')}")
    if output is None:
        _print(common, made, names)
    if check and not made.is_clean:
        raise typer.Exit(EXIT_FOUND)


def _print(common: Common, made: "Reconciliation", names: dict[str, str]) -> None:
    from metering.cli.documents import print_json
    from metering.cli.render import print_steps, print_table, print_titled
    from metering.reporting.reconcile.tables import finding_table, heading, tables, verdict

    if common.format is Format.JSON:
        print_json(made.document())
    elif common.format is Format.CSV:
        print_table(common, finding_table(made))
    else:
        print_steps(heading(made), [(verdict(made), "")])
        for title, table in tables(made, every_finding=common.verbose):
            print_titled(common, title, table, names)
