"""A facts directory of any size, with DuckDB: dense five-minute polls of many snapshots whose sizes change rarely.

    python tests/bench/generate.py /tmp/facts --days 3
    python tests/bench/generate.py /tmp/facts-csv --days 1 --format csv --columns all

Locations, accounts and snapshots are spread evenly; a size holds for 21 polls on average, as observed (shared/DESIGN.md). Rows
are sorted by location, account, snapshot and time, so equal values are neighbours.
"""

import argparse
import time
from pathlib import Path

import duckdb

LOCATIONS = ("GVA", "ZRH", "FRA", "CWL", "LON", "DUB")
START = "2026-10-01 00:00:00+00"
CYCLE_SECONDS = 300
POLLS_PER_DAY = 86_400 // CYCLE_SECONDS
POLLS_PER_SIZE = 21
ENDS = {"parquet": "format parquet, compression zstd", "csv": "format csv, header", "ndjson": "format json"}

SAMPLES = """
with snapshots as (
    select
        s as snapshot_number,
        list_element($locations, 1 + s % $units % len($locations)) as location,
        cast(md5('account ' || (s % $units // len($locations))) as uuid) as account,
        cast(md5('snapshot ' || s) as uuid) as snapshot,
        cast(md5('drive ' || (s // 3)) as uuid) as drive
    from range($snapshots) as r (s)
)

select
    timestamptz '{start}' + to_seconds(p * {cycle}) as poll_time,
    location,
    account,
    snapshot,
    {size} as allocated_size
    {more}
from snapshots, range($first_poll, $first_poll + $polls) as r (p)
order by location, account, snapshot, poll_time
"""
# What a snapshot occupies, by the number of times it changed: data that changed on a drive since it was taken only grow. Sizes
# that jump are the worst there is: an account crosses what it has subscribed to many times a day.
SIZES = {
    "growing": "1073741824 + {changes} * cast(1048576 + hash(snapshot_number) % 268435456 as bigint)",
    "jumping": "cast(1073741824 + hash(snapshot_number, {changes}) % 107374182400 as bigint)",
}
MORE = ", location as endpoint, drive, 'available' as status, 'nightly ' || snapshot_number as name"


def generate(
    folder: Path,
    *,
    days: float,
    first_poll: int = 0,
    units: int = 2_000,
    snapshots: int = 12_000,
    form: str = "parquet",
    columns: str = "required",
    sizes: str = "growing",
    compression: str = "",
    threads: int | None = None,
) -> int:
    """Write the directory and give the number of samples."""
    folder.mkdir(parents=True, exist_ok=True)
    polls = round(days * POLLS_PER_DAY)
    connection = duckdb.connect(config={"threads": threads} if threads else {})
    connection.execute("set enable_progress_bar = false; set TimeZone = 'UTC'; set preserve_insertion_order = true")
    values = {"locations": list(LOCATIONS), "units": units, "snapshots": snapshots, "first_poll": first_poll, "polls": polls}
    more = MORE if columns == "all" else ""
    size = SIZES[sizes].format(changes=f"((p + snapshot_number) // {POLLS_PER_SIZE})")
    samples = SAMPLES.format(start=START, cycle=CYCLE_SECONDS, size=size, more=more)
    if form != "parquet":
        samples = f"select strftime(poll_time, '%Y-%m-%dT%H:%M:%SZ') as poll_time, * exclude (poll_time) from ({samples})"
    packed = {"": "", "gz": ", compression gzip", "zst": ", compression zstd"}[compression]
    place = folder / ("samples." + form + (f".{compression}" if compression else ""))
    connection.execute(f"copy ({samples}) to '{place}' ({ENDS[form]}{packed})", values)
    accounts = -(-units // len(LOCATIONS))
    connection.execute(
        "copy (select cast(md5('account ' || a) as uuid) as account, "
        "case a % 3 when 0 then 'CHF' when 1 then 'USD' else 'JPY' end as currency, 'Customer ' || a as name "
        f"from range({accounts}) as r (a)) to '{folder / 'accounts.csv'}' (format csv, header)"
    )
    connection.execute(
        "copy (select 'sub-' || a || '-' || l as id, cast(md5('account ' || a) as uuid) as account, l as location, "
        "(a % 7) * 107374182400 as amount, '2026-10-01T12:00:00Z' as start_time, '2026-11-01T12:00:00Z' as end_time "
        f"from range({accounts}) as r (a), unnest({list(LOCATIONS)}) as u (l)) "
        f"to '{folder / 'subscriptions.csv'}' (format csv, header)"
    )
    connection.execute(
        "copy (select 'backup' as resource, currency, 1 as level, price, 'GB/month' as unit, 2783138807808000 as multiplier, "
        "'2026-01-01T00:00:00Z' as effective_from from (values ('CHF', '0.28'), ('USD', '0.31'), ('JPY', '45')) as v (currency, "
        f"price)) to '{folder / 'prices.csv'}' (format csv, header)"
    )
    connection.close()
    return snapshots * polls


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--days", type=float, default=3.0)
    parser.add_argument("--first-poll", type=int, default=0, help="begin that many polls after 2026-10-01T00:00Z")
    parser.add_argument("--units", type=int, default=2_000, help="(account, location) pairs")
    parser.add_argument("--snapshots", type=int, default=12_000)
    parser.add_argument("--format", dest="form", choices=ENDS, default="parquet")
    parser.add_argument("--compression", choices=["", "gz", "zst"], default="")
    parser.add_argument("--sizes", choices=SIZES, default="growing", help="how they change")
    parser.add_argument("--columns", choices=["required", "all"], default="required")
    options = vars(parser.parse_args())
    began = time.perf_counter()
    samples = generate(**options)
    size = sum(path.stat().st_size for path in options["folder"].glob("samples.*"))
    print(f"{samples:,} samples, {size:,} bytes ({size / samples:.2f} a sample), {time.perf_counter() - began:.1f} s")


if __name__ == "__main__":
    main()
