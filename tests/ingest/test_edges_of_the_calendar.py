"""Instants are of the years 1 to 9999, the calendar that everything here is written in; no other is taken, of whatever type."""

import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hour_facts import counts, csv_bytes, ingested, ndjson_bytes, sample, write_parquet

import metering
from metering.ingest import folds
from metering.model.period import instant_seconds

# The first and the last second of the calendar, as 719 162 days before 1970 and 2 932 897 days behind it.
FIRST_S, END_S = -719_162 * 86_400, 2_932_897 * 86_400
EDGES = {"0001-01-01T00:00:00Z": FIRST_S, "0001-01-01T23:59:00+23:59": FIRST_S, "9999-12-31T23:59:59.999Z": END_S - 1}
BEYOND = ["0000-12-31T23:59:59Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:00", "0000-01-01"]
INT64 = 2**63
US = 10**6


@pytest.mark.parametrize(("text", "seconds"), EDGES.items())
def test_python_knows_the_same_calendar(text, seconds):
    assert instant_seconds(text) == seconds


@pytest.mark.parametrize("text", BEYOND)
def test_python_refuses_what_is_beyond_it(text):
    with pytest.raises(ValueError, match="is no date of the calendar"):
        instant_seconds(text)


@pytest.mark.parametrize("ending", ["csv", "ndjson", "parquet"])
def test_text_of_an_instant_beyond_the_calendar_is_no_date(tmp_path, ending):
    rows = [sample(text, 7, account=f"a{number}") for number, text in enumerate([*EDGES, *BEYOND])]
    place = tmp_path / f"samples.{ending}"
    if ending == "parquet":
        write_parquet(place, rows)
    else:
        place.write_bytes(csv_bytes(rows) if ending == "csv" else ndjson_bytes(rows))
    outcome = ingested(place)
    assert counts(outcome) == (3, 0, 0, 4, 0)
    assert [(r.field, r.value, r.reason) for r in outcome.rejections] == [
        ("poll_time", text, "is no date of the calendar") for text in BEYOND
    ]


def timed(place, unit, times, account=None):
    """Write polls at times in whole `unit`s since 1970, each of an account of its own."""
    count = len(times)
    columns = {
        "poll_time": pa.array(times, pa.timestamp(unit, tz="UTC")), "location": ["ZRH"] * count, "snapshot": ["s1"] * count,
        "account": [account or f"a{number}" for number in range(count)], "allocated_size": pa.array([7] * count, pa.int64()),
    }  # fmt: skip
    place.parent.mkdir(exist_ok=True)
    pq.write_table(pa.table(columns), place)
    return place


def known(meter):
    with meter._store.reading() as engine:
        return [second for (second,) in engine.sql("select poll_s from polls order by poll_s")]


@pytest.mark.parametrize("folded_from", [1, 2**62], ids=["folded", "row by row"])
@pytest.mark.parametrize(
    ("unit", "inside", "outside"),
    [
        ("us", [FIRST_S * US, END_S * US - 1], [FIRST_S * US - 1, END_S * US, 316_516_000_000 * US, -92_200_000_000 * US, -INT64]),
        ("ms", [FIRST_S * 1000, END_S * 1000 - 1], [FIRST_S * 1000 - 1, END_S * 1000]),
        # Nanoseconds that fit into 64 bits are of the years 1677 to 2262.
        ("ns", [-INT64 + 2, INT64 - 2], []),
    ],
    ids=["microseconds", "milliseconds", "nanoseconds"],
)
def test_a_timestamp_beyond_the_calendar_rejects_its_row_and_no_other(tmp_path, monkeypatch, folded_from, unit, inside, outside):
    monkeypatch.setattr(folds, "FOLDED_FROM_ROWS", folded_from)
    per_second = {"us": US, "ms": 1000, "ns": 10**9}[unit]
    place = timed(tmp_path / "samples.parquet", unit, [*inside, 0, *outside])
    with metering.open(":memory:") as meter:
        outcome = meter.ingest(place)
        assert known(meter) == [inside[0] // per_second, 0, inside[1] // per_second]
    assert counts(outcome) == (3, 0, 0, len(outside), 0)
    assert [(r.line, r.field, r.value, r.reason) for r in outcome.rejections] == [
        (4 + number, "poll_time", f"{at // per_second} s since 1970", "is no date of the calendar")
        for number, at in enumerate(outside)
    ]


@pytest.mark.parametrize("folded_from", [1, 2**62], ids=["folded", "row by row"])
def test_one_block_may_hold_the_first_second_and_what_is_before_it(tmp_path, monkeypatch, folded_from):
    monkeypatch.setattr(folds, "FOLDED_FROM_ROWS", folded_from)
    place = timed(tmp_path / "samples.parquet", "us", [(FIRST_S - 300) * US, FIRST_S * US, (FIRST_S + 300) * US], "a1")
    with metering.open(":memory:") as meter:
        assert counts(meter.ingest(place)) == (2, 0, 0, 1, 0)
        assert known(meter) == [FIRST_S, FIRST_S + 300]


@pytest.mark.parametrize("folded_from", [1, 2**62], ids=["folded", "row by row"])
def test_a_file_whose_times_are_all_missing_is_rejected_row_by_row(tmp_path, monkeypatch, folded_from):
    monkeypatch.setattr(folds, "FOLDED_FROM_ROWS", folded_from)
    timed(tmp_path / "samples" / "1.parquet", "us", [0, 300 * US, 600 * US])
    timed(tmp_path / "samples" / "2.parquet", "us", [None, None, None])
    outcome = ingested(tmp_path)
    assert counts(outcome) == (3, 0, 0, 3, 0)
    assert [(r.line, r.field, r.reason) for r in outcome.rejections] == [(n, "poll_time", "is missing") for n in (1, 2, 3)]


@pytest.fixture(scope="module")
def edges(tmp_path_factory):
    """A store of one snapshot, listed at the edges of the calendar and once between."""
    place = tmp_path_factory.mktemp("edges")
    rows = [sample(text, 7) for text in (*EDGES, "9999-12-31T23:54:59Z", "2026-10-05T00:00:00Z")]
    (place / "facts").mkdir()
    (place / "facts" / "samples.csv").write_bytes(csv_bytes(rows))
    done("run", place / "facts", "--period", "2026-10-05", "--store", place / "s.duckdb")
    return place


def command(*words):
    return subprocess.run([sys.executable, "-m", "metering", *map(str, words)], capture_output=True, text=True, check=False)


def done(*words):
    ended = command(*words)
    assert ended.returncode == 0, ended.stderr


LATEST = ["--as-of", "9999-12-31T23:59:59Z"]
LAST_DAY, LAST_MONTH = "9999-12-31..9999-12-31T23:59:59Z", "9999-12-01..9999-12-31T23:59:59Z"


@pytest.mark.parametrize(
    "words",
    [
        ["run", "{}/facts", "--period", "2026-10"], ["audit", "--period", "2026-10"], ["bill", "2026-10-05"],
        ["bill", LAST_DAY, *LATEST], ["bill", LAST_MONTH, *LATEST], ["bill", "9999-12-30", *LATEST], ["bill", "1970-01", *LATEST],
        ["report", "usage", "--period", LAST_DAY, *LATEST], ["report", "snapshots", "--period", LAST_DAY, *LATEST],
        ["report", "coverage", "--period", LAST_DAY, *LATEST], ["audit", "--period", LAST_DAY, *LATEST],
        ["report", "html", "--period", LAST_DAY, "-o", "{}/last.html", *LATEST],
        ["export", "usage", "--period", LAST_DAY, "-o", "{}/usage.csv", *LATEST],
        ["report", "html", "--period", "2026-10-05", "-o", "{}/page.html"], ["advise", "--period", "2026-10"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_polls_at_the_edges_break_no_command(edges, words):
    done(*(word.format(edges) for word in words), "--store", edges / "s.duckdb")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["audit"], "period '9999-12' ends where the calendar does: end it at 9999-12-31T23:59:59Z at the latest"),
        (["bill", "9999-12-31", *LATEST], "period '9999-12-31' ends where the calendar does: end it at 9999-12-31T23:59:59Z"),
        (["bill", "0001-01"], "period '0001-01' begins before 1970"),
        (["bill", "9999-12-31T00:00:00Z..9999-12-31T23:59:59-00:01"], "is no date of the calendar"),
    ],
    ids=str,
)
def test_what_cannot_be_asked_of_them_is_said_in_one_line(edges, words, reason):
    ended = command(*words, "--store", edges / "s.duckdb")
    assert ended.returncode == 2
    assert reason in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_nothing_is_forecast_beyond_them(edges):
    ended = command("forecast", "--as-of", "9999-12-31T23:59:59Z", "--store", edges / "s.duckdb")
    assert (ended.returncode, ended.stderr.startswith("metering: polls reach to where the calendar ends: ")) == (1, True)


def test_facts_of_before_1970_only_have_a_last_month_that_cannot_be_billed(tmp_path):
    (tmp_path / "samples.csv").write_bytes(csv_bytes([sample("1969-12-31T23:59:58Z", 7)]))
    ended = command("run", tmp_path / "samples.csv", "--store", tmp_path / "s.duckdb")
    assert (ended.returncode, "period '1969-12' begins before 1970" in ended.stderr) == (2, True)


def test_facts_of_the_edges_are_exported_and_the_same_when_they_come_back(edges, tmp_path):
    done("export", "facts", "-o", tmp_path / "out", "--store", edges / "s.duckdb")
    with metering.open(":memory:") as meter:
        meter.ingest(tmp_path / "out")
        assert known(meter) == [FIRST_S, 1791158400, END_S - 301, END_S - 1]


def test_a_period_is_closed_and_verified_beside_them(edges):
    done("close", "2026-10-05", "--reason", "a test", "--store", edges / "s.duckdb")
    done("verify", "--store", edges / "s.duckdb")
