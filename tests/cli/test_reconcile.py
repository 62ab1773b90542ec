"""`metering reconcile` as somebody in finance uses it: the sample month against the ledger that its provider has got wrong."""

import csv
import io
import json
import re
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

import metering
from metering.cli.app import app

SAMPLE = Path(__file__).parents[2] / "sample_data"
ALPENROSE = "0a1be405-5c1a-4e0b-9d3e-6f2a7c4d1b01"
LEDGER = SAMPLE / "provider" / "alpenrose-zrh.ledger.json.gz"
WHOSE = ("--account", ALPENROSE, "--location", "ZRH")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    place = str(tmp_path_factory.mktemp("sample") / "sample.duckdb")
    with metering.open(place) as meter:
        meter.ingest(SAMPLE)
    return place


def run(store, *words, columns=None):
    return CliRunner(env={"COLUMNS": columns}).invoke(app, ["reconcile", "--store", store, "--period", "2026-10", *words])


def test_the_three_mistakes_of_the_sample_months_provider_are_found_to_the_last_digit(store):
    """200 GiB for 300 s at 0.27 are 0.00625; two hours at 0.27 in the place of 0.297 are 24 × 0.000625 too little."""
    done = run(store, "--ledger", str(LEDGER), *WHOSE, "--format", "json")
    assert done.exit_code == 0, done.stderr
    made = json.loads(done.stdout)
    stakes = {}
    for finding in made["findings"]:
        stakes[finding["check"]] = stakes.get(finding["check"], 0) + Decimal(finding["difference"])
    assert stakes == {"duplicate_line": Decimal("0.00625"), "missing_line": Decimal("-0.00625"), "wrong_price": Decimal("-0.015")}
    assert sorted(f["start"] for f in made["findings"] if f["check"] != "wrong_price") == [
        "2026-10-08T10:00:00Z", "2026-10-09T14:00:00Z",
    ]  # fmt: skip
    (total,) = made["totals"]
    assert (Decimal(total["ours"]), Decimal(total["theirs"])) == (Decimal("41.445"), Decimal("41.43"))
    assert total["ours"] == total["billed"]
    assert made["causes"] == []
    assert made["passed_over"] == [{"what": "lines that are none of burst (payments, purchases)", "row_count": 1}]


def test_a_misspelt_location_is_told_as_that_and_not_as_another_account(store):
    done = run(store, "--ledger", str(LEDGER), "--account", ALPENROSE, "--location", "ZHR", "--format", "json")
    assert done.stderr.splitlines()[-1] == (
        "note: ZHR is none of the locations that are known (CWL, DUB, FRA, GVA, LON, ZRH); is it spelled right?"
    )
    (finding,) = json.loads(done.stdout)["findings"]
    assert (finding["check"], finding["location"]) == ("other_location", "ZHR")
    assert "of a location that is not asked for, or has no usage of the account" in finding["message"]
    assert "spelled" not in run(store, "--ledger", str(LEDGER), *WHOSE, "--format", "json").stderr


def test_check_makes_it_a_gate(store, tmp_path):
    assert run(store, "--ledger", str(LEDGER), *WHOSE, "--check").exit_code == 3
    sound = tmp_path / "ours.ndjson"
    with metering.open(store) as meter:
        meter.export("ledger", sound, period="2026-10", account=ALPENROSE)
    done = run(store, "--ledger", str(sound), "--account", ALPENROSE, "--check", "--format", "table")
    assert (done.exit_code, "It agrees" in done.stdout) == (0, True)
    lines = sound.read_text().splitlines(keepends=True)
    sound.write_text("".join(lines[:100] + lines[101:]))
    done = run(store, "--ledger", str(sound), "--account", ALPENROSE, "--check", "-o", str(tmp_path / "page.html"))
    assert (done.exit_code, done.stderr.splitlines()[-1]) == (3, f"{tmp_path}/page.html: 1 finding")


@pytest.mark.parametrize("width", ["80", "120"])
def test_the_tables_fit_the_terminal(store, width):
    done = run(store, "--ledger", str(LEDGER), *WHOSE, "--format", "table", columns=width)
    assert max(map(len, done.stdout.splitlines())) <= int(width)
    for figure in ("41.445", "41.43", "-0.015", "26 findings", "4,007"):
        assert figure in done.stdout
    # 24 lines of one mistake are one row.
    assert re.search(r"2026-10-12 06:00:00 +24 +-0\.015", done.stdout)


def test_as_csv_every_finding_is_a_row(store):
    rows = list(csv.DictReader(io.StringIO(run(store, "--ledger", str(LEDGER), *WHOSE, "--format", "csv").stdout)))
    assert len(rows) == 26
    assert sum(Decimal(row["difference"]) for row in rows) == Decimal("-0.015")
    assert rows[0]["check"] == "duplicate_line"


def test_the_page_needs_nothing_else_and_escapes_what_comes_from_outside(store, tmp_path):
    lines = [json.loads('{"reason": "Burst: 1 GB of <script> for 5 minutes at x", "interval": 300, "resource_amount": "1", '
                        '"amount": "1", "poll_time": "2026-10-05T00:00:00Z"}')]  # fmt: skip
    (tmp_path / "l.json").write_text(json.dumps(lines))
    page = tmp_path / "page.html"
    done = run(store, "--ledger", str(tmp_path / "l.json"), *WHOSE, "-o", str(page))
    assert (done.exit_code, done.stdout) == (0, "")
    text = page.read_text(encoding="utf-8")
    assert f"Alpenrose Käserei AG ({ALPENROSE})" in text, "who reads it knows names"
    assert "does NOT agree" in text
    assert "&lt;script&gt;" in text
    assert "<script" not in text
    assert "://" not in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "takes one of --ledger FILE, --usage FILE, --dailyburst FILE and --live"),
        (("--ledger", str(LEDGER), "--live"), "takes one of"),
        (("--ledger", str(LEDGER)), "names no account and location: say whose list it is, with --account and --location"),
        (("--ledger", str(LEDGER), *WHOSE, "--tolerance", "-1"), "tolerance '-1' is no amount"),
        (("--ledger", str(LEDGER), *WHOSE, "--jitter", "301"), "jitter is from 0 to 60 seconds"),
        (("--ledger", str(LEDGER), *WHOSE, "-o", "page.pdf"), "page.pdf is no page"),
        (("--usage", str(LEDGER), *WHOSE, "--jitter", "2"), "jitter is of the lines of a ledger: leave it out for usage"),
        (("--live", "--against", "dailyburst", "--jitter", "2"), "jitter is of the lines of a ledger: leave it out for dailyburst"),
        (("--ledger", str(LEDGER), *WHOSE, "--against", "ledger"), "--against is what --live asks for"),
        (("--live",), "settings name no endpoints"),
    ],
)
def test_misuse_is_told_in_one_line(store, words, said):
    done = run(store, *words)
    assert done.exit_code == 2
    assert said in " ".join(done.stderr.replace("│", " ").split())
