"""How a step is measured: a process of its own, start-up included, one after the other.

So ratios hold on a busy machine as well as anything can; processor seconds hold better than seconds there.
"""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

_GENERATE = Path(__file__).with_name("generate.py")
FLOORS = {
    "csv": "select count(poll_time), max(allocated_size) from read_csv('{}', all_varchar=true)",
    "ndjson": "select count(poll_time), max(allocated_size) from read_json('{}', format='newline_delimited')",
    "parquet": "select count(*) from (select account, location, sum(allocated_size) from read_parquet('{}') group by all)",
}


@dataclass(frozen=True, order=True)
class Measure:
    """What a step took: seconds of all processors and of the wall, and the most memory it held."""

    busy: float
    wall: float
    mebibytes: int


def measured(name: str, command: list[str], samples: int = 0, runs: int = 1) -> Measure:
    """Run a step, print what it took, and give it; of several runs the one that took the least."""
    best = min(_run(command) for _ in range(runs))
    rate = f"{samples / best.busy:14,.0f} samples a processor second" if samples else ""
    print(f"{name:34} {best.wall:8.2f} s {best.busy:8.2f} processor s {best.mebibytes:8,} MiB at most {rate}", flush=True)
    return best


def _run(command: list[str]) -> Measure:
    # As an installed program does, it keeps what Python compiled.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed: run it to see why")
    return Measure(used.ru_utime + used.ru_stime, wall, used.ru_maxrss // 1024)


def metering(store: Path | str, *words: str) -> list[str]:
    """Give a command of ours."""
    return [sys.executable, "-m", "metering", "--store", str(store), "-q", "--format", "json", *words]


def floor(form: str, place: Path) -> list[str]:
    """Give the command that reads the bytes: scans and sums Parquet by account and location, or counts the rows of text."""
    return [sys.executable, "-c", "import duckdb, sys; duckdb.sql(sys.argv[1]).fetchall()", FLOORS[form].format(place)]


def made(place: Path, *options: str) -> int:
    """Make facts in a process of its own: what this one has held would count as its children's peak. Gives the samples."""
    told = subprocess.run([sys.executable, _GENERATE, str(place), *options], check=True, capture_output=True, text=True)
    return int(told.stdout.split(" ", 1)[0].replace(",", ""))
