"""Servers of Spark's own, as processes on loopback: for Connect, or the master and worker of a cluster; and what asks them."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyspark

import metering

PROGRAMS = Path(pyspark.__file__).parent / "bin"
SAMPLE_DATA = Path(__file__).parent.parent / "sample_data"
PATIENCE_SECONDS = 300
# Java's first compiler only, for programs that end soon, with room for all that it makes: the little that it has unless told, it
# clears and fills again and again.
QUICK = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:ReservedCodeCacheSize=240m"


def free_port() -> int:
    """Give a port of loopback on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@contextmanager
def served(command: Sequence[str], port: int, log: Path, environment: Mapping[str, str] = os.environ) -> Iterator[None]:
    """Run a server until it is no longer needed, from when it listens on; what it says goes to a file."""
    with log.open("wb") as said:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd=log.parent, env=dict(environment)
        )
    try:
        ends = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                is_coming = process.poll() is None and time.monotonic() < ends
                assert is_coming, log.read_text(errors="replace")[-2_000:]
                time.sleep(0.2)
        yield
    finally:
        process.terminate()
        process.wait()


def run(*arguments: object, folder: Path) -> subprocess.CompletedProcess[bytes]:
    """Run `metering run` as a user would."""
    return subprocess.run(
        [sys.executable, "-m", "metering", "run", *map(str, arguments), "--format", "json"],
        cwd=folder, env=plain_environment() | {"HOME": str(folder)}, capture_output=True, check=False,
    )  # fmt: skip


def plain_environment() -> dict[str, str]:
    """Give the environment without what would set the program, or Spark, otherwise."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("METERING_", "SPARK_", "PYSPARK_"))}


def export_sample_month(place: Path) -> None:
    """Write the sample month as `export facts` does."""
    with metering.open(":memory:") as meter:
        meter.ingest(SAMPLE_DATA)
        meter.export("facts", place, period="2026-10")
