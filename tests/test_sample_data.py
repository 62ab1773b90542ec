"""The sample month: its bill, worked out by hand, is what the program computes; its files are what its story says."""

import csv
import gzip
import importlib.util
import io
import json
import os
import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import duckdb
import pytest

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "sample_data"
EXPECTED = SAMPLE / "expected"
AS_OF = "2026-11-02T00:00:00Z"
MOST_BYTES = 2_000_000


def metering(*arguments, cwd=ROOT):
    """Run the command as a user does, with no settings and no store but those named."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("METERING_")}
    command = [sys.executable, "-m", "metering", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, encoding="utf-8", check=False)


def module(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = loaded
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture(scope="module")
def expected():
    return json.loads((EXPECTED / "bill.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tmp_path_factory.mktemp("sample") / "sample.duckdb"


@pytest.fixture(scope="module")
def ingested(store):
    """What the first ingest of the sample month said; its store serves all tests."""
    done = metering("ingest", "sample_data", "--store", str(store), "--format", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def computed(store, ingested):
    assert ingested["ingest_seq"] == 1
    done = metering("bill", "2026-10", "--as-of", AS_OF, "--store", str(store), "--format", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def without(rows, *names):
    return [{name: value for name, value in row.items() if name not in names} for row in rows]


@pytest.mark.parametrize("part", ["period", "usage", "episodes", "statements"])
def test_the_bill_is_the_one_worked_out_by_hand(expected, computed, part):
    assert computed[part] == expected[part]


def test_the_charge_lines_are_the_ones_worked_out_by_hand(expected, computed):
    assert without(computed["lines"], "charge_id") == expected["lines"]
    names = [line["charge_id"] for line in computed["lines"]]
    assert all(re.fullmatch(r"2026-10-\d\d-[0-9a-f]{16}", name) for name in names)
    assert len(set(names)) == len(names)


def test_the_findings_are_those_of_the_story(expected, computed):
    assert without(computed["findings"], "message") == expected["findings"]
    assert all(finding["message"] for finding in computed["findings"])


def test_the_main_job_bills_october_of_its_own_accord_and_keeps_nothing(tmp_path, expected):
    done = metering("run", str(SAMPLE), "--format", "json", "--store", ":memory:", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "billing 2026-10" in done.stderr
    assert json.loads(done.stdout)["statements"] == expected["statements"]
    assert not list(tmp_path.iterdir())


def test_as_csv_the_lines_of_each_statement_add_up_to_what_is_due(store, ingested, expected):
    assert ingested["tables"]["prices"]["accepted"] == 12
    done = metering("bill", "2026-10", "--store", str(store), "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    for statement in expected["statements"]:
        own = [row for row in rows if row["account"] == statement["account"]]
        lines, (total,) = own[:-1], own[-1:]
        assert total["kind"] == f"total ({statement['state']})"
        assert (
            sum(Fraction(row["amount"] or 0) for row in lines) == Fraction(statement["burst_amount"]) == Fraction(total["amount"])
        )
        assert total["shown_amount"] == (statement["amount_due"] or "")
        if statement["amount_due"]:
            assert sum(Fraction(row["shown_amount"]) for row in lines) == Fraction(statement["amount_due"])


def test_what_is_subscribed_in_a_month_is_not_called_entitled_for_that_counts_observed_time_only(store, ingested):
    assert ingested["tables"]["subscriptions"]["accepted"] == 11
    period = ("--period", "2026-10", "--by", "account,location", "--store", str(store), "--format", "json")
    subscribed = json.loads(metering("report", "subscriptions", *period).stdout)
    usage = json.loads(metering("report", "usage", *period).stdout)
    (london,) = [row for row in subscribed if row["location"] == "LON"]
    assert london["subscribed_byte_seconds"] == str(2_500 * 2**30 * 31 * 86_400)
    (observed,) = [row for row in usage if row["location"] == "LON"]
    assert observed["entitled_byte_seconds"] == str(2_500 * 2**30 * (31 * 86_400 - 13_500))


@pytest.mark.parametrize("width", ["80", "120"])
def test_the_table_fits_the_terminal(store, ingested, width, monkeypatch):
    assert ingested["tables"]["accounts"]["accepted"] == 4
    monkeypatch.setenv("COLUMNS", width)
    done = metering("bill", "2026-10", "--store", str(store), "--format", "table")
    assert max(map(len, done.stdout.splitlines())) <= int(width)
    for figure in ("69.84", "21.77", "755", "901.3426", "2,253.3333", "99.63 %"):
        assert figure in done.stdout
    # GVA of Alpenrose: 800 × (2 678 400 − 9 900) + 400 × 150 + 600 × (345 600 − 9 900) GiB-seconds
    assert ("2508561548574720000" in done.stdout) == (width == "120")


def test_the_hand_worked_bill_is_what_its_arithmetic_gives(expected):
    worked = module(EXPECTED / "worked.py")
    worked.sums_agree()
    assert expected == worked.BILL


def test_the_hand_worked_bill_knows_nothing_of_the_program():
    text = (EXPECTED / "worked.py").read_text(encoding="utf-8")
    assert set(re.findall(r"^(?:import|from) (\S+)", text, re.MULTILINE)) == {"json", "fractions", "pathlib"}
    assert "samples" not in text.replace("reads the samples", "")


def test_every_amount_is_explained_in_words(expected):
    text = (EXPECTED / "WORKED.md").read_text(encoding="utf-8")
    figures = {Fraction(figure) for figure in re.findall(r"\d+(?:\.\d+)?", text)}
    for part in ("lines", "episodes"):
        for row in expected[part]:
            if row["amount"] is not None:
                assert Fraction(row["amount"]) in figures, row
    for row in expected["statements"]:
        assert row["amount_due"] is None or f"{row['currency']} {row['amount_due']}.**" in text, row


def rows_of(path):
    """Read a sample file's rows whatever its format: archives may differ in bytes between versions of their libraries."""
    if path.name.endswith(".csv.gz"):
        return list(csv.reader(io.StringIO(gzip.decompress(path.read_bytes()).decode())))
    if path.name.endswith(".ndjson.gz"):
        return gzip.decompress(path.read_bytes()).decode()
    reader = "read_parquet" if path.suffix == ".parquet" else "read_json_objects"
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        columns = "* replace (cast(poll_time as varchar) as poll_time)" if path.suffix == ".parquet" else "*"
        return connection.execute(f"select {columns} from {reader}(?)", [str(path)]).fetchall()


def test_the_story_gives_the_committed_files_the_same_bytes_every_time(tmp_path):
    make = module(SAMPLE / "make.py")
    for folder in (tmp_path / "once", tmp_path / "again"):
        make.main(folder)
    committed = sorted(path.name for path in (SAMPLE / "samples").iterdir())
    assert committed == sorted(path.name for path in (tmp_path / "once").iterdir())
    for name in committed:
        once = tmp_path / "once" / name
        assert once.read_bytes() == (tmp_path / "again" / name).read_bytes(), name
        assert rows_of(once) == rows_of(SAMPLE / "samples" / name), name


def test_the_month_is_dense_and_small():
    kept = [path for path in SAMPLE.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert sum(path.stat().st_size for path in kept) < MOST_BYTES


def test_ingesting_it_again_adds_nothing(store, ingested):
    assert ingested["tables"]["samples"]["accepted"] > 0
    done = metering("ingest", "sample_data", "--store", str(store), "--format", "json")
    again = json.loads(done.stdout)
    assert again["ingest_seq"] is None
    assert again["tables"]["samples"]["accepted"] == 0
    assert again["tables"]["polls"]["rejected"] == 1
    assert again["notes"] == []


def test_what_ingest_says_of_the_sample_month(ingested):
    tables = ingested["tables"]
    assert {name: row["ignored"] for name, row in tables.items() if row["ignored"]} == {
        "samples": 2 * 288,  # two snapshots that others own, in every poll of 25 October
        "subscriptions": 1,  # a subscription of ssd
        "prices": 1,
    }
    assert {name: row["duplicate"] for name, row in tables.items() if row["duplicate"]} == {"samples": 1, "subscriptions": 1}
    assert {name: row["rejected"] for name, row in tables.items() if row["rejected"]} == {"polls": 1, "samples": 1}
    assert not any(row["conflicting"] for row in tables.values())


def test_the_rejected_row_is_where_the_message_says(ingested):
    (rejection,) = ingested["rejections"]
    line = gzip.decompress((ROOT / rejection["file"]).read_bytes()).decode().splitlines()[rejection["line"] - 1]
    assert line.startswith("2026-10-27T12:02:30Z")
    assert rejection["value"] == "n/a"
    assert ",n/a," in line


def test_the_providers_ledger_is_made_the_same_every_time(tmp_path):
    make = module(SAMPLE / "ledger.py")
    make.main(tmp_path)
    (made,) = tmp_path.iterdir()
    assert gzip.decompress(made.read_bytes()) == gzip.decompress((SAMPLE / "provider" / made.name).read_bytes())
