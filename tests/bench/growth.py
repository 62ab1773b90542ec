"""Time and memory against size: 10, 100 and 300 million samples, as a table and a plot.

    python tests/bench/growth.py -o growth.svg
    python tests/bench/growth.py --days 1 3 --out growth.svg

Two thousand accounts and locations are polled for more and more days; a file holds ten days. Every step is a process of its own
and works on all of the days: the floor, which sums the bytes; the ingest into a store; the bill of all days from it; and the whole
job with nothing kept.
"""

import argparse
import tempfile
from datetime import date, timedelta
from pathlib import Path

import vl_convert
from generate import POLLS_PER_DAY
from measure import floor, made, measured, metering

DAYS = (3, 29, 87)
DAYS_PER_FILE = 10
FIRST = date(2026, 10, 1)


def facts_of(folder: Path, days: int) -> tuple[Path, int]:
    """Write facts of so many days, their samples as one file for each ten, and give the folder and the number of samples."""
    facts, samples = folder / "facts", 0
    (facts / "samples").mkdir(parents=True)
    for first in range(0, days, DAYS_PER_FILE):
        part = folder / f"part-{first}"
        samples += made(part, f"--days={min(DAYS_PER_FILE, days - first)}", f"--first-poll={first * POLLS_PER_DAY}")
        (part / "samples.parquet").rename(facts / "samples" / f"from-day-{first:03}.parquet")
        for small in part.iterdir():
            small.rename(facts / small.name)
    return facts, samples


def steps(folder: Path, days: int) -> list[dict[str, object]]:
    """Measure every step over so many days."""
    facts, samples = facts_of(folder, days)
    store = folder / "store.duckdb"
    end = FIRST + timedelta(days)
    bill = ["bill", f"{FIRST}..{end}", "--as-of", f"{end}T00:00:00Z"]
    whole = ["run", str(facts), "--period", f"{FIRST}..{end}", "--as-of", f"{end}T00:00:00Z"]
    commands = {
        "floor": floor("parquet", facts / "samples" / "*.parquet"),
        "ingest": metering(store, "ingest", str(facts)),
        "bill from the store": metering(store, *bill),
        "nothing kept": metering(":memory:", *whole),
    }
    rows = []
    for name, command in commands.items():
        took = measured(name, command, samples)
        rows.append({"step": name, "samples": samples, "processor seconds": took.busy, "seconds": took.wall, "MiB": took.mebibytes})
    return rows


def plot(rows: list[dict[str, object]], place: Path) -> None:
    """Draw processor seconds and memory against samples, both on scales of powers."""
    axis = {"type": "quantitative", "scale": {"type": "log"}}

    def panel(field: str) -> dict[str, object]:
        return {
            "mark": {"type": "line", "point": True},
            "encoding": {
                "x": {"field": "samples", "title": "samples", **axis},
                "y": {"field": field, "title": field, **axis},
                "color": {"field": "step", "title": None, "sort": None},
            },
        }

    spec = {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "data": {"values": rows},
        "hconcat": [panel("processor seconds"), panel("MiB")],
    }
    place.write_text(vl_convert.vegalite_to_svg(spec), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, nargs="+", default=DAYS)
    parser.add_argument("-o", "--out", type=Path, default=Path("growth.svg"))
    options = parser.parse_args()
    rows: list[dict[str, object]] = []
    for days in options.days:
        with tempfile.TemporaryDirectory(prefix="metering-bench-") as folder:
            rows += steps(Path(folder), days)
    plot(rows, options.out)


if __name__ == "__main__":
    main()
