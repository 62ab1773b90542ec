"""The command line: parse, call one method of the library, print, exit code."""

import gc
import os
import sys


def main() -> None:
    """Run the command line; the program's entry point."""
    # Whatever is written holds what customers store and pay: it is its owner's. What is there already keeps its mode.
    os.umask(0o077)
    # A bill is a hundred thousand rows that all stay: to look for cycles among them, over and over, took a tenth of its time.
    gc.set_threshold(100_000, 50, 100)
    try:
        from metering.cli.app import app  # noqa: PLC0415 -- so that `import metering.cli` stays cheap

        app(prog_name="metering")
    except SystemExit as ended:
        if not isinstance(ended.__context__, BrokenPipeError):
            raise
        # The reader went away (`| head`): no error of ours, and nothing more can be said on stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(141)
    except KeyboardInterrupt:
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


__all__ = ["main"]
