"""`metering export`: files for other systems."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from metering.cli.common import (
    AccountOption,
    AsOfOption,
    Common,
    KnownAtOption,
    message,
    meter,
    output_option,
    progress,
    with_common_options,
)
from metering.model.units import counted


class Export(StrEnum):
    """What can be exported."""

    STATEMENT = "statement"
    USAGE = "usage"
    FOCUS = "focus"
    LEDGER = "ledger"
    DAILYBURST = "dailyburst"
    CURRENTUSAGE = "currentusage"
    XLSX = "xlsx"
    FACTS = "facts"


class FactsFormat(StrEnum):
    """The formats of exported facts."""

    CSV = "csv"
    NDJSON = "ndjson"
    PARQUET = "parquet"


# Where statements are written one by one, not as a table.
_BY_STATEMENT = ("", ".html", ".json", ".beancount")


@with_common_options
def export(
    common: Common,
    name: Annotated[
        Export, typer.Argument(metavar="WHAT", help="statement, usage, focus, ledger, dailyburst, currentusage, xlsx or facts.")
    ],
    output: Annotated[
        Path,
        output_option("PATH", "The file (.csv, .ndjson, .parquet, .json, .xlsx, .html, .beancount), or a new folder."),
    ],
    period: Annotated[str | None, typer.Option("--period", metavar="P", help="2026-10, 2026-10-03 or START..END (UTC).")] = None,
    facts_format: Annotated[
        FactsFormat | None, typer.Option("--facts-format", help="The format of exported facts; parquet unless given.")
    ] = None,
    as_of: AsOfOption = None,
    known_at: KnownAtOption = None,
    account: AccountOption = None,
) -> None:
    """Write files for other systems.

    A file is there whole, or as it was before. Facts are those in force; with a period, the samples that its bill looks at,
    else all. A statement is also written to print (.html), as JSON, or as double entry (.beancount); a name without an ending
    becomes a folder with .html, .json and .csv of each. xlsx is the bill and every report as one workbook, a sheet each.
    ledger, dailyburst and currentusage are written as the provider answers them, in .json, .ndjson or .csv; focus as
    FOCUS has it, in .parquet or .csv, with a second file beside that has the subscriptions.
    """
    if name is not Export.FACTS and period is None:
        raise typer.BadParameter(f"export {name.value} needs a period, such as --period 2026-10", param_hint="--period")
    with meter(common) as opened, progress(common, "Exporting") as show:
        rows = opened.export(
            name.value, output, period=period, facts_format=facts_format, as_of=as_of, known_at=known_at, account=account,
            progress=show, tell=lambda text: message(common, text),
        )  # fmt: skip
    noun = "statement" if name is Export.STATEMENT and output.suffix.lower() in _BY_STATEMENT else "row"
    for place, count in rows.items():
        message(common, f"{place}: {counted(count, noun)}")
