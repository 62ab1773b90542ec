"""What late polls cost: a month in the store, then 1, 10, 100 and 1 000 polls that come late, each of another collection or day.

    python tests/bench/late.py --days 30

A late poll lies between two that are known and lists what its collection held. It is ingested from a file, by the command line,
and the month is billed again. Levels are kept by day, so it should cost one day of one collection each, and not the month.
"""

import argparse
import tempfile
from pathlib import Path

import duckdb
from measure import made, measured, metering

LATE = """
copy (
    with listed as (
        select *, dense_rank() over (order by account, location) - 1 as collection_number
        from read_parquet($samples)
        where poll_time >= $day and poll_time < $day + interval 5 minutes
    )
    select poll_time + interval 137 seconds as poll_time, * exclude (poll_time, collection_number)
    from listed
    where collection_number < $count
) to '{place}' (format parquet)
"""


def late_polls(samples: Path, place: Path, count: int, days: int) -> None:
    """Write `count` late polls, spread over the days: of each of them up to 2 000 collections."""
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    place.mkdir()
    each, rest = divmod(count, days)
    for day in range(days):
        if here := each + (day < rest):
            values = {"samples": str(samples), "day": f"2026-10-{day + 1:02d} 12:00:00+00", "count": here}
            sql = LATE.format(place=place / f"samples-{day:02d}.parquet").replace("$day", "cast($day as timestamptz)")
            connection.execute(sql, values)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=3)
    days = parser.parse_args().days
    with tempfile.TemporaryDirectory(prefix="metering-bench-") as folder:
        facts, store = Path(folder) / "facts", Path(folder) / "store.duckdb"
        samples = made(facts, f"--days={days}")
        period, as_of = f"2026-10-01..2026-10-{days + 1:02d}", f"2026-10-{days + 1:02d}T00:00:00Z"
        measured("ingest", metering(store, "ingest", str(facts)), samples)
        measured("bill from the store", metering(store, "bill", period, "--as-of", as_of), samples)
        for count in (1, 10, 100, 1000):
            late = Path(folder) / f"late-{count}"
            late_polls(facts / "samples.parquet", late, count, days)
            measured(f"{count} late polls", metering(store, "ingest", str(late)), count)
            measured("the bill then", metering(store, "bill", period, "--as-of", as_of), samples)


if __name__ == "__main__":
    main()
