"""Every report by every breakdown: the parts add up to the whole, and to the bill."""

import csv
import io
import json
import re
from fractions import Fraction
from itertools import combinations

import duckdb
import pytest
from hour_facts import HOUR, an_hour, literal, sample, write_facts

import metering
from metering import durable
from metering.model.errors import InputError, MisuseError
from metering.reporting.files import csv_text, ndjson_text, spreadsheet_text, write_table
from metering.reporting.reports import BY

QUANTITIES = ("occupied_byte_seconds", "entitled_byte_seconds", "burst_byte_seconds", "unused_byte_seconds")
SECONDS = ("measured_seconds", "held_seconds", "partial_seconds", "missing_seconds")
TWO_HOURS = "2026-10-04T23:30:00Z..2026-10-05T01:30:00Z"


@pytest.fixture(scope="module")
def meter(tmp_path_factory):
    folder = tmp_path_factory.mktemp("facts")
    facts = an_hour()
    facts["samples"] += [
        sample(f"2026-10-04T{minute}:00Z", 40 * 2**30, "snap-0", "00123", "ZRH", endpoint="ZRH", drive="drive-0")
        for minute in ("23:50", "23:55")
    ]
    with metering.open(str(folder / "store.duckdb")) as opened:
        opened.ingest(write_facts(folder / "facts", facts))
        yield opened


@pytest.fixture(scope="module")
def bill(meter):
    return meter.bill(TWO_HOURS)


def breakdowns(report):
    alone = {"episode", "interval", "line"}
    names = [name for name in BY[report] if name not in alone]
    found = [by for size in range(1, len(names) + 1) for by in combinations(names, size) if not {"day", "hour"} <= set(by)]
    return [",".join(by) for by in found] + sorted(alone & set(BY[report]))


def rows(meter, report, by=None):
    return meter.report_table(report, TWO_HOURS, by=by).documents()


def added(found, name):
    return sum(int(row[name]) for row in found)


@pytest.mark.parametrize("by", breakdowns("usage"))
def test_usage_by_anything_adds_up_to_the_bill(meter, bill, by):
    found = rows(meter, "usage", by)
    for name in (*QUANTITIES, *SECONDS):
        assert added(found, name) == sum(getattr(row, name) for row in bill.usage), name
    peaks = [int(row["peak_occupied_bytes"]) for row in found]
    assert max(peaks) >= max(row.peak_occupied_bytes for row in bill.usage)
    keys = [tuple(row[name] for name in by.split(",")) for row in found]
    assert keys == sorted(set(keys))


def test_a_peak_of_several_is_what_they_occupied_at_one_instant(meter, bill):
    (whole,) = {row["peak_occupied_bytes"] for row in rows(meter, "usage", "account") if row["account"] == "b"}
    own = [row.peak_occupied_bytes for row in bill.usage if row.account == "b"]
    assert int(whole) == sum(own), "both were there at once"


@pytest.mark.parametrize("by", breakdowns("burst"))
def test_burst_by_anything_adds_up_to_the_lines_of_the_bill(meter, bill, by):
    found = rows(meter, "burst", by)
    assert added(found, "burst_byte_seconds") == sum(line.burst_byte_seconds for line in bill.lines)
    for currency in ("CHF", "JPY"):
        amounts = sum(Fraction(row["amount"]) for row in found if row["currency"] == currency)
        lines = sum(Fraction(line.amount) for line in bill.lines if line.currency == currency)
        if by == "episode":
            # Rounded once each: apart from the lines by less than half a unit of the 20th decimal for every one of both.
            assert abs(amounts - lines) <= Fraction(len(found) + len(bill.lines), 10**20)
        else:
            assert amounts == lines


@pytest.mark.parametrize("by", breakdowns("snapshots"))
def test_snapshots_by_anything_add_up_to_occupied(meter, bill, by):
    assert added(rows(meter, "snapshots", by), "occupied_byte_seconds") == sum(row.occupied_byte_seconds for row in bill.usage)


@pytest.mark.parametrize("by", breakdowns("coverage"))
def test_coverage_by_anything_adds_up_to_the_seconds_of_the_bill(meter, bill, by):
    found = rows(meter, "coverage", by)
    if by == "interval":
        for state in ("held", "missing"):
            seconds = sum(row["interval_seconds"] for row in found if row["state"] == state)
            assert seconds == sum(getattr(row, f"{state}_seconds") for row in bill.usage)
    else:
        for name in SECONDS:
            assert added(found, name) == sum(getattr(row, name) for row in bill.usage)


@pytest.mark.parametrize("by", [None, *breakdowns("subscriptions")])
def test_subscriptions_add_up_whatever_they_are_summed_by(meter, by):
    name = next(name for name in rows(meter, "subscriptions")[0] if name.endswith("_byte_seconds"))
    assert added(rows(meter, "subscriptions", by), name) == added(rows(meter, "subscriptions"), name) > 0


def test_the_shown_lines_of_a_statement_add_up_to_what_is_due(meter, bill):
    found = rows(meter, "statement")
    for due in bill.statements:
        lines = [row for row in found if row["account"] == due.account and row["kind"] == "burst"]
        (total,) = [row for row in found if row["account"] == due.account and row["kind"].startswith("total")]
        assert sum(Fraction(row["shown_amount"]) for row in lines) == Fraction(total["shown_amount"]) == Fraction(due.amount_due)
        assert sum(Fraction(row["amount"]) for row in lines) == Fraction(total["amount"]) == Fraction(due.burst_amount)


@pytest.mark.parametrize("report", BY)
def test_one_account_is_its_own_share_of_every_report(meter, report):
    whole = [row for row in meter.report_table(report, TWO_HOURS).documents() if row.get("account") == "b"]
    assert meter.report_table(report, TWO_HOURS, account="b").documents() == whole


@pytest.mark.parametrize(
    ("report", "by"),
    [("usage", "snapshot"), ("usage", "day,hour"), ("burst", "episode,day"), ("statement", "account"), ("usage", "Account"),
     ("subscriptions", "day"), ("coverage", "interval,account"), ("nothing", None)],
)  # fmt: skip
def test_a_breakdown_that_makes_no_sense_is_misuse(meter, report, by):
    with pytest.raises(MisuseError):
        meter.report_table(report, TWO_HOURS, by=by)


@pytest.mark.parametrize("report", BY)
def test_every_format_holds_the_same_figures_to_the_last_digit(tmp_path, meter, report):
    table = meter.report_table(report, TWO_HOURS)
    documents = table.documents()
    assert [json.loads(line) for line in ndjson_text(table).splitlines()] == documents
    write_table(table, tmp_path / "out.parquet")
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    texts = ", ".join(
        f"strftime(cast(\"{c.name}\" as timestamp), '{'%Y-%m-%dT%H:%M:%SZ' if c.kind == 'instant' else '%Y-%m-%d'}')"
        if c.kind in ("instant", "date")
        else f'cast("{c.name}" as varchar)'
        for c in table.columns
    )
    parquet = connection.execute(f"select {texts} from {literal(tmp_path / 'out.parquet')}").fetchall()
    sheet = list(csv.DictReader(io.StringIO(csv_text(table), newline="")))
    assert len(parquet) == len(sheet) == len(documents)
    for document, in_parquet, in_csv in zip(documents, parquet, sheet, strict=True):
        for column, stored in zip(table.columns, in_parquet, strict=True):
            said = document[column.name]
            if column.kind == "money":
                assert (stored and Fraction(stored)) == (said and Fraction(said))
            else:
                assert stored == (None if said is None else str(said))
            text = "" if said is None else str(said)
            assert in_csv[column.name] == (spreadsheet_text(text) if column.kind == "text" else text)


def test_frames_hold_no_floats(meter):
    for report in BY:
        frame = meter.report(report, TWO_HOURS)
        assert not [name for name in frame.columns if "float" in str(frame[name].dtype)]
        assert not any(type(value) is float for name in frame if frame[name].dtype == object for value in frame[name])
        assert len(frame) == len(meter.report_table(report, TWO_HOURS).rows)


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        " =1",
        "\u00a0=1",
        "\n=1",
        "\u200b=1",
        "  +x",
        "\ufeff-x",
        "\v=1",
        "\u3000=1",
        "\u202e=1",
        "\uff1d1+1",
        "\x00@x",
    ],
)
def test_text_that_a_spreadsheet_would_run_is_made_text(text):
    assert spreadsheet_text(text) == "'" + text


@pytest.mark.parametrize("text", ["", "a=1", "nightly", "0a1b", "2026-10-01", "Ä", "'=1", "#1"])
def test_text_that_is_no_formula_stays_as_it_is(text):
    assert spreadsheet_text(text) == text


def test_figures_stand_in_a_sheet_as_plain_decimals_with_a_figure_for_the_eye_beside_them(meter):
    text = csv_text(meter.report_table("usage", HOUR))
    assert "13835058055282163712000,4971026.9630" in text
    for row in csv.DictReader(io.StringIO(csv_text(meter.report_table("burst", TWO_HOURS)), newline="")):
        assert all(
            re.fullmatch(r"[0-9]+([.][0-9]+)?", row[name])
            for name in row
            if name.endswith(("bytes", "seconds", "gib", "months", "amount"))
        )


def test_a_file_is_exported_whole_or_stays_as_it_was(tmp_path, meter, monkeypatch):
    for ending in ("csv", "ndjson", "parquet"):
        place = tmp_path / f"usage.{ending}"
        place.write_text("what was there before")
        with monkeypatch.context() as patch:
            patch.setattr(durable.os, "fsync", lambda _descriptor: (_ for _ in ()).throw(OSError(28, "No space left on device")))
            with pytest.raises(InputError, match=r"cannot be written \(No space left on device\): it stays as it was"):
                meter.export("usage", place, period=HOUR)
        assert place.read_text() == "what was there before"
        assert meter.export("usage", place, period=HOUR) == {str(place): 3}
        assert place.read_bytes() != b"what was there before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["usage.csv", "usage.ndjson", "usage.parquet"]


def test_an_export_names_what_is_wrong_with_its_place(tmp_path, meter):
    with pytest.raises(MisuseError, match="tells no format: end it in"):
        meter.export("usage", tmp_path / "usage.xls", period=HOUR)
    with pytest.raises(InputError, match="cannot be written"):
        meter.export("usage", tmp_path / "no" / "usage.csv", period=HOUR)
    with pytest.raises(MisuseError):
        meter.export("nothing", tmp_path / "usage.csv", period=HOUR)
    with pytest.raises(MisuseError):
        meter.export("usage", tmp_path / "usage.csv")
