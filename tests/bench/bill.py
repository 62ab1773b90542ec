"""How far ingest and bill are from reading the bytes: seconds, processor seconds, peak memory and bytes a sample.

    python tests/bench/bill.py --days 3            about 10 million samples
    python tests/bench/bill.py --days 30           about 104 million

The floor is what any answer must do: scan the same Parquet file and sum it by account and location.
"""

import argparse
import tempfile
from pathlib import Path

from measure import floor, made, measured, metering


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=3)
    days = parser.parse_args().days
    with tempfile.TemporaryDirectory(prefix="metering-bench-") as folder:
        facts, store = Path(folder) / "facts", Path(folder) / "store.duckdb"
        samples = made(facts, f"--days={days}")
        print(f"{samples:,} samples, {(facts / 'samples.parquet').stat().st_size / samples:.2f} bytes a sample in Parquet")
        period = (f"2026-10-01..2026-10-{days + 1:02d}", "--as-of", f"2026-10-{days + 1:02d}T00:00:00Z")
        least = measured("floor: scan and sum", floor("parquet", facts / "samples.parquet"), samples, runs=3)
        measured("ingest", metering(store, "ingest", str(facts)), samples)
        print(f"{'store':34} {store.stat().st_size / samples:8.2f} bytes a sample")
        bill = measured("bill from the store", metering(store, "bill", *period), samples, runs=3)
        measured("the same facts again", metering(store, "ingest", str(facts)), samples)
        measured("nothing kept", metering(":memory:", "run", str(facts), "--period", *period), samples)
        print(f"a bill takes {bill.wall / least.wall:.1f} times the floor, {bill.busy / least.busy:.1f} times its processor time")


if __name__ == "__main__":
    main()
