"""A small set of facts that a test can say in a line, and its writing in every format that facts arrive in."""

import csv
import gzip
import io
import json
import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import zstandard

import metering
from metering.ingest.ingest import IngestOutcome

Row = Mapping[str, Any]
Facts = dict[str, list[dict[str, Any]]]

GIB = 2**30
MULTIPLIER = 2_783_138_807_808_000
HOUR = "2026-10-05T00:00:00Z..2026-10-05T01:00:00Z"
SAMPLE_COLUMNS = ("poll_time", "endpoint", "account", "location", "snapshot", "allocated_size", "drive", "status", "name")


def sample(
    poll_time: str, size: int | str = GIB, snapshot: str = "s1", account: str = "a1", location: str = "ZRH", **more: Any
) -> dict[str, Any]:
    """One row of samples."""
    return {
        "poll_time": poll_time, "account": account, "location": location, "snapshot": snapshot, "allocated_size": size, **more,
    }  # fmt: skip


def heartbeat(poll_time: str, account: str = "a1", location: str = "ZRH") -> dict[str, Any]:
    """A poll that listed nothing."""
    return sample(poll_time, "", "", account, location)


def at(minute: int, second: int = 0) -> str:
    """An instant in the hour that these facts fill."""
    return f"2026-10-05T{minute // 60:02d}:{minute % 60:02d}:{second:02d}Z"


def price(
    currency: str = "CHF", amount: str = "0.28", level: int = 1, effective_from: str = "2026-01-01", location: str = ""
) -> dict[str, Any]:
    """One price row, per GB and month."""
    return {
        "resource": "backup", "currency": currency, "level": level, "price": amount, "unit": "GB/month", "multiplier": MULTIPLIER,
        "effective_from": effective_from, "location": location,
    }  # fmt: skip


def an_hour() -> Facts:
    """Two accounts, three locations, an hour of five-minute polls: growth, a heartbeat, a gap, awkward identifiers and names."""
    samples = [
        sample(
            at(minute), (number + 1) * 5 * GIB + minute * 4096, f"snap-{number}", "00123", "ZRH", endpoint="ZRH",
            drive=f"drive-{number}", status="available", name=f'nightly, "{number}"\n=1+1; Ä',
        )
        for minute in range(0, 60, 5)
        for number in range(3)
    ]  # fmt: skip
    samples += [
        sample(at(minute), 2**62, "big", "b", "NA", endpoint="NA", drive="", status="creating", name="")
        for minute in range(0, 60, 5)
        if minute not in (20, 25, 30, 35)
    ]
    samples += [
        heartbeat(at(0), "b", "GVA") | {"endpoint": "GVA"},
        sample(at(5), 7, "x", "b", "GVA", endpoint="GVA", drive="", status="", name=""),
        heartbeat(at(10), "b", "GVA") | {"endpoint": "GVA"},
    ]
    return {
        "samples": samples,
        "subscriptions": [
            {"id": "007", "account": "00123", "location": "ZRH", "amount": 20 * GIB, "start_time": "2026-10-04T12:00:00Z",
             "end_time": "2026-10-05T00:30:00+00:00", "period": "", "price": "0.21", "currency": "CHF", "auto_renew": "true"},
            {"id": "8", "account": "b", "location": "NA", "amount": 10**18, "start_time": "2026-10-04T12:00:00Z", "end_time": "",
             "period": "1 month", "price": "", "currency": "", "auto_renew": ""},
        ],
        "prices": [price(), price("JPY", "45.5"), price("JPY", "51", effective_from="2026-10-05T00:40:00+00:00", location="NA")],
        "burst_levels": [{"location": "NA", "resource": "backup", "level": 1, "effective_from": "2026-01-01"}],
        "accounts": [
            {"account": "00123", "currency": "CHF", "name": "Müller & Söhne"}, {"account": "b", "currency": "JPY", "name": ""},
        ],
    }  # fmt: skip


def columns_of(rows: Iterable[Row]) -> list[str]:
    """All columns that rows have, in the order in which they first stand."""
    return list(dict.fromkeys(name for row in rows for name in row))


def csv_bytes(
    rows: Sequence[Row], columns: Sequence[str] | None = None, *, delimiter: str = ",", end: str = "\n", bom: bool = False
) -> bytes:
    """Write rows as CSV."""
    columns = columns or columns_of(rows)
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator=end)
    writer.writerow(columns)
    writer.writerows([row.get(column, "") for column in columns] for row in rows)
    return (b"\xef\xbb\xbf" if bom else b"") + out.getvalue().encode()


def ndjson_bytes(rows: Iterable[Row], *, end: str = "\n") -> bytes:
    """Write rows as NDJSON; what is empty is left out or null by turns, for both say the same."""
    lines = []
    for i, row in enumerate(rows):
        document = {name: (None if value == "" else value) for name, value in row.items()}
        if i % 2:
            document = {
                name: value
                for name, value in document.items()
                if value is not None or name in ("snapshot", "allocated_size", "name")
            }
        lines.append(json.dumps(document, ensure_ascii=bool(i % 3)) + end)
    return "".join(lines).encode()


def write_parquet(place: Path, rows: Sequence[Row], **types: str) -> None:
    """Write rows as Parquet, by default as text; `types` names other SQL types of columns."""
    columns = columns_of(rows)
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    connection.execute(f"create table t ({', '.join(f'{quoted(name)} varchar' for name in columns)})")
    if rows:
        marks = ", ".join("?" * len(columns))
        cells = [[None if row.get(name, "") == "" else str(row[name]) for name in columns] for row in rows]
        connection.executemany(f"insert into t values ({marks})", cells)
    picks = ", ".join(f"cast({quoted(name)} as {types.get(name, 'varchar')}) as {quoted(name)}" for name in columns)
    connection.execute(f"copy (select {picks} from t) to {literal(place)} (format parquet)")
    connection.close()


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(text: Path | str) -> str:
    return "'" + str(text).replace("'", "''") + "'"


def write_facts(
    folder: Path, facts: Facts, ending: str = "csv", *, parts: int = 1, seed: int | None = None, **csv_options: Any
) -> Path:
    """Write a facts directory: `ending` such as `csv`, `ndjson.gz`, `parquet`; samples in `parts` files, shuffled by `seed`."""
    folder.mkdir(parents=True, exist_ok=True)
    form, _, packing = ending.partition(".")
    for table, rows in facts.items():
        shuffled = list(rows)
        if seed is not None:
            random.Random(seed).shuffle(shuffled)
        count = parts if table == "samples" else 1
        for part in range(count):
            own = shuffled[part::count]
            place = folder / f"{table}.{ending}" if count == 1 else folder / table / f"part-{part:03d}.{ending}"
            place.parent.mkdir(exist_ok=True)
            if form == "parquet":
                write_parquet(place, own)
                continue
            text = csv_bytes(own, columns_of(rows), **csv_options) if form == "csv" else ndjson_bytes(own)
            packed = {"": bytes, "gz": gzip.compress, "zst": zstandard.ZstdCompressor(write_checksum=True).compress}[packing](text)
            place.write_bytes(packed)
    return folder


def bill_json(*places: Path, period: str = HOUR, store: str | Path = ":memory:", **options: Any) -> str:
    """Ingest and bill, and give the bill as the command line prints it."""
    with metering.open(str(store)) as meter:
        for place in places:
            meter.ingest(place)
        return json.dumps(meter.bill(period, **options).document(), ensure_ascii=False, indent=1)


def ingested(*places: Path, store: str | Path = ":memory:", **options: Any) -> IngestOutcome:
    """Ingest into a store and give the outcome."""
    with metering.open(str(store)) as meter:
        return meter.ingest(list(places), **options)


def counts(outcome: IngestOutcome, table: str = "samples") -> tuple[int, int, int, int, int]:
    """Rows accepted, duplicate, conflicting, rejected, ignored."""
    rows = outcome.tables[table]
    return rows.accepted, rows.duplicate, rows.conflicting, rows.rejected, rows.ignored
