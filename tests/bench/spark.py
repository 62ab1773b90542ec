"""The main job on Spark and on DuckDB: from Parquet facts to the finished bill, nothing kept; both must give the same bytes.

    python tests/bench/spark.py --days 3                          about 10 million samples
    python tests/bench/spark.py --days 30 --memory 8g             about 104 million
    python tests/bench/spark.py --days 3 --steps                  tells each query that took a second or more

Spark runs here, on as many cores as `--master local[N]` names, with a Java of its own, whose processor seconds and memory are read
from /proc (Linux). Opening a session, probes included, is a step of its own: it costs the same however many facts there are.
"""

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
from generate import generate

from metering.cluster import open_cluster
from metering.config import Settings
from metering.engine.spark import SparkEngine

BY_DUCKDB = """
import json, sys, metering
with metering.open(":memory:") as meter:
    meter.ingest(sys.argv[1])
    print(json.dumps(meter.bill(sys.argv[2], as_of=sys.argv[3]).document()))
"""


def processor_seconds() -> float:
    """Give what this process and its children that still run have used; Java is one."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    ticks = 0
    for child in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
        fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return own.ru_utime + own.ru_stime + ticks / os.sysconf("SC_CLK_TCK")


def most_memory() -> int:
    """Give the most memory that a child has held, in MiB."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    lines = [line for child in children for line in Path(f"/proc/{child}/status").read_text().splitlines()]
    return max(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024


@contextmanager
def measured(name: str, samples: int | None = None) -> Iterator[None]:
    """Print what a step took."""
    began, before = time.perf_counter(), processor_seconds()
    yield
    busy = processor_seconds() - before
    rate = f"{samples / busy:12,.0f} samples a processor second" if samples else ""
    print(f"{name:32} {time.perf_counter() - began:8.1f} s {busy:8.1f} processor s {rate}", flush=True)


def telling(name: str) -> None:
    """Let a method of the engine tell what took it a second or more of the processors."""
    method: Callable[..., object] = getattr(SparkEngine, name)

    def told(self: SparkEngine, *arguments: object, **more: object) -> object:
        began, before = time.perf_counter(), processor_seconds()
        found = method(self, *arguments, **more)
        if (busy := processor_seconds() - before) >= 1:
            words = " ".join(str(arguments[-1 if name == "insert" else 0]).split())[:60]
            print(f"    {name:8} {words:60} {time.perf_counter() - began:8.1f} s {busy:8.1f} processor s", flush=True)
        return found

    setattr(SparkEngine, name, told)


def generated(folder: Path, days: int) -> int:
    """Make facts whose small tables are Parquet too."""
    samples = generate(folder, days=days)
    for text in folder.glob("*.csv"):
        duckdb.execute(f"copy (from read_csv('{text}', all_varchar = true)) to '{text.with_suffix('.parquet')}' (format parquet)")
        text.unlink()
    return samples


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=3)
    parser.add_argument("--master", default="local[*]")
    parser.add_argument("--memory", default="4g", help="of Spark's Java")
    parser.add_argument("--steps", action="store_true", help="tell each query that took a second or more")
    parser.add_argument("--conf", action="append", default=[], metavar="NAME=VALUE", help="a property of Spark's")
    options = parser.parse_args()
    if options.steps:
        for name in ("sql", "rows", "table", "create", "replace", "insert"):
            telling(name)
    period, as_of = f"2026-10-01..2026-10-{options.days + 1:02d}", f"2026-10-{options.days + 1:02d}T00:00:00Z"
    conf = {"spark.driver.memory": options.memory} | dict(pair.split("=", 1) for pair in options.conf)
    with tempfile.TemporaryDirectory(prefix="metering-bench-") as folder:
        facts = Path(folder) / "facts"
        samples = generated(facts, options.days)
        print(f"{samples:,} samples, Spark at {options.master} with {options.memory}", flush=True)
        began, before = time.perf_counter(), processor_seconds()
        with open_cluster(Settings(store=":memory:", spark={"master": options.master, "conf": conf})) as meter:
            opened, busy = time.perf_counter() - began, processor_seconds() - before
            print(f"{'open':32} {opened:8.1f} s {busy:8.1f} processor s", flush=True)
            with measured("floor: scan and sum", samples):
                reader = meter._engine.session.read.schema("account binary, location string, allocated_size bigint")
                samples_of = reader.parquet(str(facts / "samples.parquet")).groupBy("account", "location")
                samples_of.agg({"allocated_size": "sum"}).collect()
            with measured("ingest", samples):
                meter.ingest(facts)
            with measured("bill", samples):
                found = json.dumps(meter.bill(period, as_of=as_of).document()).encode()
            print(f"{'Java':32} {most_memory():8,} MiB at most", flush=True)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        wall = time.perf_counter()
        by_duckdb = [sys.executable, "-c", BY_DUCKDB, str(facts), period, as_of]
        expected = subprocess.run(by_duckdb, check=True, stdout=subprocess.PIPE).stdout.strip()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        print(f"{'DuckDB, nothing kept':32} {time.perf_counter() - wall:8.1f} s {busy:8.1f} processor s", flush=True)
        if found != expected:
            theirs, ours = json.loads(found), json.loads(expected)
            parts = [part for part in ours if theirs[part] != ours[part]]
            rows = [pair for part in parts for pair in zip(theirs[part], ours[part], strict=False) if pair[0] != pair[1]]
            sys.exit(f"the two bills differ in {parts}: {rows[:2]}")
        print(f"the same {len(found):,} bytes: sha256 {hashlib.sha256(found).hexdigest()[:16]}")


if __name__ == "__main__":
    main()
