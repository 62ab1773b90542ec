"""The books at the command line: what a dry run shows is what is frozen, and each kind of defect is named and ends with 1."""

import csv
import io
import json
import shutil
from pathlib import Path

import duckdb
import openpyxl
import pytest
from closed_world import day_meter
from small_world import GIB, polls
from test_sessions import here, run  # noqa: F401 -- a fixture
from typer.testing import CliRunner

from metering.cli.app import app

DAY, NEXT = "2026-10-01", "2026-10-02"


@pytest.fixture
def store(here):  # noqa: F811 -- the fixture
    meter = day_meter(here)
    meter.release()
    return Path(meter.settings.store)


def books(command, *words, store):
    return run(command, *words, "--store", store)


@pytest.mark.parametrize("form", ["json", "csv", "table"])
def test_a_dry_run_prints_byte_for_byte_what_is_then_frozen_and_writes_nothing(store, form):
    before = store.read_bytes()
    code, would_be, said = books("close", DAY, "--by", "ann", "--dry-run", "--format", form, store=store)
    assert (code, said) == (0, "nothing was written: this is what would be frozen\n")
    assert store.read_bytes() == before
    code, frozen, said = books("close", DAY, "--by", "ann", "--format", form, store=store)
    assert (code, frozen) == (0, would_be)
    assert "keep its hash elsewhere too" in said
    assert books("bill", DAY, "--format", form, store=store)[1] == frozen
    code, again, said = books("close", DAY, "--by", "bob", "--format", form, store=store)
    assert (code, again) == (0, frozen)
    assert "by ann" in said
    assert "already; nothing was written" in said


def change(store, sql):
    with duckdb.connect(str(store)) as connection:
        connection.execute(sql)


DEFECTS = {
    "a changed fact": ("update prices set price = '0.31'", "facts", "prices of ingest 1: some of its 1 rows were changed"),
    "a fact that is gone": ("delete from accounts", "facts", "accounts of ingest 1: all 1 rows are gone"),
    "a fact put in": ("insert into accounts values ('B', 'CHF', 'B', null, 1)", "facts",
                      "accounts of ingest 1: 2 rows, 1 were sealed"),
    "a changed line": (
        """update closed_statements set document = replace(document, '"burst_seconds":86400', '"burst_seconds":86399')""",
        "statement", "2026-10-01 of A is not what its digest says",
    ),
    "a changed closing": ("update closings set closed_by = 'eve' where closing_seq = 1", "chain",
                          "closing 1 of 2026-10-01 does not hash to what it says"),
    "a missing closing": ("delete from closings where closing_seq = 1", "chain", "closing 1 is missing"),
    "a missing statement": ("delete from closed_statements where closing_seq = 2", "statement",
                            "2026-10-02 of A is computed, but was not frozen or is missing"),
}  # fmt: skip


def test_verify_as_csv_has_its_header_where_nothing_is_closed_too(store):
    code, out, said = books("verify", "--format", "csv", store=store)
    header = "closing,period,known_at_ingest,closed_at,closed_by,reason,statements,differences,hash\n"
    assert (code, out, said) == (0, header, "nothing is closed yet; every fact is as it came\n")


@pytest.mark.parametrize("name", DEFECTS)
def test_verify_names_each_kind_of_defect_and_ends_with_1(store, name):
    sql, what, message = DEFECTS[name]
    for day in (DAY, NEXT):
        assert books("close", day, "--by", "ann", "-q", store=store)[0] == 0
    code, out, said = books("verify", store=store)
    assert (code, json.loads(out)["differences"]) == (0, [])
    assert said == "the books are as they were closed: 2 closings, 2 statements recomputed, and every fact is as it came\n"
    change(store, sql)
    code, out, said = books("verify", "--format", "json", store=store)
    differences = json.loads(out)["differences"]
    assert (code, (what, message) in [(each["what"], each["message"]) for each in differences]) == (1, True), differences
    assert said.endswith("the books are not as they were closed\n")
    code, out, _ = books("verify", "--format", "csv", store=store)
    assert (code, message in [row["message"] for row in csv.DictReader(io.StringIO(out))]) == (1, True)
    code, out, _ = books("verify", "--format", "table", store=store)
    assert (code, message[:30] in out) == (1, True)


def test_a_store_restored_from_an_old_backup_ends_verify_with_1_and_close_too(store, tmp_path):
    assert books("close", DAY, "-q", store=store)[0] == 0
    old = shutil.copy(store, tmp_path / "old.duckdb")
    code, _, said = books("close", NEXT, store=store)
    (kept,) = [word for word in said.split() if len(word) == 64]
    shutil.copy(old, store)
    code, out, said = books("verify", store=store)
    assert (code, [each["what"] for each in json.loads(out)["differences"]]) == (1, ["head"])
    assert "it was restored from an old backup" in said
    code, out, said = books("close", NEXT, store=store)
    assert (code, out) == (1, "")
    assert "it was restored from an old backup" in said
    # Without the file beside it, the hash that was kept elsewhere tells.
    Path(f"{store}.head").unlink()
    assert books("verify", store=store)[0] == 0
    code, _, said = books("verify", "--head", kept, store=store)
    assert (code, f"no closing has the hash {kept}" in said) == (1, True)


# --- files ---


def rows_of(place):
    """Give a file's rows as text, whatever its format; what is empty is left out."""
    if place.suffix == ".csv":
        rows = list(csv.DictReader(place.read_text(encoding="utf-8").splitlines()))
    elif place.suffix == ".ndjson":
        rows = [json.loads(line) for line in place.read_text(encoding="utf-8").splitlines()]
    elif place.suffix == ".json":
        rows = json.loads(place.read_text(encoding="utf-8"))["objects"]
    elif place.suffix == ".parquet":
        cursor = duckdb.connect().execute("from read_parquet($place)", {"place": str(place)})
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    else:
        names, *lines = [[cell.value for cell in row] for row in openpyxl.load_workbook(place).worksheets[0].iter_rows()]
        rows = [dict(zip(names, line, strict=True)) for line in lines]
    return [{key: str(value) for key, value in row.items() if value not in (None, "")} for row in rows]


@pytest.mark.parametrize("ending", ["csv", "ndjson", "parquet", "xlsx"])
def test_the_findings_of_an_audit_are_the_same_in_each_format_of_a_file(here, ending):  # noqa: F811 -- the fixture
    meter = day_meter(here, samples=polls(DAY, "2026-10-01T12:00:00Z", {"s": GIB}))
    meter.release()
    place = here / f"findings.{ending}"
    code, printed, _ = books("audit", "--period", DAY, "--format", "json", store=meter.settings.store)
    assert code == 0
    expected = [(each["check"], each["severity"], each["message"]) for each in json.loads(printed)]
    assert expected
    shown = books("audit", "--period", DAY, "--format", "table", store=meter.settings.store)[1]
    assert "Müller & <Co>, ZRH: " in shown, "who reads it knows names"
    code, out, said = books("audit", "--period", DAY, "--check", "-o", place, store=meter.settings.store)
    assert (code, out, said) == (3, "", f"{place}: {len(expected)} findings\n")
    assert [(row["check"], row["severity"], row["message"]) for row in rows_of(place)] == expected


# Workbooks have totals besides: tests/reporting/test_workbook.py.
TABLES = ("csv", "ndjson", "parquet")
LISTS = ("csv", "ndjson", "json")
EXPORTS = [(name, ending) for name in ("usage", "statement") for ending in TABLES] + [
    (name, ending) for name in ("ledger", "dailyburst", "currentusage") for ending in LISTS
]


@pytest.mark.parametrize(("name", "ending"), EXPORTS)
def test_an_export_says_the_same_in_each_format_of_a_file(store, name, ending):
    code, _, said = books("export", name, "--period", DAY, "-o", store.parent / "one.ndjson", store=store)
    assert (code, "one.ndjson" in said) == (0, True)
    place = store.parent / f"other.{ending}"
    code, out, _ = books("export", name, "--period", DAY, "-o", place, store=store)
    assert (code, out) == (0, "")
    expected, found = rows_of(store.parent / "one.ndjson"), rows_of(place)
    assert len(found) == len(expected) > 0
    for key in ("amount", "burst_byte_seconds", "occupied_byte_seconds", "interval", "account"):
        assert [row.get(key) for row in found] == [row.get(key) for row in expected], key


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("audit", "--period", DAY, "-o", "findings.pdf"), "findings.pdf tells no format"),
        (("export", "ledger", "--period", DAY, "-o", "ledger.xlsx"), "ledger.xlsx"),
        (("explain", "nothing", "-o", "charge.pdf"), "charge.pdf"),
    ],
)
def test_a_file_of_which_no_format_is_known_is_misuse_and_is_not_written(store, words, said):
    code, out, err = books(*words, store=store)
    assert (code, out, said in " ".join(err.replace("│", " ").split())) == (2, "", True), err
    assert not (store.parent / words[-1]).exists()


@pytest.mark.parametrize(
    "sql",
    [
        "update prices set price = 'NaN'",
        "update prices set multiplier = 0",
        "alter table prices alter column price drop not null; update prices set price = null",
        "update closed_statements set document = repeat('[', 100000)",
    ],
)
def test_a_store_that_another_program_changed_is_told_as_that_and_verify_tells_what(store, sql):
    assert books("close", DAY, "--by", "ann", store=store)[0] == 0
    change(store, sql)
    # As it was closed, or as it would be now: one of both reads what was changed.
    said = {books("bill", DAY, *words, store=store)[2] for words in ((), ("--as-of", "2026-10-10"))} - {""}
    told = f"metering: the store {store} was changed by another program: `metering verify` tells what; restore it from a backup\n"
    assert told in said
    code, _, said = books("verify", store=store)
    assert code == 1
    assert "the books are not as they were closed" in said


def test_what_breaks_in_a_store_that_nobody_changed_is_told_as_ours(store, monkeypatch):
    def broken(*_values, **_named):
        raise ZeroDivisionError

    monkeypatch.setattr("metering.bookkeeping.terms_of", broken)
    ended = CliRunner().invoke(app, ["bill", DAY, "--store", str(store)])
    assert isinstance(ended.exception, ZeroDivisionError)


@pytest.mark.parametrize(("width", "first"), [(80, "snapshot  name    GiB-months"), (40, "name    GiB-months")])
def test_what_a_snapshot_is_called_and_occupied_is_read_first(here, monkeypatch, width, first):  # noqa: F811 -- the fixture
    snapshot = "5a9e0000-2026-4a10-8000-000000000011"
    meter = day_meter(here, samples=polls(DAY, "2026-10-01T12:00:00Z", {snapshot: GIB}))
    meter.release()
    monkeypatch.setenv("COLUMNS", str(width))
    words = ("report", "snapshots", "--period", DAY, "--format")
    shown = books(*words, "table", store=meter.settings.store)[1].splitlines()
    assert shown[1].split()[: len(first.split())] == first.split(), shown
    others = [line for line in shown if " · " not in line and not line.startswith("exact figures")]
    assert [line for line in others if len(line) > width] == []
    header = books(*words, "csv", store=meter.settings.store)[1].splitlines()[0]
    assert header.startswith("account,location,drive,snapshot,name,status,first_poll,"), "what programs read is as it was"


def test_people_are_shown_accounts_by_name_and_programs_by_identifier(here):  # noqa: F811 -- the fixture
    meter = day_meter(here, samples=polls(DAY, "2026-10-01T12:00:00Z", {"s": GIB}))
    (account,) = {row.account for row in meter.bill(DAY).usage}
    meter.release()
    for words in (("report", "coverage"), ("report", "usage", "--by", "account,hour"), ("report", "snapshots", "--by", "account")):
        shown, *others = (
            books(*words, "--period", DAY, "--format", form, store=meter.settings.store)[1] for form in ("table", "json", "csv")
        )
        assert "Müller & <Co>" in shown
        assert account in shown, "it is what --account takes"
        assert all("Müller" not in other and account in other for other in others)
    code, shown, said = books("close", DAY, "--by", "ann", "--dry-run", "--format", "table", store=meter.settings.store)
    assert (code, "1 finding stands against it" in said, "Müller & <Co>" in shown) == (1, True, True), shown
