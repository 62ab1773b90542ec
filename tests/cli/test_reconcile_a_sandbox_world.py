"""From the sandbox's facts to a closed bill that its ledger agrees with; one error planted in a list is exactly that finding."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from test_sessions import run

from metering.model.period import instant_seconds, moment

DAY = "2026-10-01"
LISTS = ("ledger", "usage", "dailyburst")


@pytest.fixture(scope="module")
def books(tmp_path_factory):
    """A seeded day as `sandbox facts` writes it, taken in, billed and closed by the command line."""
    here = tmp_path_factory.mktemp("books")
    store = ("--store", here / "s.duckdb")
    for words in (
        ("sandbox", "facts", "-o", here / "world", "--period", DAY, "--accounts", "2", "--seed", "3"),
        ("run", here / "world", "--period", DAY, *store),
        ("close", DAY, "--by", "ann", *store),
    ):
        code, _, err = run(*words)
        assert code == 0, err
    return here


def rows_of(books, name):
    return [json.loads(line) for line in (books / "world" / "provider" / f"{name}.ndjson").read_text().splitlines()]


def reconciled(books, tmp_path, name, rows):
    """Reconcile with a list of the provider's; give the exit code of the gate and the document."""
    place = tmp_path / f"{name}.ndjson"
    place.write_text("".join(json.dumps(row) + "\n" for row in rows))
    store = ("--store", books / "s.duckdb", "--format", "json")
    code, out, err = run("reconcile", f"--{name}", place, "--period", DAY, "--check", *store)
    assert code in (0, 3), err
    made = json.loads(out)
    for total in made["totals"]:
        # What is of another resource is in no total.
        found = [each for each in made["findings"] if each["check"] != "other_resource"]
        compared = [each for each in found if each["currency"] == total["currency"]]
        assert Decimal(total["at_stake"]) == sum((Decimal(each["difference"]) for each in compared), Decimal(0))
    return code, made


@pytest.mark.parametrize("name", LISTS)
def test_what_the_provider_lists_agrees_with_what_is_closed(books, tmp_path, name):
    code, made = reconciled(books, tmp_path, name, rows_of(books, name))
    assert (code, made["findings"]) == (0, [])
    assert sum(Decimal(total["theirs"]) for total in made["totals"]) > 0
    assert all(each["outcome"] == "matched" for each in made["outcomes"])


def steady(rows):
    """Give the place of a line in the middle of a burst that holds: the two before and after it say the same."""
    for number, row in enumerate(rows):
        around = rows[number - 2 : number + 3]
        said = {(each["account"], each["location"], each["resource_amount"], each["amount"]) for each in around}
        if row["interval"] == 300 and len(around) == 5 and len(said) == 1:
            return number
    raise AssertionError("the world has no burst that holds")


def late(row, seconds):
    """Give a line as if it had been looked at some seconds later."""
    time = moment(instant_seconds(row["poll_time"]) + seconds).isoformat()
    return row | {"poll_time": time, "time": time}


def costing(row, times):
    return row | {"amount": f"{Decimal(row['amount']) * times:.20f}"}


def others(rows, row, name):
    """Name another account or location of the list."""
    return next(each[name] for each in rows if each[name] != row[name])


LEDGER = {
    "a missing line": (lambda _row, _rows: [], ["missing_line"]),
    "an extra line": (lambda row, _rows: [row, late(row, 60) | {"resource_amount": "1", "amount": "1E-20"}], ["extra_line"]),
    "a doubled line": (lambda row, _rows: [row, row | {"id": "0"}], ["duplicate_line"]),
    "another amount": (lambda row, _rows: [costing(row, 2)], ["wrong_amount"]),
    "no amount": (lambda row, _rows: [row | {"amount": None}], ["no_amount"]),
    "a wrong price": (lambda row, _rows: [costing(row, Decimal("0.29") / Decimal("0.28"))], ["wrong_price"]),
    "a wrong interval": (lambda row, _rows: [costing(row, 2) | {"interval": 600}], ["wrong_interval"]),
    "a wrong burst": (lambda row, _rows: [costing(row, 2) | {"resource_amount": str(2 * int(row["resource_amount"]))}],
                      ["wrong_quantity"]),
    "a shifted line": (lambda row, _rows: [late(row, 120)], ["shifted_line"]),
    "a wrong account": (lambda row, rows: [row | {"account": others(rows, row, "account")}], ["wrong_account"] * 2),
    "an account that is none": (lambda row, _rows: [row | {"account": "nobody"}], ["wrong_account"]),
    "a wrong location": (lambda row, rows: [row | {"location": others(rows, row, "location")}], ["wrong_location"] * 2),
    "a location that is none": (lambda row, _rows: [row | {"location": "MARS"}], ["wrong_location"]),
    "another resource": (lambda row, _rows: [row, row | {"reason": row["reason"].replace("backup", "mem")}], ["other_resource"]),
}  # fmt: skip


@pytest.mark.parametrize("name", LEDGER)
def test_one_error_planted_in_the_ledger_is_exactly_that_finding(books, tmp_path, name):
    plant, checks = LEDGER[name]
    rows = rows_of(books, "ledger")
    at = steady(rows)
    code, made = reconciled(books, tmp_path, "ledger", [*rows[:at], *plant(rows[at], rows), *rows[at + 1 :]])
    assert [each["check"] for each in made["findings"]] == checks
    assert code == (0 if checks == ["other_resource"] else 3)


USAGE = {
    "a missing sample": (lambda _row: [], "wrong_size"),
    "a doubled sample": (lambda row: [row, row], "duplicate_row"),
    "a larger sample": (lambda row: [row | {"amount": str(int(row["amount"]) + 1)}], "wrong_size"),
}


@pytest.mark.parametrize("name", USAGE)
def test_one_error_planted_in_the_samples_is_exactly_that_finding(books, tmp_path, name):
    plant, check = USAGE[name]
    rows = rows_of(books, "usage")
    at = next(number for number, row in enumerate(rows) if int(row["amount"]) and row["poll_time"][11:13] == "12")
    code, made = reconciled(books, tmp_path, "usage", [*rows[:at], *plant(rows[at]), *rows[at + 1 :]])
    assert (code, [each["check"] for each in made["findings"]]) == (3, [check])


def test_one_day_that_is_wrong_is_exactly_that_finding(books, tmp_path):
    first, *others_of_day = rows_of(books, "dailyburst")
    for planted, check in (([], "missing_day"), ([first, first], "duplicate_row"), ([costing(first, 2)], "wrong_amount")):
        code, made = reconciled(books, tmp_path, "dailyburst", [*planted, *others_of_day])
        assert (code, [each["check"] for each in made["findings"]]) == (3, [check])


def test_the_page_of_a_reconciliation_names_what_was_planted(books, tmp_path):
    rows = rows_of(books, "ledger")
    (tmp_path / "l.ndjson").write_text("".join(json.dumps(row) + "\n" for row in rows[: len(rows) // 2]))
    page = tmp_path / "page.html"
    code, out, _ = run(
        "reconcile", "--ledger", tmp_path / "l.ndjson", "--period", DAY, "--store", books / "s.duckdb", "-o", page, "--check"
    )
    assert (code, out) == (3, "")
    assert "does NOT agree" in Path(page).read_text(encoding="utf-8")
