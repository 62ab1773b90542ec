"""A collector set up against a sandbox, for the tests that collect: settings, spool and store in one folder."""

import contextlib
import gzip
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import stamina

from metering.api import Meter
from metering.collector.cycle import CycleReport
from metering.config import load_settings
from metering.model.period import instant_seconds

# How long a collector of a test may take to do what is waited for, on a machine that does much else.
_PATIENCE_S = 60

SETTINGS = """
store = "{folder}/metering.duckdb"
store_wait = {store_wait}
threads = 1
cycle = {cycle}
max_hold = {max_hold}

[collect]
spool = "{folder}/spool"
clock = "provider"
request_timeout = {timeout}
attempts = {attempts}
{more}
"""


class Rig:
    """Everything of one collector under one folder; every account of the world is polled at every location."""

    def __init__(
        self, folder: Path, sandbox, *, attempts: int = 2, timeout: int = 20, more: str = "", locations=None, cycle: int = 300,
        store_wait: int = 1,
    ) -> None:  # fmt: skip
        self.folder, self.sandbox, self.world = folder, sandbox, sandbox.world
        self.config = folder / "metering.toml"
        text = SETTINGS.format(
            folder=folder, attempts=attempts, timeout=timeout, more=more, cycle=cycle, max_hold=3 * cycle, store_wait=store_wait
        )
        for location in locations or self.world.locations:
            text += f'[endpoints.{location}]\nurl = "{sandbox.endpoint(location)}"\n'
        for number, account in enumerate(self.world.accounts.values()):
            secret = folder / f"password-{number}"
            secret.write_text(account.password + "\n")
            secret.chmod(0o600)
            text += f'[accounts.a{number}]\naccount = "{account.uuid}"\nusername = "{account.email}"\n'
            text += f"name = {json.dumps(account.name)}\npassword_file = '{secret}'\n"
        self.config.write_text(text)
        self.told: list[str] = []

    def meter(self) -> Meter:
        return Meter(load_settings(self.config))

    def collect(self) -> CycleReport:
        """Collect once, without waiting between tries."""
        with stamina.set_testing(True, attempts=10, cap=True), self.meter() as meter:
            return meter.collect(tell=self.told.append)

    def rows(self, sql: str) -> list[tuple]:
        with self.meter() as meter, meter._store.reading() as engine:
            return engine.sql(sql)

    def spooled(self, kind: str) -> list[dict]:
        """Give the lines of all spool files of a kind, wherever they lie."""
        files = sorted((self.folder / "spool").rglob(f"*.{kind}.ndjson.gz"))
        return [json.loads(line) for file in files for line in gzip.open(file, "rt", encoding="utf-8")]

    def polls(self) -> dict[tuple[str, str], list[int]]:
        """Give the instants of the polls that are in the store, by endpoint and account."""
        found: dict[tuple[str, str], list[int]] = {}
        for endpoint, account, poll_s in self.rows(
            "select c.endpoint, c.account, p.poll_s from polls as p join collections as c "
            "on p.collection_key = c.collection_key order by all"
        ):
            found.setdefault((endpoint, account), []).append(poll_s)
        return found


def causes(report: CycleReport) -> set[tuple[str, str]]:
    """Give where a cycle failed, and why."""
    return {(failure.endpoint, failure.cause) for failure in report.failures}


class Collecting:
    """A collector that runs as a program of its own, `metering collect --every`, and what it says."""

    def __init__(self, rig: "Rig", process: "subprocess.Popen[str]") -> None:
        self._rig, self.process = rig, process

    @property
    def cycles(self) -> list[dict]:
        """Give the cycles that it told of; a line that is not whole yet is none."""
        text = (self._rig.folder / "cycles.ndjson").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    @property
    def said(self) -> str:
        """Give what it said on stderr."""
        return (self._rig.folder / "said.txt").read_text(encoding="utf-8")

    @property
    def complaints(self) -> list[str]:
        """Give the lines that it said but for requests that failed: on a machine that does much else, some are too slow."""
        return [line for line in self.said.splitlines() if not line.startswith("failed: ")]

    def until(self, condition: Callable[[], object]) -> None:
        """Wait until something is so, while the collector lives."""
        end_ns = time.monotonic_ns() + _PATIENCE_S * 10**9
        while not condition():
            assert self.process.poll() is None, f"it ended with {self.process.returncode}: {self.said}"
            assert time.monotonic_ns() < end_ns, f"{self.cycles[-2:]} {self.said[-1_000:]}"
            time.sleep(0.02)

    def live(self, cycles: int = 1) -> list[dict]:
        """Wait until it has told of so many cycles more, one that is under way included; give those."""
        known = len(self.cycles)
        self.until(lambda: len(self.cycles) >= known + cycles)
        return self.cycles[known : known + cycles]

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; give the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=_PATIENCE_S)


@contextlib.contextmanager
def collecting(rig: "Rig", every: str = "1s", *, before: tuple[str, ...] = (), **more: Any) -> "Iterator[Collecting]":
    """Run a collector for as long as the block runs; `before` is what runs it, and `more` is for the process."""
    words = [
        *before,
        sys.executable,
        "-m",
        "metering",
        "collect",
        "--every",
        every,
        "--format",
        "json",
        "--config",
        str(rig.config),
    ]
    # Whoever runs the tests by `nohup` means the tests to stay, and not what they start.
    inherited = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        with (rig.folder / "cycles.ndjson").open("w") as out, (rig.folder / "said.txt").open("w") as err:
            process = subprocess.Popen(words, **({"stdout": out, "stderr": err, "text": True} | more))
    finally:
        signal.signal(signal.SIGHUP, inherited)
    try:
        yield Collecting(rig, process)
    finally:
        process.kill()
        process.wait()


def assert_nothing_is_lost_or_doubled(rig: "Rig", *, rejected: int = 0) -> None:
    """What was made durable is in the store, once, and nothing waits or was put aside; so many lines were rejected."""
    durable = sorted((line["endpoint"], line["account"], instant_seconds(line["poll_time"])) for line in rig.spooled("capture"))
    assert sorted((*collection, poll_s) for collection, times in rig.polls().items() for poll_s in times) == durable
    assert len(durable) == len(set(durable))
    assert [path for name in ("new", "bad") for path in (rig.folder / "spool" / name).iterdir()] == []
    assert rig.rows("select (select count(*) from rejections), (select count(*) from conflicting_samples)") == [(rejected, 0)]
