"""`metering run` and `metering bill`: statements of a period."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metering.cli.common import (
    EXIT_FOUND,
    AccountOption,
    AsOfOption,
    CheckOption,
    Common,
    Format,
    KnownAtOption,
    OutputOption,
    PeriodArgument,
    PeriodOrLastMonthOption,
    errors_told,
    job_meter,
    message,
    meter,
    progress,
    with_common_options,
)
from metering.model.units import counted

if TYPE_CHECKING:
    from metering.model.records import Bill


class RunEngine(StrEnum):
    """What computes a bill."""

    DUCKDB = "duckdb"
    SPARK = "spark"


@with_common_options
def run(
    common: Common,
    facts: Annotated[list[str], typer.Argument(metavar="FACTS", help="A facts directory, or files of facts; a URL for Spark.")],
    period: PeriodOrLastMonthOption = None,
    as_of: AsOfOption = None,
    account: AccountOption = None,
    check: CheckOption = False,
    tables: Annotated[
        Path | None, typer.Option("--tables", metavar="FOLDER", help="Also write usage, lines, episodes, statements, as Parquet.")
    ] = None,
    engine: Annotated[RunEngine | None, typer.Option("--engine", help="duckdb, or spark for more than one machine.")] = None,
    master: Annotated[
        str | None, typer.Option("--master", metavar="URL", help="Spark's: local[*], spark://HOST:PORT, sc://HOST, yarn.")
    ] = None,
) -> None:
    """The main job: take facts in, bill a period, print the bill.

    On Spark, facts are Parquet, from a directory or a URL that Spark reads, and nothing is kept.
    """
    from metering.bookkeeping import read_instant
    from metering.cli.facts import tell
    from metering.model.period import parse_period
    from metering.reporting.bill_tables import make_folder, write_bill_tables

    with errors_told():  # before facts are taken in, which may take an hour of a cluster
        if period is not None:
            parse_period(period)
        if as_of is not None:
            read_instant(as_of, "--as-of")
        if tables is not None:
            make_folder(tables)
    with job_meter(common, facts, engine, master) as opened:
        with progress(common, "Ingesting") as show:
            outcome = opened.ingest(facts, progress=show)
        tell(common, outcome)
        if period is None:
            period, is_full = opened.last_full_month()
            message(common, f"billing {period}" + ("" if is_full else ", of which the facts do not reach the end"))
        with progress(common, "Billing") as show:
            made = opened.bill(period, as_of=as_of, account=account, progress=show)
        if tables is not None:
            for place, count in write_bill_tables(made, tables).items():
                message(common, f"{place}: {counted(count, 'row')}")
    _print(common, made, check)


@with_common_options
def bill(
    common: Common,
    period: PeriodArgument,
    as_of: AsOfOption = None,
    known_at: KnownAtOption = None,
    account: AccountOption = None,
    output: OutputOption = None,
    check: CheckOption = False,
) -> None:
    """Statements of a period; the store is not changed."""
    with meter(common) as opened:
        if output is not None:
            opened.assert_statements_fit(output)
        with progress(common, "Billing") as show:
            made = opened.bill(period, as_of=as_of, known_at=known_at, account=account, progress=show)
        if output is not None:
            opened.write_bill(output, made)
            message(common, f"{output}: {counted(len(made.statements), 'statement')}, {counted(len(made.lines), 'line')}")
    _print(common, made, check, quietly=output is not None)


def show_bill(common: Common, made: "Bill") -> None:
    """Print a bill in the format asked for."""
    if common.format is Format.JSON:
        from metering.cli.documents import print_json

        print_json(made)
    elif common.format is Format.CSV:
        from metering.cli.render import print_table
        from metering.reporting.reports import statement

        print_table(common, statement(made))
    else:
        from metering.cli.bill_view import print_bill

        print_bill(common, made)


def _print(common: Common, made: "Bill", check: bool, *, quietly: bool = False) -> None:
    if not quietly:
        show_bill(common, made)
    if check and any(finding.severity != "info" for finding in made.findings):
        raise typer.Exit(EXIT_FOUND)
