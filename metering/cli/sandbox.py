"""An emulated provider, and facts whose bill is known.

A server to collect from, or a facts directory from a seeded world.
"""

import contextlib
import shlex
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metering.cli.common import (
    EXIT_FAILED,
    EXIT_MISUSE,
    Common,
    PeriodOption,
    message,
    output_option,
    print_error,
    with_common_options,
)
from metering.model.units import counted

if TYPE_CHECKING:
    from metering.model.period import Period
    from metering.sandbox.server import Server
    from metering.sandbox.world import World

SeedOption = Annotated[int, typer.Option("--seed", metavar="N", help="All that is random follows from it.")]
AccountsOption = Annotated[int, typer.Option("--accounts", metavar="N", min=1, max=2_000, help="How many accounts there are.")]
DrivesOption = Annotated[
    int, typer.Option("--drives", metavar="N", min=1, max=200, help="How many drives an account has at each of its locations.")
]
ElsewhereOption = Annotated[
    bool, typer.Option("--elsewhere", help="Some snapshots are stored at another location than the one that lists them.")
]
_MAX_DAYS = 400
_DAY_S = 86_400
_SHOWN = 10


@contextlib.contextmanager
def _one_line_errors() -> Iterator[None]:
    from metering.model.errors import MeteringError, MisuseError

    try:
        yield
    except MisuseError as error:
        print_error(error)
        raise typer.Exit(EXIT_MISUSE) from None
    except ModuleNotFoundError as error:
        print_error(f"the sandbox needs {error.name}; install it with: pip install 'metering[sandbox]'")
        raise typer.Exit(EXIT_FAILED) from None
    except MeteringError as error:
        print_error(error)
        raise typer.Exit(EXIT_FAILED) from None
    except OSError as error:
        print_error(error if error.filename is None else f"{error.filename} cannot be written ({error.strerror})")
        raise typer.Exit(EXIT_FAILED) from None


@with_common_options
def serve(
    common: Common,
    host: Annotated[str, typer.Option("--host", metavar="HOST", help="Where to listen; there is no TLS.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", metavar="N", min=0, max=65_535, help="The port; 0 takes a free one.")] = 8600,
    port_each: Annotated[
        bool, typer.Option("--port-each", help="Listen on a port more for each location: PORT+1, PORT+2, …")
    ] = False,
    seed: SeedOption = 0,
    speed: Annotated[
        int,
        typer.Option("--speed", metavar="N", min=0, max=86_400, help="Virtual seconds a real second; 0: POST /_clock steps it."),
    ] = 1,
    accounts: AccountsOption = 3,
    drives: DrivesOption = 2,
    days: Annotated[
        int, typer.Option("--days", metavar="N", min=0, max=_MAX_DAYS, help="How long the world has lived already.")
    ] = 1,
    elsewhere: ElsewhereOption = False,
    write: Annotated[
        Path | None, typer.Option("--write", metavar="DIR", help="Write a metering.toml there that points metering collect here.")
    ] = None,
) -> None:
    """Serve the provider's API from a seeded world.

    All six locations, until Ctrl-C or SIGTERM. The world has lived for some days and its clock stands at now; it runs on as
    fast as --speed says. Nothing is kept.
    """
    with _one_line_errors():
        import asyncio
        from urllib.parse import urlsplit

        from metering.collector.targets import LOOPBACK
        from metering.model.errors import MisuseError
        from metering.model.period import instant_text
        from metering.sandbox.server import Server, serve_until_signal
        from metering.sandbox.server_call import Sandbox
        from metering.sandbox.server_faults import Faults
        from metering.sandbox.server_settings import write_settings
        from metering.sandbox.world_life import seeded_world

        now_s = int(time.time())
        world = seeded_world(
            seed, start_s=now_s - days * _DAY_S, days=days + 31, accounts=accounts, drives=drives, elsewhere=elsewhere
        )  # fmt: skip
        sandbox = Sandbox(world, Faults(seed), default_location=world.locations[0])
        servers = [Server(sandbox, host, port)]
        first = servers[0].port
        if port_each:
            # Where any free port will do, the one behind it may be somebody else's.
            ports = (first + i if port else 0 for i in range(1, len(world.locations) + 1))
            servers += [Server(sandbox, host, own, code) for own, code in zip(ports, world.locations, strict=True)]
        endpoints = {code: f"{servers[0].url}/{code}/api/2.0/" for code in world.locations}
        if write is not None:
            if urlsplit(servers[0].url).hostname not in LOOPBACK:
                raise MisuseError("--write is for collecting on this machine, for http goes no further: leave --host out")
            write_settings(write, endpoints, world.accounts.values(), clock="ours" if speed == 1 else "provider")
        message(common, f"a world of {accounts} accounts lives until now (days: {days}) …")
        world.advance_to(now_s)
        sandbox.set_speed(speed)
        asyncio.run(serve_until_signal(sandbox, servers, lambda: _tell(world, servers, write, speed)))
        message(common, f"the sandbox has ended; its clock stood at {instant_text(world.now_s)}")


def _tell(world: "World", servers: "list[Server]", folder: Path | None, speed: int) -> None:
    """Say where the sandbox is, who may ask it, and how to point the collector at it."""
    root = servers[0].url
    accounts = list(world.accounts.values())
    lines = [f"the sandbox listens on {root}", ""]
    lines += [f"  {code}  {root}/{code}/api/2.0/" for code in world.locations]
    lines += [f"  {server.front.location}  {server.url}/api/2.0/" for server in servers[1:]]
    lines += ["", *(f"  {a.email}  {a.password}  {a.currency}  account {a.uuid}  {a.name}" for a in accounts[:_SHOWN])]
    lines += [f"  … and {len(accounts) - _SHOWN} more, alike"] if len(accounts) > _SHOWN else []
    lines += ["", f"the API's description: {root}/docs    its levers: {root}/_clock {root}/_faults"]
    lines += [f"try: curl -u {accounts[0].email}:{accounts[0].password} {root}/{world.locations[0]}/api/2.0/remotesnapshots/"]
    if folder is None:
        lines += ["to collect from it: serve --write DIR writes the settings that metering collect needs"]
    else:
        lines += [f"to collect from it, in another terminal: cd {folder} && metering collect --once"]
    if speed > 1:
        lines += [f"its clock runs ahead of yours: give metering bill an --as-of, such as what {root}/_clock/ tells"]
    typer.echo("\n".join(lines))


@with_common_options
def facts(
    common: Common,
    output: Annotated[Path, output_option("DIR", "The folder to write; it must be new or empty.")],
    period: PeriodOption = "2026-10-01..2026-10-08",
    seed: SeedOption = 0,
    accounts: AccountsOption = 3,
    drives: DrivesOption = 2,
    missed: Annotated[
        int,
        typer.Option(
            "--missed", metavar="PERCENT", min=0, max=99, help="How many of the polls were missed, some of them in a row."
        ),
    ] = 0,
    elsewhere: ElsewhereOption = False,
) -> None:
    """Write a seeded world as a facts directory.

    The bill that it knows by construction is in expected/bill.json. The same options give the same bytes. Bill it with
    `metering run DIR --period P --as-of END`: all but findings and ids is equal. What the provider itself says is in
    provider/, for `metering reconcile`: ledger.ndjson, usage.ndjson and dailyburst.ndjson.
    """
    with _one_line_errors():
        from metering.model.period import instant_text, parse_period
        from metering.sandbox.server_lists import write_lists
        from metering.sandbox.world_facts import write_facts
        from metering.sandbox.world_life import seeded_world
        from metering.sandbox.world_watch import every_cycle, with_misses

        lived = parse_period(period)
        days = _days(lived)
        world = seeded_world(seed, start_s=lived.start_s, days=days, accounts=accounts, drives=drives, elsewhere=elsewhere)
        world.advance_to(lived.end_s)
        polls = with_misses(every_cycle(world, lived.start_s, lived.end_s), missed, seed)
        counts = write_facts(world, output, lived.start_s, lived.end_s, polls)
        for name, count in counts.items():
            message(common, f"{output / name}.csv: {counted(count, 'row')}")
        for name, count in write_lists(world, output / "provider", lived.start_s, lived.end_s).items():
            message(common, f"{output / 'provider' / name}: {counted(count, 'row')}, as the provider has them")
        command = f"metering run {shlex.quote(str(output))} --period {lived.text} --as-of {instant_text(lived.end_s)}"
        message(common, f"{output / 'expected' / 'bill.json'}: the bill; `{command}` gives the same")


def _days(period: "Period") -> int:
    from metering.model.errors import MisuseError

    days = -(-(period.end_s - period.start_s) // _DAY_S)
    if days > _MAX_DAYS:
        raise MisuseError(f"period {period.text!r} is longer than {_MAX_DAYS} days")
    return days
