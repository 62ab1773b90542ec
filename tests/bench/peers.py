"""The same question to other engines, side by side: burst byte-seconds by account, location and day from one Parquet file.

    python tests/bench/peers.py --days 3           about 10 million samples
    python tests/bench/peers.py --days 30          about 104 million

Each peer computes the bare burst, as well as its experts would write it, and nothing else: no check, no duplicate, no gap, no
price. Ours does the whole job, once from the file with nothing kept and once from a store. Each runs in a process of its own, one
after the other; all must give the same integers, or this program fails. pandas gets a thirtieth of the days, for want of memory,
and its figure is scaled. Needs polars (of the extra [dev]) and chdb (`pip install chdb`); who is missing is named.
"""

import argparse
import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from pathlib import Path

from generate import CYCLE_SECONDS
from measure import made

STEPS = """
    with levels as (
        select location, account, poll_time, sum(allocated_size) as occupied
        from {samples} group by location, account, poll_time
    ),
    steps as (
        select l.*, coalesce(s.amount, 0) as entitled, {until} - {at} as seconds
        from levels as l left join {subscriptions} as s
        on l.location = s.location and l.account = s.account and l.poll_time >= s.start_time and l.poll_time < s.end_time
    )
    select account, location, {day} as day, sum(greatest(occupied - entitled, 0) * seconds) as burst
    from steps group by account, location, day having burst > 0
"""


def by_duckdb(facts: Path) -> list[tuple[str, str, str, int]]:
    """Plain DuckDB: one query."""
    import duckdb  # noqa: PLC0415 -- a process has one engine

    connection = duckdb.connect()
    connection.execute("set enable_progress_bar = false; set TimeZone = 'UTC'")
    at = "epoch(poll_time)::bigint"
    query = STEPS.format(
        samples=f"read_parquet('{facts / 'samples.parquet'}')",
        subscriptions="(select location, account::uuid as account, amount, start_time, end_time from "
        f"read_csv('{facts / 'subscriptions.csv'}'))",
        at=at,
        until=f"lead({at}, 1, {at} + {CYCLE_SECONDS}) over (partition by l.location, l.account order by poll_time)",
        day="poll_time::date",
    )
    return connection.execute(f"select account::varchar, location, day::varchar, burst::hugeint from ({query})").fetchall()


def by_chdb(facts: Path) -> list[tuple[str, str, str, int]]:
    """ClickHouse's engine, embedded."""
    import chdb  # noqa: PLC0415 -- a process has one engine

    query = f"""
    with levels as (
        select location, account, toInt64(toUnixTimestamp(poll_time)) as at, sum(allocated_size) as occupied
        from file('{facts / "samples.parquet"}', Parquet) group by location, account, at
    ),
    steps as (
        select location, account, at, occupied,
            leadInFrame(at, 1, toInt64(at + {CYCLE_SECONDS})) over (
                partition by location, account order by at rows between unbounded preceding and unbounded following
            ) - at as seconds
        from levels
    )
    select toString(st.account) as account, toString(st.location) as location, toString(toDate(toDateTime(at, 'UTC'))) as day,
        sum(greatest(occupied - if(at >= toUnixTimestamp(s.start_time) and at < toUnixTimestamp(s.end_time), s.amount, 0), 0)
            * seconds) as burst
    from steps as st left join (
        select location, toUUID(account) as account, toInt64(amount) as amount,
            parseDateTimeBestEffort(start_time, 'UTC') as start_time, parseDateTimeBestEffort(end_time, 'UTC') as end_time
        from file('{facts / "subscriptions.csv"}', CSVWithNames, 'id String, account String, location String, amount Int64,
            start_time String, end_time String')
    ) as s on toString(st.location) = s.location and toUUID(toString(st.account)) = s.account
    group by account, location, day having burst > 0
    """
    lines = str(chdb.query(query, "JSONCompactEachRow")).splitlines()
    return [(account, location, day, int(burst)) for account, location, day, burst in map(json.loads, lines)]


def by_polars(facts: Path) -> list[tuple[str, str, str, int]]:
    """Polars: lazy, streaming."""
    import polars as pl  # noqa: PLC0415 -- a process has one engine

    subscriptions = pl.scan_csv(facts / "subscriptions.csv").select(
        "location",
        pl.col("account").str.replace_all("-", "").str.decode("hex").alias("account"),
        "amount",
        pl.col("start_time", "end_time").str.to_datetime(time_unit="us", time_zone="UTC"),
    )
    at = pl.col("poll_time").dt.epoch("s")
    steps = (
        pl.scan_parquet(facts / "samples.parquet")
        .group_by("location", "account", "poll_time")
        .agg(pl.col("allocated_size").sum().alias("occupied"))
        .sort("location", "account", "poll_time")
        .with_columns((at.shift(-1).over("location", "account").fill_null(at + CYCLE_SECONDS) - at).alias("seconds"))
        .join(subscriptions, on=["location", "account"], how="left")
    )
    is_entitled = (pl.col("poll_time") >= pl.col("start_time")) & (pl.col("poll_time") < pl.col("end_time"))
    entitled = pl.when(is_entitled).then(pl.col("amount")).otherwise(0)
    burst = ((pl.col("occupied") - entitled).clip(lower_bound=0) * pl.col("seconds")).sum().alias("burst")
    days = steps.group_by("location", "account", pl.col("poll_time").dt.date().alias("day")).agg(burst).filter(pl.col("burst") > 0)
    found = days.collect(engine="streaming")
    return [
        (_uuid(account), location, day.isoformat(), burst)
        for location, account, day, burst in found.select("location", "account", "day", "burst").iter_rows()
    ]


def by_pandas(facts: Path) -> list[tuple[str, str, str, int]]:
    """Pandas, with categories for text."""
    import pandas as pd  # noqa: PLC0415 -- a process has one engine

    samples = pd.read_parquet(facts / "samples.parquet")
    samples["account"] = samples["account"].map(_uuid).astype("category")
    samples["location"] = samples["location"].astype("category")
    levels = samples.groupby(["location", "account", "poll_time"], observed=True)["allocated_size"].sum().reset_index()
    at = (levels["poll_time"] - pd.Timestamp(0, tz="UTC")) // pd.Timedelta(seconds=1)
    groups = [levels["location"], levels["account"]]
    seconds = at.groupby(groups, observed=True).shift(-1, fill_value=0) - at
    levels["seconds"] = seconds.where(seconds > 0, CYCLE_SECONDS)
    subscriptions = pd.read_csv(facts / "subscriptions.csv", parse_dates=["start_time", "end_time"])
    steps = levels.merge(subscriptions, on=["location", "account"], how="left")
    is_entitled = (steps["poll_time"] >= steps["start_time"]) & (steps["poll_time"] < steps["end_time"])
    entitled = steps["amount"].fillna(0).astype("int64").where(is_entitled, 0)
    steps["burst"] = (steps["allocated_size"] - entitled).clip(lower=0) * steps["seconds"]
    days = steps.groupby(["account", "location", steps["poll_time"].dt.strftime("%Y-%m-%d")], observed=True)["burst"].sum()
    return [(account, location, day, int(burst)) for (account, location, day), burst in days[days > 0].items()]


def by_metering(store: str, *command: str) -> list[tuple[str, str, str, int]]:
    """Ours: the whole job, to JSON."""
    words = [sys.executable, "-m", "metering", "--store", store, "-q", "--format", "json", *command]
    printed = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    found: Counter[tuple[str, str, str]] = Counter()
    for line in json.loads(printed)["lines"]:
        found[line["account"], line["location"], line["date"]] += int(line["burst_byte_seconds"])
    return [(*key, burst) for key, burst in found.items()]


def _uuid(raw: object) -> str:
    return str(uuid.UUID(bytes=raw)) if isinstance(raw, bytes) else str(raw)


PEERS = {"duckdb": by_duckdb, "chdb": by_chdb, "polars": by_polars, "pandas": by_pandas}


def measured(name: str, facts: Path, *words: str) -> tuple[str, float] | None:
    """Run one in a process of its own; print what it took, and give the digest of its answer and its seconds."""
    began = time.perf_counter()
    command = [sys.executable, __file__, "--answer", name, str(facts), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wall = time.perf_counter() - began
    if done.returncode:
        print(f"{name:28} failed: {(done.stderr.strip() or 'killed').splitlines()[-1][:200]}", flush=True)
        return None
    answer = json.loads(done.stdout.splitlines()[-1])
    print(f"{name:28} {wall:8.2f} s {answer['busy']:8.2f} processor s {answer['peak']:8,} MiB {answer['rows']:8,} rows", flush=True)
    return str(answer["digest"]), wall


def answer(name: str, facts: Path, words: list[str]) -> None:
    """Answer in this process, and tell what it took."""
    rows = sorted(PEERS[name](facts) if name in PEERS else by_metering(*words))
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    busy = sum(each.ru_utime + each.ru_stime for each in used)
    digest = hashlib.sha256("\n".join(",".join(map(str, row)) for row in rows).encode()).hexdigest()
    print(json.dumps({"rows": len(rows), "digest": digest, "busy": busy, "peak": max(each.ru_maxrss for each in used) // 1024}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=3)
    parser.add_argument("--facts", type=Path, help="a directory that generate.py made for as many days, to use again")
    parser.add_argument("--only", nargs="*", choices=PEERS, default=list(PEERS))
    parser.add_argument("--answer", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.answer:
        name, facts, *words = options.answer
        answer(name, Path(facts), words)
        return
    with tempfile.TemporaryDirectory(prefix="metering-bench-") as folder:
        facts = options.facts or Path(folder) / "facts"
        if options.facts is None:
            made(facts, f"--days={options.days}")
        period = f"2026-10-01..2026-10-{options.days + 1:02d}"
        until = ("--as-of", f"2026-10-{options.days + 1:02d}")
        store = f"{folder}/store.duckdb"
        found = [measured("metering, nothing kept", facts, ":memory:", "run", str(facts), "--period", period, *until)]
        ingest = [sys.executable, "-m", "metering", "--store", store, "-q", "ingest", str(facts)]
        subprocess.run(ingest, check=True, capture_output=True)
        found.append(measured("metering, from its store", facts, store, "bill", period, *until))
        found += [measured(name, facts) for name in options.only if name != "pandas"]
        if "pandas" in options.only:
            few = Path(folder) / "few"
            share = max(1, options.days // 30)
            made(few, f"--days={share}")
            want = measured("duckdb", few)
            got = measured("pandas", few)
            if want and got:
                print(f"{'pandas, scaled':28} {got[1] * options.days / share:8.2f} s")
                found += [] if want[0] == got[0] else [("pandas differs", 0.0)]
    digests = {each[0] for each in found if each is not None}
    if len(digests) != 1:
        sys.exit("the engines do not agree")
    print("all agree, to the last byte-second")


if __name__ == "__main__":
    main()
