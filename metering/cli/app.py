"""The commands, in the order of `--help`."""

import typer

from metering.cli import (
    advise,
    audit,
    backups,
    bill,
    books,
    collect,
    explain,
    export,
    facts,
    forecast,
    plot,
    quote,
    reconcile,
    report,
    sandbox,
)
from metering.cli.common import Common, with_common_options
from metering.cli.misuse import Command, Group

app = typer.Typer(
    name="metering",
    cls=Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # Plain help can be piped, pasted and compared; markup would swallow what stands in brackets.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def example(line: str) -> str:
    """Give a command's help an example to paste, on a line of its own that is never folded."""
    return f"\b\nExample:\n  {line}"


@app.callback(epilog=example("metering run sample_data --period 2026-10"))
@with_common_options
def metering(common: Common) -> None:
    """Meters and bills remote snapshots by the capacity they occupy: exact, repeatable, explainable."""
    del common  # kept in the context, for the command that follows


app.command(cls=Command, epilog=example("metering run sample_data --period 2026-10 --format table"))(bill.run)
app.command(cls=Command, epilog=example("metering ingest sample_data/samples sample_data/prices.csv"))(facts.ingest)
app.command(cls=Command, epilog=example("metering collect --every 5m"))(collect.collect)
app.command(cls=Command, epilog=example("metering bill 2026-10 --as-of 2026-10-20T00:00:00Z --format json"))(bill.bill)
app.command(cls=Command, epilog=example("metering close 2026-10 --dry-run --reason 'agreed by phone'"))(books.close)
app.command(cls=Command, epilog=example("metering verify"))(books.verify)
app.command(cls=Command, epilog=example("metering backup november.duckdb"))(backups.backup)
app.command(cls=Command, epilog=example("metering restore november.duckdb"))(backups.restore)
app.command(cls=Command, epilog=example("metering report usage --period 2026-10 --by account,day --format csv"))(report.report)
app.command(cls=Command, epilog=example("metering plot usage --period 2026-10 -o usage.png"))(plot.plot)
app.command(cls=Command, epilog=example("metering explain 2026-10-08-f1e2f6fc12673835 -o charge.html"))(explain.explain)
app.command(cls=Command, epilog=example("metering audit --period 2026-10 --format table"))(audit.audit)
app.command(cls=Command, epilog=example("metering quote --amount 100GiB --location ZRH --period '1 year' --currency CHF"))(
    quote.quote
)
app.command(cls=Command, epilog=example("metering advise --period 2026-10 --step 100GiB --format table"))(advise.advise)
app.command(cls=Command, epilog=example("metering forecast --days 30 --format table"))(forecast.forecast)
app.command(
    cls=Command,
    epilog=example(
        "metering reconcile --period 2026-10 --location ZRH --account 0a1be405-5c1a-4e0b-9d3e-6f2a7c4d1b01 "
        "--ledger sample_data/provider/alpenrose-zrh.ledger.json.gz"
    ),
)(reconcile.reconcile)
app.command(cls=Command, epilog=example("metering export usage --period 2026-10 -o usage.parquet"))(export.export)

practice = typer.Typer(
    name="sandbox",
    cls=Group,
    help=sandbox.__doc__,
    epilog=example("metering sandbox facts -o practice --period 2026-10-05"),
    no_args_is_help=True,
    rich_markup_mode=None,
)
practice.command(cls=Command, epilog=example("metering sandbox serve --port 8600 --speed 60"))(sandbox.serve)
practice.command(cls=Command, epilog=example("metering sandbox facts -o practice --period 2026-10-01..2026-10-03 --missed 2"))(
    sandbox.facts
)
app.add_typer(practice)
