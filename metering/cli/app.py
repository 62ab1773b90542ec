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


# Each with the example that ends its help.
_COMMANDS = (
    (bill.run, "metering run sample_data --period 2026-10 --format table"),
    (facts.ingest, "metering ingest sample_data/samples sample_data/prices.csv"),
    (collect.collect, "metering collect --every 5m"),
    (bill.bill, "metering bill 2026-10 --as-of 2026-10-20T00:00:00Z --format json"),
    (books.close, "metering close 2026-10 --dry-run --reason 'agreed by phone'"),
    (books.verify, "metering verify"),
    (backups.backup, "metering backup november.duckdb"),
    (backups.restore, "metering restore november.duckdb"),
    (report.report, "metering report usage --period 2026-10 --by account,day --format csv"),
    (plot.plot, "metering plot usage --period 2026-10 -o usage.png"),
    (explain.explain, "metering explain 2026-10-08-f1e2f6fc12673835 -o charge.html"),
    (audit.audit, "metering audit --period 2026-10 --format table"),
    (quote.quote, "metering quote --amount 100GiB --location ZRH --period '1 year' --currency CHF"),
    (advise.advise, "metering advise --period 2026-10 --step 100GiB --format table"),
    (forecast.forecast, "metering forecast --days 30 --format table"),
    (
        reconcile.reconcile,
        "metering reconcile --period 2026-10 --location ZRH --account 0a1be405-5c1a-4e0b-9d3e-6f2a7c4d1b01 "
        "--ledger sample_data/provider/alpenrose-zrh.ledger.json.gz",
    ),
    (export.export, "metering export usage --period 2026-10 -o usage.parquet"),
)
for command, line in _COMMANDS:
    app.command(cls=Command, epilog=example(line))(command)

practice = typer.Typer(
    name="sandbox",
    cls=Group,
    help=sandbox.__doc__,
    epilog=example("metering sandbox facts -o practice --period 2026-10-05"),
    no_args_is_help=True,
    rich_markup_mode=None,
)
_PRACTICE = (
    (sandbox.serve, "metering sandbox serve --port 8600 --speed 60"),
    (sandbox.facts, "metering sandbox facts -o practice --period 2026-10-01..2026-10-03 --missed 2"),
)
for command, line in _PRACTICE:
    practice.command(cls=Command, epilog=example(line))(command)
app.add_typer(practice)
