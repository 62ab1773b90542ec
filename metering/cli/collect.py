"""`metering collect`: polls every configured endpoint and account into the spool, then the store."""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from metering.cli import drop_stdout
from metering.cli.common import EXIT_FAILED, EXIT_FOUND, Common, Format, message, meter, print_error, with_common_options
from metering.model.units import counted, shown_time

if TYPE_CHECKING:
    from metering.collector.backfill import Backfilled
    from metering.collector.check import CheckRow
    from metering.collector.cycle import CycleReport, Failure

_SHOWN_FAILURES = 10
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3_600}
_SETTINGS = """\
# Settings of metering. Every one may be left out; the values below are those that count then.
# Environment variables override them: METERING_STORE, METERING_CYCLE, METERING_COLLECT__SPOOL.

store = "metering.duckdb"   # one file, made by the first ingest
store_wait = 30             # seconds to wait for others to let go of it
cycle = 300                 # seconds between two polls; what is polled so often counts as measured
max_hold = 900              # seconds that a poll is held at the longest; time after that is missing, and not billed

[collect]
spool = "spool"             # raw answers, durable before anything else; kept as evidence
clock = "ours"              # whose clock dates a poll: "ours", or the "provider"'s (its Date header; for a sandbox)
concurrency = 8             # requests at once, for each endpoint
requests_per_minute = 6000  # for each endpoint; the provider allows 10 000
connect_timeout = 10        # seconds
request_timeout = 30        # seconds until an answer must be whole
attempts = 4                # tries of one request in a cycle
money_every = 3600          # seconds between two looks at subscriptions, balance, discounts, locations; prices: every cycle
clock_tolerance = 30        # seconds that the clocks may be apart before it is said

# One table for each location whose API is asked; its name is the location's code.
[endpoints.ZRH]
url = "https://zrh.cloudsigma.com/api/2.0/"

# [endpoints.DUB]
# url = "https://ec.servecentric.com/api/2.0/"

# One table for each account; it is polled at every endpoint unless it names its own.
# The password is never here. It is taken from the environment (METERING_PASSWORD_MAIN for [accounts.main], or the variable
# that password_env names), else from password_file (mode 0600), else from the keyring.
[accounts.main]
account = "00000000-0000-4000-8000-000000000000"   # the UUID of the owner of its snapshots
username = "somebody@example.com"
# name = "Example Ltd"
# endpoints = ["ZRH"]
# password_file = "~/.config/metering/main.password"
# keyring = "metering"
"""


@with_common_options
def collect(
    common: Common,
    once: Annotated[
        bool, typer.Option("--once", help="Poll once and end, for cron and timers; so it does without --every.")
    ] = False,
    every: Annotated[
        str | None, typer.Option("--every", metavar="TIME", help="Poll every 5m (300s, 1h) until SIGTERM; no two cycles overlap.")
    ] = None,
    backfill: Annotated[
        str | None,
        typer.Option("--backfill", metavar="START..END", help="Fill gaps from the provider's own samples."),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Try every endpoint and login; exit 3 if one does not work.")] = False,
    init: Annotated[bool, typer.Option("--init", help="Write a commented metering.toml to begin with.")] = False,
    metrics: Annotated[
        Path | None, typer.Option("--metrics", metavar="FILE", help="After each cycle, write its figures for Prometheus.")
    ] = None,
) -> None:
    """Poll the provider into the spool, then the store.

    Every configured endpoint and account. A listing is taken complete or not at all; what fails is reported with its cause,
    and kept as missing time. Answers are durable in the spool before anything else: a crash, a full disk or a busy store
    loses none. Exits 1 if anything failed, or something that was collected could not be taken into the store.
    """
    if sum(map(bool, (once, every, backfill, check, init))) > 1:
        raise typer.BadParameter("--once, --every, --backfill, --check and --init exclude each other")
    if metrics is not None and (backfill is not None or check or init):
        raise typer.BadParameter("--metrics are of the cycles that are polled: leave it out here", param_hint="--metrics")
    if init:
        _init(common)
        return
    every_s = None if every is None else _seconds(every)
    with meter(common) as opened:
        if check:
            _print_check(common, opened.check_collecting())
        elif backfill is not None:
            _print_backfill(common, opened.backfill(backfill, tell=lambda text: message(common, text)))
        else:
            if every_s and every_s * 2 > opened.settings.cycle * 3:
                message(common, f"polls every {every_s} s leave gaps: the cycle is {opened.settings.cycle} s (in metering.toml)")
            teller = _Teller()
            print_cycle = partial(_print_cycle, common, opened.settings.collect.clock_tolerance)
            report = opened.collect(
                every_s=every_s, metrics=metrics, tell_cycle=teller.telling(print_cycle),
                tell=teller.telling(lambda text: message(common, text)),
            )  # fmt: skip
            if teller.trouble:
                drop_stdout()
                print_error(f"what was collected is kept, but the output cannot be written: {teller.trouble.strerror}")
                raise typer.Exit(EXIT_FAILED)
            if every_s is None and (report.failures or report.store_trouble or report.not_taken):
                raise typer.Exit(EXIT_FAILED)


class _Teller:
    """Tells what it can, and never stops collecting because a log is full: what is not polled is never billed."""

    def __init__(self) -> None:
        self.trouble: OSError | None = None

    def telling(self, tell: Callable[[Any], None]) -> Callable[[Any], None]:
        """Give what tells in the same way, and keeps the error where it cannot. A reader that went away has seen enough."""

        def told(what: Any) -> None:
            try:
                tell(what)
            except BrokenPipeError:
                raise
            except OSError as error:
                self.trouble = error

        return told


def _seconds(text: str) -> int:
    match = re.fullmatch(r"([1-9][0-9]{0,5})([smh]?)", text)
    if match is None or (seconds := int(match[1]) * _UNITS[match[2]]) > _UNITS["h"] * 24:
        raise typer.BadParameter(f"{text!r} is no time such as 5m, 300s or 1h, of a day at most", param_hint="--every")
    return seconds


def _init(common: Common) -> None:
    from metering.config import CONFIG_FILE

    path = common.config or Path(CONFIG_FILE)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(_SETTINGS)
    except FileExistsError:
        print_error(f"{path} is there already: it is left as it is; name another with --config")
        raise typer.Exit(EXIT_FAILED) from None
    except OSError as error:
        print_error(f"{path} cannot be written: {error.strerror}")
        raise typer.Exit(EXIT_FAILED) from None
    message(common, f"wrote {path}: name your endpoints and accounts in it, then try `metering collect --check`")


def _print_cycle(common: Common, tolerance_s: int, report: "CycleReport") -> None:
    import json

    if common.format is Format.JSON:
        typer.echo(json.dumps(_cycle_document(report), ensure_ascii=False))
    else:
        typer.echo(report.text)
    _print_failures(common, report.failures, "the spool keeps them")
    for flag in report.flags:
        message(common, f"odd: {flag.text}")
    for endpoint, skew_s in report.skews.items():
        if abs(skew_s) > tolerance_s:
            side = "behind" if skew_s > 0 else "ahead of"
            said = f"our clock, which dates the polls, is {abs(skew_s)} s {side} the provider's: set it"
            message(common, f"odd: {endpoint}: {said}")
    if report.store_trouble:
        # They may be more than could be counted just now.
        waiting = f"{report.waiting_files} files wait" if report.waiting_files else "what came waits"
        message(common, f"{waiting} in the spool, none is lost: {report.store_trouble}")


def _print_failures(common: Common, failures: "list[Failure]", remark: str) -> None:
    from metering.collector.cycle import told_together

    found = [(failure.text, 1) for failure in failures] if common.verbose else told_together(failures)
    shown = found if common.verbose else found[:_SHOWN_FAILURES]
    for text, _ in shown:
        message(common, f"failed: {text}")
    if hidden := len(failures) - sum(count for _, count in shown):
        message(common, f"failed: {hidden} more (-v shows them all; {remark})")


def _cycle_document(report: "CycleReport") -> dict[str, Any]:
    from metering.model.period import instant_text

    names = ("endpoint", "account", "resource", "cause", "detail")
    return {
        "started": instant_text(report.started_us // 1_000_000),
        "polls": report.polls, "samples": report.samples, "shared": report.shared, "bytes": report.received_bytes,
        "failures": [{name: getattr(failure, name) for name in names} for failure in report.failures],
        "flags": [{name: getattr(flag, name) for name in names} for flag in report.flags],
        "milliseconds": report.elapsed_ms, "waiting_files": report.waiting_files,
        "not_taken": report.not_taken,
    }  # fmt: skip


def _print_check(common: Common, rows: "list[CheckRow]") -> None:
    from dataclasses import astuple

    from metering.cli.render import print_table
    from metering.model.tables import Table, columns_of

    columns = columns_of(
        endpoint="text", account="text", name="text", result="text", snapshots="count", clock_skew_seconds="seconds", detail="text"
    )
    print_table(common, Table("check", columns, [astuple(row) for row in rows]))
    if any(row.result != "works" for row in rows):
        raise typer.Exit(EXIT_FOUND)


def _print_backfill(common: Common, done: "Backfilled") -> None:
    import json

    if common.format is Format.JSON:
        document = {name: getattr(done, name) for name in ("gaps", "gap_seconds", "polls", "samples")}
        typer.echo(json.dumps(document | {"failures": [failure.text for failure in done.failures]}, ensure_ascii=False))
    else:
        made = f"{counted(done.polls, 'poll')} of {counted(done.samples, 'sample')} made"
        gaps = f"{counted(done.gaps, 'gap')}, {shown_time(done.gap_seconds)} in all"
        typer.echo(f"{gaps}: {made}, {counted(len(done.failures), 'failure')}")
    _print_failures(common, done.failures, "their gaps stay")
    if done.failures:
        raise typer.Exit(EXIT_FAILED)
