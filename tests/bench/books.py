"""What the books take: seconds, processor seconds and peak memory of close, verify, explain, audit and reconcile.

    python tests/bench/books.py --days 17          about 10 million samples of 2 000 accounts and locations

Each step runs in a process of its own, start-up included, on one store; ingest is not counted.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from generate import generate
from measure import measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=17)
    parser.add_argument("--units", type=int, default=2_000, help="(account, location) pairs, a snapshot each")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="metering-bench-") as folder:
        facts, store, ledger = Path(folder) / "facts", str(Path(folder) / "store.duckdb"), str(Path(folder) / "ledger.json")
        samples = generate(facts, days=options.days, units=options.units, snapshots=options.units)
        metering = [sys.executable, "-m", "metering", "--store", store, "-q", "--format", "json"]
        period = f"2026-10-01..2026-10-{options.days + 1:02d}"
        subprocess.run([*metering, "ingest", str(facts)], check=True, stdout=subprocess.DEVNULL)
        print(f"{samples:,} samples")
        measured("close", [*metering, "close", period, "--by", "bench"], samples)
        bill = subprocess.run([*metering, "bill", period], check=True, stdout=subprocess.PIPE)
        line = json.loads(bill.stdout)["lines"][0]
        account, location = line["account"], line["location"]
        measured("explain a charge", [*metering, "explain", line["charge_id"]], samples)
        measured("verify", [*metering, "verify"], samples)
        measured("audit, which verifies too", [*metering, "audit", "--period", period], samples)
        measured(
            "export an account's ledger",
            [*metering, "export", "ledger", "--period", period, "--account", account, "-o", ledger],
            samples,
        )
        asked = ["--period", period, "--ledger", ledger, "--account", account, "--location", location]
        measured("reconcile a location", [*metering, "reconcile", *asked], samples)


if __name__ == "__main__":
    main()
