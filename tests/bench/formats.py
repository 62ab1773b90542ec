"""How fast each format is ingested, what the main job takes on 10 million samples, one five-minute cycle, and start-up.

    python tests/bench/formats.py                  10 million samples from Parquet, 2 million from each text format
    python tests/bench/formats.py --days 0.3       a tenth of it

Each step runs in a process of its own, start-up included. The floor beside each text format is DuckDB reading the same file as
text and counting its rows, nothing else; beside Parquet it is a scan and a sum. On a busy machine processor seconds and ratios
hold better than seconds.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

GENERATE = Path(__file__).with_name("generate.py")
TEXT_FORMS = (("csv", ""), ("csv", "gz"), ("ndjson", ""), ("ndjson", "zst"))
COUNT = {
    "csv": "select count(poll_time), max(allocated_size) from read_csv('{}', all_varchar=true)",
    "ndjson": "select count(poll_time), max(allocated_size) from read_json('{}', format='newline_delimited')",
    "parquet": "select account, location, sum(allocated_size) from read_parquet('{}') group by all",
}


def measured(name: str, command: list[str], samples: int = 0, runs: int = 1) -> float:
    """Run a step and print what it took; gives its processor seconds, the least of several runs."""
    best: tuple[float, float] | None = None
    for _ in range(runs):
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        best = min(best or (busy, wall), (busy, wall))
    busy, wall = best or (0, 0)
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    rate = f"{samples / wall:12,.0f} samples/s {samples / busy:12,.0f} a processor second" if samples else ""
    print(f"{name:30} {wall:7.2f} s {busy:7.2f} processor s {most:6,} MiB at most so far {rate}", flush=True)
    return busy


def metering(store: str, *words: str) -> list[str]:
    return [sys.executable, "-m", "metering", "--store", store, "-q", "--format", "json", *words]


def floor(form: str, place: Path) -> list[str]:
    return [sys.executable, "-c", "import duckdb, sys; duckdb.sql(sys.argv[1]).fetchall()", COUNT[form].format(place)]


def generate(place: Path, *options: str) -> int:
    """Make facts in a process of its own: what this one has held would count as its children's peak. Gives the samples."""
    made = subprocess.run([sys.executable, GENERATE, str(place), *options], check=True, capture_output=True, text=True)
    return int(made.stdout.split(" ", 1)[0].replace(",", ""))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=float, default=2.9, help="of 12 000 snapshots; text formats get a fifth")
    days = parser.parse_args().days
    with tempfile.TemporaryDirectory(prefix="metering-bench-") as name:
        folder = Path(name)
        measured("metering --help", [sys.executable, "-m", "metering", "--help"], runs=5)
        samples = generate(folder / "parquet", f"--days={days}")
        facts, store = str(folder / "parquet"), str(folder / "store.duckdb")
        period = ("--period", "2026-10-01..2026-10-31", "--as-of", "2026-10-31")
        least = measured(f"floor, {samples:,} from Parquet", floor("parquet", folder / "parquet" / "samples.parquet"), samples)
        took = measured("metering run, from Parquet", metering(store, "run", facts, *period), samples)
        print(
            f"{'':30} {took / least:.1f} times the floor; the store has {Path(store).stat().st_size / samples:.2f} bytes a sample"
        )
        for number in range(3):
            cycle = folder / f"cycle-{number}"
            generate(cycle, f"--days={1 / 288}", f"--first-poll={round(days * 288) + number}", "--format=ndjson")
            measured("one cycle of 12 000 samples", metering(store, "ingest", str(cycle / "samples.ndjson")), 12_000)
        for form, compression in TEXT_FORMS:
            ending = f"{form}.{compression}".rstrip(".")
            place = folder / ending
            samples = generate(place, f"--days={days / 5}", f"--format={form}", f"--compression={compression}")
            least = measured(f"floor, {samples:,} from {ending}", floor(form, place / f"samples.{ending}"), samples)
            took = measured(
                f"metering ingest, from {ending}", metering(str(folder / f"{ending}.duckdb"), "ingest", str(place)), samples
            )
            print(f"{'':30} {took / least:.1f} times the floor")


if __name__ == "__main__":
    main()
