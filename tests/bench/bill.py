"""How far ingest and bill are from reading the bytes: seconds, processor seconds, peak memory and bytes a sample.

    python tests/bench/bill.py --days 3            about 10 million samples
    python tests/bench/bill.py --days 30           about 104 million

The floor is what any answer must do: scan the same Parquet file and sum it by account and location. Each step runs in a process of
its own, start-up included, one after the other, so that the ratios hold on a busy machine as well as anything can; processor
seconds hold better than seconds there.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from generate import generate

FLOOR = (
    "import duckdb, sys; duckdb.sql('select count(*) from (select account, location, sum(allocated_size) '"
    " + f'from read_parquet(\\'{sys.argv[1]}\\') group by all)').fetchall()"
)


def measured(name: str, command: list[str], samples: int) -> float:
    """Run a step and print what it took; gives its processor seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    subprocess.run(["/usr/bin/env", *command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    rate = f"{samples / wall:14,.0f} samples/s"
    print(f"{name:34} {wall:8.2f} s {busy:8.2f} processor s {after.ru_maxrss / 1024:8,.0f} MiB at most so far {rate}", flush=True)
    return busy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=3)
    days = parser.parse_args().days
    with tempfile.TemporaryDirectory(prefix="metering-bench-") as folder:
        facts, store = Path(folder) / "facts", str(Path(folder) / "store.duckdb")
        samples = generate(facts, days=days)
        print(f"{samples:,} samples, {(facts / 'samples.parquet').stat().st_size / samples:.2f} bytes a sample in Parquet")
        metering = [sys.executable, "-m", "metering", "--store", store, "-q", "--format", "json"]
        period = f"2026-10-01..2026-10-{days + 1:02d}"
        as_of = f"2026-10-{days + 1:02d}T00:00:00Z"
        floor = measured("floor: scan and sum", [sys.executable, "-c", FLOOR, str(facts / "samples.parquet")], samples)
        measured("ingest", [*metering, "ingest", str(facts)], samples)
        print(f"{'store':34} {Path(store).stat().st_size / samples:8.2f} bytes a sample")
        bill = measured("bill from the store", [*metering, "bill", period, "--as-of", as_of], samples)
        measured("the same facts again", [*metering, "ingest", str(facts)], samples)
        print(f"a bill takes {bill / floor:.1f} times the processor time of the floor")


if __name__ == "__main__":
    main()
