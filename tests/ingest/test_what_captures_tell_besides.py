"""What a capture tells beside its samples: the provider's clock, the size of a drive; and which file brought a poll."""

import json

import pytest

import metering


def capture(poll_time, *, date=None, drive_size=None, snapshot="s1"):
    listed = {
        "uuid": snapshot, "name": "n", "status": "available", "allocated_size": 5, "location": "ZRH", "drive": {"uuid": "d1"},
        "owner": {"uuid": "A"}, "drive_meta": {} if drive_size is None else {"size": drive_size},
    }  # fmt: skip
    line = {"poll_time": poll_time, "endpoint": "ZRH", "account": "A", "response": {"meta": {}, "objects": [listed]}}
    return json.dumps(line | ({} if date is None else {"date": date}))


@pytest.fixture
def stored(tmp_path):
    def ingest(**files):
        paths = []
        for name, lines in files.items():
            paths.append(tmp_path / f"{name}.capture.ndjson")
            paths[-1].write_text("\n".join(lines) + "\n")
        meter = metering.open(str(tmp_path / "store.duckdb"))
        meter.ingest(paths)
        return meter

    return ingest


def rows(meter, sql):
    with meter._store.reading() as engine:
        return engine.sql(sql)


@pytest.mark.parametrize("date", ["Thu, 01 Oct 2026 00:00:03 GMT", "2026-10-01T00:00:03Z"])
def test_the_providers_clock_is_kept_where_a_capture_has_it(stored, date):
    meter = stored(a=[capture("2026-10-01T00:00:00Z", date=date), capture("2026-10-01T00:05:00Z", date="soon")])
    found = rows(meter, "select p.poll_s, a.answered_s from polls as p join poll_answers as a on p.poll_key = a.poll_key")
    assert found == [(1790812800, 1790812803)]


def test_each_size_of_a_drive_is_kept_once_with_the_poll_that_told_it_first(stored):
    sizes = [("00:00", 100), ("00:05", 100), ("00:10", 200)]
    meter = stored(a=[capture(f"2026-10-01T{time}:00Z", drive_size=size) for time, size in sizes])
    stored(b=[capture("2026-10-01T00:15:00Z", drive_size=200)])
    found = rows(meter, "select drive, size_bytes, first_poll_s, ingest_seq from drive_sizes order by size_bytes")
    assert found == [("d1", 100, 1790812800, 1), ("d1", 200, 1790813400, 1)]


@pytest.mark.parametrize("size", ["-1", "many", 1.5e300, None, True])
def test_a_drive_size_that_is_none_is_not_kept_and_rejects_nothing(stored, size):
    meter = stored(a=[capture("2026-10-01T00:00:00Z", drive_size=size)])
    assert rows(meter, "select count(*) from samples") == [(1,)]
    assert rows(meter, "select count(*) from drive_sizes") == [(0,)]


def test_a_poll_names_the_file_that_brought_it(stored):
    meter = stored(a=[capture("2026-10-01T00:00:00Z")], b=[capture("2026-10-01T00:05:00Z")])
    found = rows(
        meter,
        "select p.poll_s, f.file from polls as p join ingest_files as f "
        "on p.ingest_seq = f.ingest_seq and p.file_number = f.file_number order by p.poll_s",
    )
    assert [(poll_s, file.rpartition("/")[2]) for poll_s, file in found] == [
        (1790812800, "a.capture.ndjson"), (1790813100, "b.capture.ndjson"),
    ]  # fmt: skip
