"""The commands, in the order of `--help`."""

from typing import Annotated

import typer

from metering import __version__
from metering.cli import bill, export, facts, report
from metering.cli.common import Common, ConfigOption, FormatOption, QuietOption, StoreOption, VerboseOption

app = typer.Typer(
    name="metering",
    help="Meters and bills remote snapshots by the capacity they occupy: exact, repeatable, explainable.",
    epilog="Example: metering run sample_data --period 2026-10",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"metering {__version__}")
        raise typer.Exit


@app.callback()
def common_options(
    context: typer.Context,
    store: StoreOption = None,
    config: ConfigOption = None,
    form: FormatOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Take the options that may also stand behind a command."""
    del version
    context.obj = Common(store, config, form, quiet, verbose)


app.command(epilog="Example: metering run sample_data --period 2026-10 --format table")(bill.run)
app.command(epilog="Example: metering ingest samples-2026-11.csv.gz prices.csv")(facts.ingest)
app.command(epilog="Example: metering bill 2026-10 --as-of 2026-10-20T00:00:00Z --format json")(bill.bill)
app.command(epilog="Example: metering report usage --period 2026-10 --by account,day --format csv")(report.report)
app.command(epilog="Example: metering export usage --period 2026-10 -o usage.parquet")(export.export)
