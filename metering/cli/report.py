"""`metering report`: tables of a period."""

from enum import StrEnum
from typing import Annotated

import typer

from metering.cli.common import (
    AccountOption,
    AsOfOption,
    Common,
    Format,
    KnownAtOption,
    PeriodOption,
    meter,
    progress,
    with_common_options,
)


class Report(StrEnum):
    """The reports there are."""

    USAGE = "usage"
    BURST = "burst"
    SNAPSHOTS = "snapshots"
    SUBSCRIPTIONS = "subscriptions"
    COST = "cost"
    COVERAGE = "coverage"
    STATEMENT = "statement"


@with_common_options
def report(
    common: Common,
    name: Annotated[
        Report, typer.Argument(metavar="REPORT", help="usage, burst, snapshots, subscriptions, cost, coverage, statement.")
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
) -> None:
    """Tables of a period.

    Who used what, who burst when, what each snapshot occupied, what was bought, what it cost beside burst, what was observed, what
    is due.
    """
    with meter(common) as opened, progress(common, "Computing") as show:
        table = opened.report_table(name.value, period, by=by, as_of=as_of, known_at=known_at, account=account, progress=show)
    from metering.cli.bill_view import print_statements  # noqa: PLC0415 -- `--help` must not wait for them
    from metering.cli.render import print_table  # noqa: PLC0415

    if name is Report.STATEMENT and common.format is Format.TABLE and table.rows:
        print_statements(common, table)
    else:
        print_table(common, table)
