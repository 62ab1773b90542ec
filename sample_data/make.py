"""Make `samples/`: a month of listings, polled every five minutes, from the story below.

    python sample_data/make.py [FOLDER]

Every snapshot is a line of the story: who lists it, where it is stored, and how large it is from when until when. A poll lists
what is there at its instant. The bill of this month, worked out by hand, is in `expected/`; this program knows nothing of it.
Nothing here is random and nothing depends on the clock: the same program gives the same bytes.
"""

import csv
import gzip
import io
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

GIB = 2**30
ALPENROSE = "0a1be405-5c1a-4e0b-9d3e-6f2a7c4d1b01"
HARBOUR = "4f1ac4b2-93d7-4b6e-8a50-2e9d81c7f002"
KUMO = "8c3b0d77-41fe-4c2a-b1d9-7a5e60f4d003"
NORDLYS = "d07d1e5a-6b28-4f93-a4c6-19e8b3720004"
# Shares a snapshot with Kumo, but nobody polls it.
ORCHARD = "ec55a0c4-0f3b-4d8e-97b1-5b6f2d910005"


def at(text: str) -> datetime:
    """Read `10-05 00:00` as an instant of 2026, UTC."""
    return datetime.strptime(f"2026-{text}", "%Y-%m-%d %H:%M").replace(tzinfo=UTC)


ALWAYS = (at("09-01 00:00"), at("12-01 00:00"))


@dataclass(frozen=True)
class Snapshot:
    """One snapshot in one listing, of one size and status while `since <= poll < until`."""

    endpoint: str
    account: str
    location: str
    number: int
    name: str
    gib: int
    since: datetime = ALWAYS[0]
    until: datetime = ALWAYS[1]
    status: str = "available"
    owner: str = ""
    is_drive_gone: bool = False

    @property
    def uuid(self) -> str:
        """Tell snapshots apart by the number of the story: 11 is `…-000000000011`."""
        return f"5a9e0000-2026-4a10-8000-{self.number:012d}"

    @property
    def drive(self) -> str:
        """The drive that it was taken of."""
        return f"d21fe000-2026-4d21-8000-{self.number // 10:012d}"


STORY = (
    # Alpenrose polls Geneva two and a half minutes after the full five, Zurich on the full five.
    Snapshot("GVA", ALPENROSE, "GVA", 11, "webshop", 800),
    Snapshot("GVA", ALPENROSE, "GVA", 12, "webshop before update", 400, until=at("10-01 00:00")),
    Snapshot("GVA", ALPENROSE, "GVA", 13, "webshop Christmas test", 600, at("10-20 00:00"), at("10-24 00:00")),
    Snapshot("ZRH", ALPENROSE, "ZRH", 21, "erp monthly", 2000),
    Snapshot("ZRH", ALPENROSE, "ZRH", 22, "erp weekly", 400, at("10-05 00:00"), at("10-19 00:00")),
    # The same snapshot again, in Geneva's listing for a day.
    Snapshot("GVA", ALPENROSE, "ZRH", 22, "erp weekly", 400, at("10-10 00:00"), at("10-11 00:00")),
    # Harbour & Finch: Frankfurt is fed by two endpoints, for London lists a copy that is stored there.
    Snapshot("FRA", HARBOUR, "FRA", 31, "mail archive", 3000),
    Snapshot("LON", HARBOUR, "FRA", 32, "mail archive copy", 1000),
    Snapshot("LON", HARBOUR, "LON", 41, "file server", 2000),
    Snapshot("LON", HARBOUR, "LON", 42, "file server, nightly", 0, at("10-15 08:00"), at("10-15 09:00"), "creating"),
    Snapshot("LON", HARBOUR, "LON", 42, "file server, nightly", 400, at("10-15 09:00"), at("10-15 10:00"), "transferring"),
    Snapshot("LON", HARBOUR, "LON", 42, "file server, nightly", 800, at("10-15 10:00"), at("10-16 07:00")),
    Snapshot("LON", HARBOUR, "LON", 42, "file server, nightly", 800, at("10-16 07:00"), at("10-16 08:00"), "deleting"),
    # Kumo is new on 12 October. Its drive is deleted on the 14th, the snapshot stays; on the 18th it holds nothing.
    Snapshot("DUB", KUMO, "DUB", 51, "warehouse", 1500, until=at("10-14 00:00")),
    Snapshot("DUB", KUMO, "DUB", 51, "warehouse", 1500, at("10-14 00:00"), at("10-18 00:00"), is_drive_gone=True),
    Snapshot("DUB", KUMO, "DUB", 61, "warehouse, rebuilt", 1500, at("10-19 00:00")),
    Snapshot("DUB", KUMO, "DUB", 62, "warehouse before index", 50, at("10-22 18:00"), at("10-22 19:00")),
    # Seen by Kumo, owned by others: one that is polled itself, one that nobody polls.
    Snapshot("DUB", KUMO, "CWL", 71, "vinyl shop", 600, at("10-25 00:00"), at("10-26 00:00"), owner=NORDLYS),
    Snapshot("DUB", KUMO, "DUB", 91, "orchard", 25, at("10-25 00:00"), at("10-26 00:00"), owner=ORCHARD),
    # Nordlys: one snapshot says that it is stored in AMS, which is no location that is known. Geneva lists nothing.
    Snapshot("CWL", NORDLYS, "CWL", 71, "vinyl shop", 600),
    Snapshot("CWL", NORDLYS, "AMS", 72, "vinyl photos", 30, at("10-06 00:00"), at("10-07 00:00")),
)


def polls(first: str, last: str, *, late: int = 0, lost: tuple[tuple[str, str], ...] = ()) -> Iterator[datetime]:
    """Give an instant every five minutes from `first` to `last`, `late` seconds after, but for the intervals that were `lost`."""
    instant = at(first)
    while instant <= at(last):
        if not any(at(since) <= instant < at(until) for since, until in lost):
            yield instant + timedelta(seconds=late)
        instant += timedelta(minutes=5)


def listing(endpoint: str, account: str, instant: datetime) -> list[Snapshot]:
    """Give what a poll lists."""
    return [s for s in STORY if (s.endpoint, s.account) == (endpoint, account) and s.since <= instant < s.until]


def zulu(instant: datetime) -> str:
    """Write an instant as `2026-10-01T00:00:00Z`."""
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")


def frankfurt_time(instant: datetime) -> str:
    """Write an instant as Frankfurt's clock shows it, summer time and quarter seconds included."""
    hours = 2 if instant < at("10-25 01:00") else 1
    local = instant.astimezone(timezone(timedelta(hours=hours)))
    return local.strftime(f"%Y-%m-%dT%H:%M:%S.250+0{hours}:00")


def rows(
    endpoint: str, account: str, instants: Iterator[datetime], written: Callable[[datetime], Any] = zulu
) -> Iterator[dict[str, Any]]:
    """Give the samples of a collection; a poll that lists nothing is a heartbeat, a row without a snapshot."""
    for instant in instants:
        head = {"poll_time": written(instant), "endpoint": endpoint, "account": account}
        listed = listing(endpoint, account, instant)
        for s in listed:
            yield head | {
                "location": s.location, "snapshot": s.uuid, "drive": s.drive, "status": s.status,
                "allocated_size": s.gib * GIB, "name": s.name,
            }  # fmt: skip
        if not listed:
            yield head | {"location": endpoint, "snapshot": "", "drive": "", "status": "", "allocated_size": 0, "name": ""}


def captures(endpoint: str, account: str, instants: Iterator[datetime]) -> Iterator[dict[str, Any]]:
    """Give the listings of a collection as the provider answered them, one a poll."""
    for instant in instants:
        objects = [
            {
                "uuid": s.uuid, "name": s.name, "status": s.status, "location": s.location, "allocated_size": s.gib * GIB,
                "drive": None if s.is_drive_gone else {"uuid": s.drive, "resource_uri": f"/api/2.0/drives/{s.drive}/"},
                "drive_meta": {"name": s.name, "media": "disk", "size": 2000 * GIB, "storage_type": "dssd", "src_uuid": s.drive},
                "owner": {"uuid": s.owner or account, "resource_uri": f"/api/2.0/user/{s.owner or account}/"},
                "grantees": [], "permissions": [], "meta": {}, "tags": [],
                "resource_uri": f"/api/2.0/remotesnapshots/{s.uuid}/",
            }
            for s in listing(endpoint, account, instant)
        ]  # fmt: skip
        meta = {"limit": 0, "offset": 0, "total_count": len(objects)}
        yield {
            "poll_time": zulu(instant), "endpoint": endpoint, "account": account,
            "response": {"meta": meta, "objects": objects},
        }  # fmt: skip


def alpenrose_geneva() -> Iterator[dict[str, Any]]:
    """Give Geneva's samples: three hours without polls, and one row that is no sample."""
    for row in rows("GVA", ALPENROSE, polls("09-30 23:50", "11-01 00:05", late=150, lost=(("10-21 13:05", "10-21 16:00"),))):
        is_broken = row["poll_time"] == "2026-10-27T12:02:30Z"
        yield row | ({"allocated_size": "n/a"} if is_broken else {})


def nordlys() -> Iterator[dict[str, Any]]:
    """Give Cardiff's and Geneva's samples by time: one poll late, one left out, one row twice, an early end in Geneva."""
    cardiff = polls("09-30 23:55", "11-01 00:05", lost=(("10-11 03:00", "10-11 03:05"),))
    delayed = (t + timedelta(seconds=150) if t == at("10-09 12:05") else t for t in cardiff)
    found = [*rows("CWL", NORDLYS, delayed), *rows("GVA", NORDLYS, polls("09-30 23:55", "10-31 23:40"))]
    for row in sorted(found, key=lambda row: (row["poll_time"], row["endpoint"])):
        yield row
        if (row["poll_time"], row["endpoint"]) == ("2026-10-03T00:00:00Z", "CWL"):
            yield row


def harbour() -> Iterator[dict[str, Any]]:
    """Give Frankfurt's samples, then London's, which was not reached for four hours."""
    yield from rows("FRA", HARBOUR, polls("09-30 23:55", "11-01 00:05"), frankfurt_time)
    yield from rows("LON", HARBOUR, polls("09-30 23:55", "11-01 00:05", lost=(("10-29 06:05", "10-29 10:00"),)))


def write_gzip(path: Path, text: str) -> None:
    """Write gzip without a name and a time inside, so that it is the same every time."""
    with path.open("wb") as file, gzip.GzipFile("", "wb", mtime=0, fileobj=file) as packed:
        packed.write(text.encode())


def csv_text(samples: Iterator[dict[str, Any]]) -> str:
    """Write samples as CSV."""
    found = list(samples)
    out = io.StringIO()
    writer = csv.DictWriter(out, list(found[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(found)
    return out.getvalue()


def write_by_duckdb(path: Path, samples: Iterator[dict[str, Any]], options: str) -> None:
    """Write Parquet or NDJSON, compressed with Zstandard."""
    frame = pd.DataFrame(samples)
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("frame", frame)
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(f"copy frame to '{path}' ({options}, compression zstd)")


def main(folder: Path) -> None:
    """Write every sample file into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    write_gzip(folder / "alpenrose-gva.csv.gz", csv_text(alpenrose_geneva()))
    zurich = rows("ZRH", ALPENROSE, polls("09-30 23:55", "11-01 00:05"), pd.Timestamp)
    write_by_duckdb(folder / "alpenrose-zrh.parquet", zurich, "format parquet")
    write_by_duckdb(folder / "harbour.ndjson.zst", harbour(), "format json")
    kumo = captures("DUB", KUMO, polls("10-12 09:00", "11-01 00:05"))
    write_gzip(folder / "kumo.capture.ndjson.gz", "".join(json.dumps(capture) + "\n" for capture in kumo))
    write_gzip(folder / "nordlys.csv.gz", csv_text(nordlys()))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "samples")
