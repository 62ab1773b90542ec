"""A file says what is written in it: the folders that it lies in, whatever they are called, say nothing (ACCOUNTING §9.1)."""

import shutil
import tempfile

import pytest
from hour_facts import HOUR, MULTIPLIER, at, counts, csv_bytes, ingested, ndjson_bytes, price, sample, write_parquet
from test_captures import capture, listed
from test_captures import written as captured

import metering
from metering.ingest import folds
from metering.model.errors import InputError

TIMED = {"poll_time": "timestamptz", "allocated_size": "bigint"}
# Folders as tools that cut tables into partitions call them: of columns that samples have, that we add, and that none has.
FOLDERS = [
    "location=GVA", "account=b", "snapshot=t", "allocated_size=7", "poll_time=2026-01-01T00:00:00Z", "endpoint=GVA", "drive=d",
    "file_row_number=7", "row_number=7", "file_index=1", "line=x", "c1=GVA", "poll_s=5", "problem=line.json", "day=2026-10-05",
]  # fmt: skip
ROWS = [sample(at(minute), 1000) for minute in (0, 5, 10)]
# One snapshot of 1000 bytes, listed at 00:00, 00:05 and 00:10: measured up to 00:15.
USAGE = [("a1", "ZRH", 900_000, 1000)]


def usage_of(*places):
    with metering.open(":memory:") as meter:
        meter.ingest(list(places))
        rows = meter.bill(f"{HOUR[:20]}..{at(15)}").usage
    return [(row.account, row.location, row.occupied_byte_seconds, row.peak_occupied_bytes) for row in rows]


def written(folder, ending):
    folder.mkdir(parents=True)
    if ending == "parquet":
        write_parquet(folder / "samples.parquet", ROWS, **TIMED)
    elif ending == "csv":
        (folder / "samples.csv").write_bytes(csv_bytes(ROWS))
    elif ending == "csv, its header the names that DuckDB is given":
        # Columns are c0, c1 and so on while a file is read: c1 is its account.
        (folder / "samples.csv").write_bytes(csv_bytes([{"c1": "x", **row, "c0": "y"} for row in ROWS]))
    else:
        (folder / "samples.ndjson").write_bytes(ndjson_bytes(ROWS))
    return folder


@pytest.mark.parametrize("ending", ["parquet", "csv", "csv, its header the names that DuckDB is given", "ndjson"])
@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_called_like_a_partition_changes_nothing_of_what_its_files_say(tmp_path, folder, ending):
    facts = written(tmp_path / folder.replace(":", "%3A") / "facts", ending)
    assert usage_of(facts) == USAGE
    assert usage_of(facts / next(facts.iterdir()).name) == USAGE


@pytest.mark.parametrize("folder", FOLDERS)
def test_nor_do_the_folders_of_a_table(tmp_path, folder):
    for part, row in enumerate(ROWS):
        place = tmp_path / "samples" / folder / f"part={part}"
        place.mkdir(parents=True)
        write_parquet(place / "x.parquet", [row], **TIMED)
    assert usage_of(tmp_path) == USAGE


def test_a_column_that_only_the_folders_name_is_missing(tmp_path):
    place = tmp_path / "samples" / "location=ZRH"
    place.mkdir(parents=True)
    write_parquet(place / "x.parquet", [{name: value for name, value in ROWS[0].items() if name != "location"}])
    with pytest.raises(InputError, match=r"x\.parquet has no column 'location', which samples need"):
        ingested(tmp_path)


@pytest.mark.parametrize("folder", ["location=GVA", "account=b", "allocated_size=7", "drive=d"])
@pytest.mark.parametrize("files", [1, 2])
def test_large_files_are_folded_by_what_they_say(tmp_path, monkeypatch, folder, files):
    monkeypatch.setattr(folds, "FOLDED_FROM_ROWS", 1)
    for part, rows in enumerate([ROWS] if files == 1 else [ROWS[:1], ROWS[1:]]):
        place = tmp_path / "samples" / folder / f"part={part}"
        place.mkdir(parents=True)
        write_parquet(place / "x.parquet", rows, **TIMED)
    assert usage_of(tmp_path) == USAGE


@pytest.mark.parametrize("folder", ["line=7", "account=b", "uuid=t"])
def test_a_capture_lists_what_it_says_wherever_it_lies(tmp_path, folder):
    (tmp_path / folder).mkdir()
    captures = [capture(listed(size=1000), minute=minute) for minute in (0, 5, 10)]
    assert usage_of(captured(tmp_path / folder, *captures)) == USAGE


@pytest.mark.parametrize("folder", ["account=b", "poll_s=5", "row_number=9", "problem=x"])
def test_where_text_is_parsed_to_says_nothing_either(tmp_path, monkeypatch, folder):
    (tmp_path / folder).mkdir()
    facts = written(tmp_path / "facts", "csv")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / folder))
    assert usage_of(facts) == USAGE


def test_a_small_table_says_what_it_says(tmp_path):
    facts = written(tmp_path / "currency=USD" / "facts", "parquet")
    write_parquet(facts / "accounts.parquet", [{"account": "a1", "currency": "CHF"}])
    write_parquet(facts / "prices.parquet", [price(amount="1")])
    (facts / "subscriptions" / "account=b").mkdir(parents=True)
    subscription = {
        "id": "1",
        "account": "a1",
        "location": "ZRH",
        "amount": 400,
        "start_time": "2026-10-01",
        "end_time": "2027-01-01",
    }
    write_parquet(facts / "subscriptions" / "account=b" / "x.parquet", [subscription])
    with metering.open(":memory:") as meter:
        assert counts(meter.ingest(facts), "subscriptions") == (1, 0, 0, 0, 0)
        bill = meter.bill(f"{HOUR[:20]}..{at(15)}")
    # 600 bytes above the 400, for 900 seconds, at 1 CHF per GB and month.
    assert [(line.account, line.currency, line.burst_byte_seconds, line.multiplier) for line in bill.lines] == [
        ("a1", "CHF", 540_000, MULTIPLIER)
    ]


def test_the_same_files_in_other_folders_are_the_same_facts(tmp_path):
    first = written(tmp_path / "account=b" / "facts", "parquet")
    shutil.copytree(first, tmp_path / "location=GVA" / "again")
    with metering.open(":memory:") as meter:
        assert counts(meter.ingest(first)) == (3, 0, 0, 0, 0)
        assert counts(meter.ingest(tmp_path / "location=GVA" / "again")) == (0, 3, 0, 0, 0)
