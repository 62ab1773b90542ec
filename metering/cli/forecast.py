"""`metering forecast`: what comes."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metering.cli.common import (
    AccountOption,
    AsOfOption,
    Common,
    Format,
    KnownAtOption,
    message,
    meter,
    output_option,
    progress,
    with_common_options,
)
from metering.model.units import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from metering.planning.outlook import Forecast


@with_common_options
def forecast(
    common: Common,
    days: Annotated[int, typer.Option("--days", metavar="N", help="How many days ahead of the last whole day polled.")] = 30,
    history: Annotated[int, typer.Option("--history", metavar="N", help="How many days before it are learnt from, at most.")] = 180,
    output: Annotated[Path | None, output_option("FILE", "Write the days ahead to a file (.csv, .xlsx, .parquet).")] = None,
    account: AccountOption = None,
    as_of: AsOfOption = None,
    known_at: KnownAtOption = None,
) -> None:
    """What comes: sizes ahead, burst, the month's cost.

    When burst is likely to begin, what it will have cost when the month ends, and which subscriptions run out. By the theta
    method, tested on the history's own last days; the error is printed. Needs the extra `forecast`.
    """
    with meter(common) as opened:
        with progress(common, "Computing") as show:
            found = opened.forecast(days=days, history_days=history, account=account, as_of=as_of, known_at=known_at, progress=show)
        if output is not None:
            from metering.reporting.ahead import days_table

            opened.write(output, days_table(found))
            message(common, f"{output}: {counted(len(found.days), 'row')}")
            return
        names = opened.account_names()
    _print(common, found, names)


def _print(common: Common, found: "Forecast", names: "Mapping[str, str]") -> None:
    from metering.cli.documents import print_json
    from metering.cli.render import console, print_table, print_titled, said
    from metering.reporting.ahead import days_table, outlook_sentence, outlook_table, runs_out_table

    if common.format is Format.JSON:
        tables = {"outlooks": outlook_table(found), "days": days_table(found), "runs_out": runs_out_table(found)}
        unforecast = [{"account": account, "location": location} for account, location in found.unforecast]
        print_json({name: table.documents() for name, table in tables.items()} | {"unforecast": unforecast})
    elif common.format is Format.CSV:
        print_table(common, days_table(found))
    else:
        for each in found.outlooks:
            console().print(said(outlook_sentence(each, names, found.end)), soft_wrap=True)
        for account, location in found.unforecast:
            who = names.get(account, account)
            console().print(said(f"{who} in {location}: no forecast, its days are too few or too long ago"), soft_wrap=True)
        console().print()
        print_titled(common, "Subscriptions that run out", runs_out_table(found), names)
        if common.verbose:
            print_titled(common, "Days ahead", days_table(found), names)
