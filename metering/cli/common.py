"""What all commands share: the common options, one line for an error, progress on stderr."""

import contextlib
import functools
import inspect
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from metering import __version__
from metering.model.progress import silent

if TYPE_CHECKING:
    from metering.api import Meter
    from metering.cluster import ClusterMeter
    from metering.config import Settings
    from metering.reporting.alerts import Alert

EXIT_FAILED = 1
EXIT_MISUSE = 2
EXIT_FOUND = 3
EXIT_INTERRUPTED = 130


class Format(StrEnum):
    """How results are printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


@dataclass(frozen=True, slots=True)
class Common:
    """The options that every command takes."""

    store: str | None = None
    config: Path | None = None
    form: Format | None = None
    quiet: bool = False
    verbose: bool = False

    @property
    def format(self) -> Format:
        """The format asked for; unless asked, a table on a terminal, else JSON."""
        return self.form or (Format.TABLE if sys.stdout.isatty() else Format.JSON)

    def over(self, other: "Common | None") -> "Common":
        """Give these options, and the other's where these say nothing."""
        if other is None:
            return self
        return replace(
            self,
            store=self.store or other.store,
            config=self.config or other.config,
            form=self.form or other.form,
            quiet=self.quiet or other.quiet,
            verbose=self.verbose or other.verbose,
        )


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"metering {__version__}")
        raise typer.Exit


def _no_stdout(output: Path | None) -> Path | None:
    if str(output) == "-":
        raise typer.BadParameter("- names no file: give a name, or leave -o out where a command can print", param_hint="-o")
    if output == Path():
        raise typer.BadParameter("it is empty, or a dot: give the name of what is to be written", param_hint="-o")
    return output


def output_option(metavar: str, what: str) -> Any:
    """Give an option that names a file or a folder to write; stdout has no name in it."""
    return typer.Option("-o", "--output", metavar=metavar, help=what, callback=_no_stdout)


StoreOption = Annotated[
    str | None,
    typer.Option("--store", metavar="FILE", help="The store, or :memory: for a run that keeps nothing. [env: METERING_STORE]"),
]
ConfigOption = Annotated[Path | None, typer.Option("--config", metavar="FILE", help="Settings; metering.toml unless given.")]
FormatOption = Annotated[Format | None, typer.Option("--format", help="A table on a terminal, else json.")]
QuietOption = Annotated[bool, typer.Option("-q", "--quiet", help="No progress and no messages.")]
VerboseOption = Annotated[bool, typer.Option("-v", "--verbose", help="Every message, and exact figures in tables.")]
VersionOption = Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")]
PeriodArgument = Annotated[str, typer.Argument(metavar="P", help="2026-10, 2026-10-03 or START..END (UTC).")]
PeriodOption = Annotated[str, typer.Option("--period", metavar="P", help="2026-10, 2026-10-03 or START..END (UTC).")]
PeriodOrLastMonthOption = Annotated[
    str | None,
    typer.Option("--period", metavar="P", help="2026-10, 2026-10-03 or START..END; the last full month unless given."),
]
AsOfOption = Annotated[
    str | None, typer.Option("--as-of", metavar="T", help="The clock: time ends there, later polls are not used. Now unless given.")
]
KnownAtOption = Annotated[
    str | None, typer.Option("--known-at", metavar="SEQ|T", help="Use only facts ingested by then: an ingest number or an instant.")
]
OutputOption = Annotated[Path | None, output_option("FILE", "Write it to a file, in the format that its name tells.")]
NotifyOption = Annotated[
    str | None,
    typer.Option(
        "--notify",
        metavar="URL|@FILE",
        help="With --check: post what was found, signed, to that address or the one in a file. "
        "[env of the secret: METERING_NOTIFY_SECRET]",
    ),
]
CheckOption = Annotated[bool, typer.Option("--check", help="Exit 3 if there is a finding that is a warning or an error.")]
AccountOption = Annotated[str | None, typer.Option("--account", metavar="ID", help="Only this account.")]


def _common(
    store: StoreOption = None,
    config: ConfigOption = None,
    form: FormatOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
    version: VersionOption = False,
) -> Common:
    """Gather the options that every command takes; the version option has had its say by now."""
    del version
    return Common(store, config, form, quiet, verbose)


def with_common_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that every command takes, gathered in its first parameter, `common`.

    They may stand before the name of the command or behind it; where both say something, what stands behind it counts.
    """
    own = list(inspect.signature(command).parameters.values())[1:]
    shared = inspect.signature(_common).parameters

    @functools.wraps(command)
    def wrapped(context: typer.Context, **values: Any) -> None:
        common = _common(**{name: values.pop(name) for name in shared})
        context.obj = common.over(context.obj)
        command(context.obj, **values)

    first = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    named = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in (*own, *shared.values())]
    wrapped.__signature__ = inspect.Signature([first, *named])  # type: ignore[attr-defined]  # what typer reads
    return wrapped


def is_page(output: Path) -> bool:
    """Tell by its name whether a file is to be a page."""
    return output.suffix.lower() in (".html", ".htm")


def message(common: Common, text: str) -> None:
    """Say something on stderr as one line, unless quiet."""
    if not common.quiet:
        print(one_line(text), file=sys.stderr)  # noqa: T201 -- stderr is for messages


def note_unknown_location(common: Common, opened: "Meter", location: str | None) -> None:
    """Say of a location that was named, and that is none of those that are known, that it may be misspelt."""
    known = opened.settings.locations
    if location is not None and location not in known:
        listed = ", ".join(sorted(known))
        message(common, f"note: {location} is none of the locations that are known ({listed}); is it spelled right?")


def print_error(said: BaseException | str) -> None:
    """Say on stderr as one line why nothing was done, however quiet it is to be."""
    print(f"metering: {one_line(said)}", file=sys.stderr)  # noqa: T201 -- stderr is for messages


@contextlib.contextmanager
def meter(common: Common) -> Iterator["Meter"]:
    """Open the meter that the options name; every error becomes one line on stderr and an exit code."""
    from metering.api import Meter

    with errors_told(), Meter(_settings(common)) as opened, _changes_told(opened):
        yield opened


@contextlib.contextmanager
def job_meter(common: Common, facts: list[str], engine: str | None, master: str | None) -> "Iterator[Meter | ClusterMeter]":
    """Open what does the main job: the store's meter, or one on Spark where that engine is asked for or set.

    Where the facts are told to be missing costs no start of Spark's.
    """
    from metering.api import Meter

    with errors_told():
        settings = _settings(common)
        if (engine or settings.engine) == "spark":
            from metering.cluster import assert_places, open_cluster

            if common.store is not None:
                raise typer.BadParameter("the spark engine keeps nothing: leave --store out", param_hint="--store")
            spark = settings.spark if master is None else settings.spark.model_copy(update={"master": master})
            assert_places(facts, settings)
            with errors_told("nothing was kept"), open_cluster(settings.model_copy(update={"spark": spark})) as cluster:
                yield cluster
            return
        if master is not None:
            raise typer.BadParameter("--master is where Spark is: give --engine spark too", param_hint="--master")
        with Meter(settings) as opened, _changes_told(opened):
            yield opened


@contextlib.contextmanager
def _changes_told(opened: "Meter") -> Iterator[None]:
    """Say that a store was changed by another program, where what is in it breaks a question; else it is a defect of ours."""
    from metering.engine.duckdb import Engine, trouble_of_machine
    from metering.model.errors import StoreError

    try:
        yield
    except (
        ArithmeticError,
        AssertionError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
        Engine.Error,
    ) as error:
        if trouble_of_machine(error) or os.environ.get("METERING_DEBUG") or not opened.was_changed():
            raise
        place = f"the store {opened.settings.store}"
        said = f"{place} was changed by another program: `metering verify` tells what; restore it from a backup"
        raise StoreError(said) from None


def _settings(common: Common) -> "Settings":
    from metering.config import load_settings

    return load_settings(common.config, {} if common.store is None else {"store": common.store})


@contextlib.contextmanager
def errors_told(untouched: str = "the store is as it was before") -> Iterator[None]:
    """Make one line on stderr and an exit code of every error; `untouched` is what an interruption says that left nothing."""
    from metering.durable import commits_begun
    from metering.engine.duckdb import Engine, is_interruption, trouble_of_machine
    from metering.model.errors import MeteringError, MisuseError

    before = commits_begun()
    try:
        yield
    except MisuseError as error:
        print_error(error)
        raise typer.Exit(EXIT_MISUSE) from None
    except MeteringError as error:
        print_error(error)
        raise typer.Exit(EXIT_FAILED) from None
    except BrokenPipeError:
        raise
    except (OSError, MemoryError, Engine.Error) as error:
        # A full disk, too little memory: a transaction that did not end is not in the store.
        written = "nothing was written" if commits_begun() == before else "what was brought into the store before stands"
        print_error(f"{trouble_of_machine(error) or one_line(error)}: {written}; mend that and run again")
        raise typer.Exit(EXIT_FAILED) from None
    except (KeyboardInterrupt, RuntimeError) as error:
        if not isinstance(error, KeyboardInterrupt) and not is_interruption(error):
            raise
        is_untouched = commits_begun() == before
        stands = untouched if is_untouched else "what was brought into the store before stands; run it again"
        print_error(f"interrupted; {stands}")
        raise typer.Exit(EXIT_INTERRUPTED) from None


def notifier(common: Common, url: str | None, *, check: bool) -> "Callable[[Callable[[], Alert | None]], None]":
    """Give what delivers an alert, if there is anything to tell and anybody to tell it to; address and secret are looked at now.

    Raises:
        MisuseError: the address or the secret is of no use, or nothing is checked.
    """
    if url is None:
        return lambda _made: None
    if not check:
        raise typer.BadParameter("--notify tells what --check finds: give both", param_hint="--notify")
    from metering.reporting.delivery import mailbox

    box = mailbox(url)

    def tell(made: "Callable[[], Alert | None]") -> None:
        alert = made()
        if alert is not None:
            box.post(alert)
            message(common, f"told {box.host}: {alert.body['summary']}")

    return tell


def one_line(said: BaseException | str) -> str:
    """Write an error or a message as one line, with no control character that a terminal would obey."""
    return "".join(c if c.isprintable() else " " for c in str(said)).strip() or type(said).__name__


@contextlib.contextmanager
def progress(common: Common, title: str) -> Iterator[Callable[[str, int, int], None]]:
    """Show a progress bar on stderr while work goes on, if there is a terminal to show it on."""
    if common.quiet or not sys.stderr.isatty():
        yield silent
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[step]}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None, step="reading")

        def show(step: str, done: int, steps: int) -> None:
            # A step may be a file's name, which is from outside.
            bar.update(task, total=steps, completed=done, step=one_line(step))

        yield show
