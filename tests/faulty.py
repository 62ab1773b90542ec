"""Faults as they come: the power goes at a statement, the process is killed there, the disk is full.

    python tests/faulty.py        forks for each line of JSON that it reads, see `main`

An operation is a list: `["ingest", place, supersede]` or `["close", period]`. Killing is done in forked children, because to load
the libraries takes longer than what is to be killed.
"""

import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import duckdb

from metering import Meter
from metering.config import Settings
from metering.model.errors import InputError, MeteringError

KINDS = ("power", "kill", "full disk")
ENDED, REFUSED, BROKEN = 0, 3, 4  # how a child ends that nobody killed


class PowerError(Exception):
    """The power went."""


class Trip:
    """Counts statements and commits, and strikes once: at 2n - 1 just before the n-th of them, at 2n just after it."""

    def __init__(self, at: int = 0, strike: Callable[[], None] = lambda: None) -> None:
        self.at, self.strike, self.count = at, strike, 0
        self.commits: list[int] = []  # which of them were commits

    def call(self, name: str, original: Callable[..., Any], *values: Any, **named: Any) -> Any:
        self.count += 1
        if name == "commit":
            self.commits.append(self.count)
        if self.at == 2 * self.count - 1:
            self.strike()
        result = original(*values, **named)
        if self.at == 2 * self.count:
            self.strike()
        return result


class Watched:
    """A connection whose statements and commits are counted by a trip."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, trip: Trip) -> None:
        self._connection, self._trip = connection, trip

    def __getattr__(self, name: str) -> Any:
        original = getattr(self._connection, name)
        if name not in ("execute", "begin", "commit"):
            return original
        return lambda *values, **named: self._trip.call(name, original, *values, **named)


def watched(meter: Meter, trip: Trip) -> Meter:
    """Let a trip count what a meter asks of its store."""
    connect = meter._store._connect
    meter._store._connect = lambda **named: Watched(connect(**named), trip)  # type: ignore[method-assign]
    return meter


def power_goes() -> None:
    raise PowerError("the power went")


def perform(meter: Meter, operation: list[Any]) -> Any:
    """Do an operation; None where there was nothing in the files, or nothing of them could be taken."""
    if operation[0] == "close":
        return meter.close(operation[1], reason="as it stands", by="the simulation")
    try:
        return meter.ingest(operation[1], supersede=operation[2])
    except InputError as error:
        if "none of the" in str(error) or "no facts in" in str(error):
            return None
        raise


def digest(store: Path) -> str:
    """Digest every row of every table, in an order of their own, read without the product."""
    connection = duckdb.connect(str(store), read_only=True)
    try:
        names = connection.execute("select table_name from duckdb_tables() where not internal order by 1").fetchall()
        rows = [[name, sorted(map(repr, connection.execute(f'from "{name}"').fetchall()))] for (name,) in names]
    finally:
        connection.close()
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


class Forks:
    """A process that forks a child for each operation, and strikes it down there."""

    def __init__(self) -> None:
        self._process = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.communicate(timeout=60)

    def perform(
        self, settings: dict[str, Any], now: int, operation: list[Any], at: int, room: int | None = None
    ) -> tuple[int, str]:
        """Perform in a child that is killed where a trip at `at` strikes, or may make no file larger than `room` bytes."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order = {"settings": settings, "now": now, "operation": operation, "at": at, "room": room}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        code, _, told = self._process.stdout.readline().rstrip("\n").partition(" ")
        return int(code), told


def _child(order: dict[str, Any], say: int) -> int:
    if order["room"] is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["room"], order["room"]))
    trip = Trip(order["at"], lambda: os.kill(os.getpid(), signal.SIGKILL))
    try:
        with watched(Meter(Settings(**order["settings"]), clock=lambda: order["now"]), trip) as meter:
            perform(meter, order["operation"])
    except MeteringError as error:
        os.write(say, str(error).encode())
        return REFUSED
    except BaseException as error:  # noqa: BLE001 -- it is told, and the test fails by it
        os.write(say, f"{type(error).__name__}: {error}".encode())
        return BROKEN
    return ENDED


def main() -> None:
    """Read an order a line, fork, and print how the child ended: its exit code (negative: the signal), and what it said."""
    for line in sys.stdin:
        hear, say = os.pipe()
        child = os.fork()
        if not child:
            os._exit(_child(json.loads(line), say))
        os.close(say)
        with os.fdopen(hear) as heard:
            told = " ".join(heard.read().split())
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), told, flush=True)


if __name__ == "__main__":
    main()
