"""How fast each format is ingested, what the main job takes on 10 million samples, one five-minute cycle, many files, start-up.

    python tests/bench/formats.py                  10 million samples from Parquet, 2 million from each text format
    python tests/bench/formats.py --days 0.3       a tenth of it

The floor beside each text format is DuckDB reading the same file as text and counting its rows, nothing else; beside Parquet it
is a scan and a sum.
"""

import argparse
import sys
import tempfile
from itertools import islice
from pathlib import Path

from measure import floor, made, measured, metering

FILES = 1_000
ROWS_A_FILE = 200
TEXT_FORMS = (("csv", ""), ("csv", "gz"), ("ndjson", ""), ("ndjson", "zst"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=float, default=2.9, help="of 12 000 snapshots; text formats get a fifth")
    days = parser.parse_args().days
    with tempfile.TemporaryDirectory(prefix="metering-bench-") as name:
        folder = Path(name)
        measured("metering --help", [sys.executable, "-m", "metering", "--help"], runs=5)
        samples = made(folder / "parquet", f"--days={days}")
        facts, store = str(folder / "parquet"), str(folder / "store.duckdb")
        period = ("--period", "2026-10-01..2026-10-31", "--as-of", "2026-10-31")
        least = measured(f"floor, {samples:,} from Parquet", floor("parquet", folder / "parquet" / "samples.parquet"), samples)
        took = measured("metering run, from Parquet", metering(store, "run", facts, *period), samples)
        size = Path(store).stat().st_size
        print(f"{'':34} {took.busy / least.busy:.1f} times the floor; the store has {size / samples:.2f} bytes a sample")
        for number in range(3):
            cycle = folder / f"cycle-{number}"
            made(cycle, f"--days={1 / 288}", f"--first-poll={round(days * 288) + number}", "--format=ndjson")
            measured("one cycle of 12 000 samples", metering(store, "ingest", str(cycle / "samples.ndjson")), 12_000)
        for form, compression in TEXT_FORMS:
            ending = f"{form}.{compression}".rstrip(".")
            place = folder / ending
            samples = made(place, f"--days={days / 5}", f"--format={form}", f"--compression={compression}")
            least = measured(f"floor, {samples:,} from {ending}", floor(form, place / f"samples.{ending}"), samples)
            took = measured(
                f"metering ingest, from {ending}", metering(str(folder / f"{ending}.duckdb"), "ingest", str(place)), samples
            )
            print(f"{'':34} {took.busy / least.busy:.1f} times the floor")
        for form in ("csv", "ndjson"):
            place = folder / f"many-{form}"
            samples = in_small_files(folder / form / f"samples.{form}", place)
            least = measured(f"floor, {samples:,} from {FILES} {form} files", floor(form, place / f"*.{form}"), samples)
            ours = metering(str(folder / f"{place.name}.duckdb"), "ingest", str(place))
            took = measured(f"metering ingest, from {FILES} files", ours, samples)
            print(f"{'':34} {took.busy / least.busy:.1f} times the floor, {1_000 * took.busy / FILES:.1f} ms a file")


def in_small_files(source: Path, folder: Path) -> int:
    """Cut the first rows of a text file into small files, as a job that writes one a cycle leaves them; give how many rows."""
    folder.mkdir()
    rows = 0
    with source.open(encoding="utf-8") as lines:
        header = next(lines) if source.suffix == ".csv" else ""
        for number in range(FILES):
            part = list(islice(lines, ROWS_A_FILE))
            (folder / f"samples-{number:05}{source.suffix}").write_text(header + "".join(part), encoding="utf-8")
            rows += len(part)
    return rows


if __name__ == "__main__":
    main()
