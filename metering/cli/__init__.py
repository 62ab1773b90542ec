"""The command line: parse, call one method of the library, print, exit code."""

import gc
import io
import os
import signal
import sys
from types import FrameType


def main() -> None:
    """Run the command line; the program's entry point."""
    # Whatever is written holds what customers store and pay: it is its owner's. What is there already keeps its mode.
    os.umask(0o077)
    _open_streams()
    # A bill is a hundred thousand rows that all stay: to look for cycles among them, over and over, took a tenth of its time.
    gc.set_threshold(100_000, 50, 100)
    ended_by = _heed_signals()
    try:
        from metering.cli.app import app

        try:
            app(prog_name="metering")
        except SystemExit as ended:
            if isinstance(ended.__context__, BrokenPipeError):
                raise ended.__context__ from None
            # Typer ends without a word what is interrupted before a command begins its work, or behind it.
            if ended.__context__ is not None and isinstance(ended.__context__.__cause__, KeyboardInterrupt):
                raise ended.__context__.__cause__ from None
            # What is still to be written is written now, while an error can be told.
            sys.stdout.flush()
            raise
    except BrokenPipeError:
        # The reader went away (`| head`): no error of ours, and nothing more can be said on stdout.
        drop_stdout()
        sys.exit(141)
    except OSError as error:
        # Of files and of the store it was told before; what is left is what the results are written to.
        drop_stdout()
        print(f"metering: the output cannot be written: {error.strerror or error}", file=sys.stderr)  # noqa: T201 -- for messages
        sys.exit(1)
    except KeyboardInterrupt:
        print("metering: interrupted", file=sys.stderr)  # noqa: T201 -- for messages
        sys.exit(130)
    except Exception as error:
        if os.environ.get("METERING_DEBUG"):
            raise
        text = " ".join(str(error).split())[:300]
        print(  # noqa: T201 -- stderr is for messages
            f"metering: a defect of ours ({type(error).__name__}: {text}); please report it with the output of METERING_DEBUG=1",
            file=sys.stderr,
        )
        sys.exit(1)
    finally:
        _settle_stderr()
        for number in ended_by:
            signal.raise_signal(number)


def _heed_signals() -> list[int]:
    """Let SIGTERM and a terminal that is closed end a command as Ctrl-C does, so that it removes its unfinished files.

    Gives the signal that came, once one came: whoever sent it waits for a program that dies of it. A second one ends it at once.
    """
    came: list[int] = []

    def told(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        came.append(number)
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        # Who started it with `nohup` wants it to outlive the terminal.
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, told)
    return came


def _open_streams() -> None:
    """Give the process the three streams that it may lack, and write text as UTF-8 whatever the locale: the same bytes anywhere.

    A file that is opened while a stream is closed would take its number, and be written to in its place.
    """
    while (opened := os.open(os.devnull, os.O_RDWR)) <= 2:  # noqa: PLR2004 -- stdin, stdout, stderr
        pass
    os.close(opened)
    sys.stdin = sys.stdin or open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115 -- for as long as the process lives
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def drop_stdout() -> None:
    """Let what is still to be written to stdout, and cannot be, go nowhere: whoever calls this has told it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _settle_stderr() -> None:
    # Since Python 3.14 what could not be written is tried again at the end, and that it fails again would be the exit code.
    try:
        sys.stderr.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


__all__ = ["drop_stdout", "main"]
