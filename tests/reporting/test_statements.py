"""Statements for customers and books: what is shown adds up, what is exact is exact, and a ledger balances."""

import csv
import io
import json
import os
import re
import subprocess
import sys
import sysconfig
from collections import defaultdict
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
import tools
from beancount import loader
from beancount.core.data import Transaction
from closed_world import day_meter, more_facts
from hostile_world import DAY, NAMES
from small_world import GIB, meter_of, polls, price, subscription
from tools import Parts

from metering.model.errors import InputError, MisuseError
from metering.model.records import Statement
from metering.model.units import shown_amount
from metering.reporting.beancount import income, receivable
from metering.reporting.statements import file_name

ROOT = Path(__file__).resolve().parent.parent.parent
OCTOBER = "2026-10"
ALPENROSE = "0a1be405-5c1a-4e0b-9d3e-6f2a7c4d1b01"
BEAN_CHECK = Path(sysconfig.get_path("scripts")) / "bean-check"


@pytest.fixture(scope="module")
def adjusted(tmp_path_factory):
    """Two closed days, the first of which was found to be another since: the second adjusts it."""
    folder = tmp_path_factory.mktemp("adjusted")
    with day_meter(folder) as meter:
        meter.close("2026-10-01", by="test")
        more_facts(meter, folder, "late", samples=polls("2026-10-01", "2026-10-02", {"s": 3 * GIB}), supersede=True)
        meter.close("2026-10-02", by="test")
        yield meter


@pytest.fixture
def worlds(october, hostile, adjusted):
    return [(october, OCTOBER), (hostile, DAY), (adjusted, "2026-10-01"), (adjusted, "2026-10-02"), (adjusted, "2026-10-03")]


def checked(place):
    done = subprocess.run([BEAN_CHECK, "--no-cache", place], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_json_is_what_the_bill_says_and_the_shown_lines_add_up_to_what_is_due(worlds, tmp_path):
    for number, (meter, period) in enumerate(worlds):
        place = tmp_path / f"{number}.json"
        bill = meter.bill(period).document()
        assert meter.export("statement", place, period=period) == {str(place): len(bill["statements"])}
        documents = json.loads(place.read_text(encoding="utf-8"))
        lines = [line for document in documents for line in document["lines"]]
        key = lambda line: (line["charge_id"], line.get("adjusts", ""))  # noqa: E731 -- what both are sorted by
        own = [{name: value for name, value in line.items() if name != "shown_amount"} for line in lines]
        assert sorted(own, key=key) == sorted(bill["lines"], key=key)
        for document, due in zip(documents, bill["statements"], strict=True):
            assert {name: document[name] for name in due} == due
            assert document["period"] == bill["period"]
            shown = [line["shown_amount"] for line in document["lines"]]
            if due["amount_due"] is None:
                assert set(shown) == {None}
            else:
                assert sum(map(Fraction, shown)) == Fraction(due["amount_due"])
                assert sum(Fraction(line["amount"]) for line in document["lines"]) == Fraction(due["burst_amount"])
        for part in ("usage", "episodes"):
            found = [row for document in documents for row in document[part]]
            assert sorted(found, key=str) == sorted(bill[part], key=str)


def test_an_adjustment_is_told_from_burst_everywhere(adjusted, tmp_path):
    for ending in ("json", "html", "beancount"):
        adjusted.export("statement", tmp_path / f"s.{ending}", period="2026-10-02")
    (document,) = json.loads((tmp_path / "s.json").read_text())
    assert [(line["kind"], line.get("adjusts"), line["shown_amount"]) for line in document["lines"]] == [
        ("burst", None, "0.01"), ("adjustment", "2026-10-01", "0.02"),
    ]  # fmt: skip
    assert (document["state"], document["amount_due"]) == ("closed", "0.03")
    shown = Parts((tmp_path / "s.html").read_text(encoding="utf-8")).text
    assert "Adjusts" in shown
    assert "A line that adjusts a closed period is what the line of that period would be by what is known now, less what" in shown
    assert "not final" not in shown
    adjusted.export("statement", tmp_path / "first.html", period="2026-10-01")
    assert "adjusts" not in Parts((tmp_path / "first.html").read_text(encoding="utf-8")).text
    ledger = (tmp_path / "s.beancount").read_text()
    assert '2026-10-02 * "' in ledger
    assert "  Income:Backup:Adjustments:ZRH  -0.02 CHF" in ledger


def test_less_than_nothing_that_is_due_is_called_a_credit(tmp_path):
    told = "An amount due below zero is a credit: of closed periods more was billed than is due by what is known now."
    with day_meter(tmp_path) as meter:
        meter.close("2026-10-01", by="test")
        more_facts(meter, tmp_path, "late", samples=polls("2026-10-01", "2026-10-03", {}), supersede=True)
        (due,) = meter.bill("2026-10-02").statements
        assert due.amount_due == Decimal("-0.01")
        for day, is_credit in (("2026-10-02", True), ("2026-10-01", False)):
            meter.export("statement", tmp_path / "s.html", period=day)
            meter.page(tmp_path / "own.html", period=day, account="A")
            for name in ("s.html", "own.html"):
                assert (told in Parts((tmp_path / name).read_text(encoding="utf-8")).text) == is_credit, (day, name)


def test_the_page_of_a_statement_has_every_line_and_its_total(october, tmp_path):
    october.export("statement", tmp_path / "s.html", period=OCTOBER)
    parts = Parts((tmp_path / "s.html").read_text(encoding="utf-8"))
    bill = october.bill(OCTOBER)
    assert parts.tags.count("article") == len(bill.statements)
    for line in bill.lines:
        assert f"{line.charge_id} {line.location}" in parts.text
        assert line.amount is None or shown_amount(line.amount) in parts.text
    for due in bill.statements:
        assert f"Account {due.account}" in parts.text
        assert (f"Amount due {due.amount_due:,f} {due.currency}" if due.amount_due is not None else "not known yet") in parts.text


def test_a_statement_obeys_no_name(hostile, tmp_path):
    hostile.export("statement", tmp_path / "s.html", period=DAY)
    parts = Parts((tmp_path / "s.html").read_text(encoding="utf-8"))
    assert not {"script", "img", "b"} & set(parts.tags)
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in parts.attributes
    for account in NAMES:
        assert account in parts.text


# Writes into the page each word with a digit that does not stand on one line; a period has two instants, which are two words.
_BROKEN = """<script>
const broken = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  for (const word of walker.currentNode.data.matchAll(/\\S*\\d\\S*/g)) {
    const range = document.createRange();
    range.setStart(walker.currentNode, word.index);
    range.setEnd(walker.currentNode, word.index + word[0].length);
    if (new Set([...range.getClientRects()].map(box => Math.round(box.top))).size > 1) broken.push(word[0]);
  }
}
document.body.innerHTML = "<pre>" + JSON.stringify(broken) + "</pre>";
</script></body>"""


@tools.needs("chromium")
@pytest.mark.parametrize("width", [400, 1000, 1400, "paper"])
def test_no_number_of_a_statement_is_broken_over_two_lines(tmp_path, width):
    """Of amounts with 20 decimals, adjustments of a period that is no month, and a price of many digits."""
    long = price("0.30000000000000000001")
    meter = day_meter(tmp_path, sizes={"s": GIB + 13}, prices=[long])
    closed = "2026-10-01T00:00:00Z..2026-10-02T12:00:00Z"
    meter.close(closed, by="test")
    more_facts(meter, tmp_path, "late", samples=polls("2026-10-01", "2026-10-02", {"s": 3 * GIB + 7}), supersede=True)
    place = tmp_path / "statement.html"
    meter.export("statement", place, period="2026-10-02T12:00:00Z..2026-10-04")
    text = place.read_text(encoding="utf-8")
    assert closed.split("..")[1] in text
    text = text.replace('http-equiv="Content-Security-Policy"', 'name="none"').replace("</body>", _BROKEN)
    if width == "paper":
        text = text.replace("@media print", "@media all")
    # Between the margins of A4 there are 180 mm; a browser's own window cannot be as narrow as a telephone.
    text = text.replace("</style>", f"html {{ width: {'180mm' if width == 'paper' else f'{width}px'} }}</style>")
    place.write_text(text, encoding="utf-8")
    dom, _, _ = tools.browse(place, tmp_path)
    assert re.search("<pre>(.*)</pre>", dom)[1] == "[]"


@tools.needs("chromium")
def test_statements_print_each_on_sheets_of_its_own(october, tmp_path):
    october.export("statement", tmp_path / "s.html", period=OCTOBER)
    pdf = tools.printed(tmp_path / "s.html", tmp_path)
    assert pdf.startswith(b"%PDF-")
    # Alpenrose has 26 lines, which is two sheets; the three others one each.
    assert pdf.count(b"/Type /Page\n") == 5


def test_a_folder_has_a_page_json_and_csv_of_each_statement(october, tmp_path):
    folder = tmp_path / "october"
    october.export("statement", folder, period=OCTOBER)
    bill = october.bill(OCTOBER)
    assert sorted(file.name for file in folder.iterdir()) == sorted(
        f"{due.account}.{due.currency}.{ending}" for due in bill.statements for ending in ("csv", "html", "json")
    )
    document = json.loads((folder / f"{ALPENROSE}.CHF.json").read_text(encoding="utf-8"))
    rows = list(csv.DictReader(io.StringIO((folder / f"{ALPENROSE}.CHF.csv").read_text(encoding="utf-8"), newline="")))
    assert [row["amount"] for row in rows[:-1]] == [line["amount"] for line in document["lines"]]
    assert [row["shown_amount"] for row in rows[:-1]] == [line["shown_amount"] for line in document["lines"]]
    assert rows[-1]["shown_amount"] == document["amount_due"] == "69.84"
    for due in bill.statements:
        text = "".join((folder / f"{due.account}.{due.currency}.{ending}").read_text() for ending in ("csv", "html", "json"))
        assert [other.account for other in bill.statements if other.account in text] == [due.account]


def test_a_folder_has_its_name_once_all_its_files_are_on_disk(october, tmp_path, monkeypatch):
    """After a power failure there would be a folder of empty invoices."""
    folder, synced, sync = tmp_path / "october", set(), os.fsync

    def noted(descriptor):
        if not folder.exists():
            synced.add(os.fstat(descriptor).st_ino)
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    october.export("statement", folder, period=OCTOBER)
    files = list(folder.iterdir())
    assert len(files) >= 6
    assert {file.stat().st_ino for file in files} <= synced


def test_a_folder_is_written_whole_or_not_at_all_and_never_into_another(october, tmp_path, monkeypatch):
    folder = tmp_path / "october"
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(InputError, match="No space left on device"):
            october.export("statement", folder, period=OCTOBER)
    assert list(tmp_path.iterdir()) == []
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="is not empty"):
        october.export("statement", folder, period=OCTOBER)
    with pytest.raises(InputError, match="cannot be written"):
        october.export("statement", tmp_path / "no" / "october", period=OCTOBER)
    assert [file.name for file in folder.iterdir()] == ["mine.txt"]


def test_no_account_names_a_file_outside_of_the_folder_or_anothers(hostile, tmp_path):
    hostile.export("statement", tmp_path / "day", period=DAY)
    assert len(list((tmp_path / "day").iterdir())) == 3 * len(NAMES)
    accounts = ["../../etc/passwd", "a", "A", "id-0", "CON", "a.b", "x" * 300, "é", ""]
    names = [
        file_name(Statement(account=account, name=None, currency="CHF", state="draft", burst_amount=Decimal(0), amount_due=None))
        for account in accounts
    ]
    assert len({name.lower() for name in names}) == len(accounts)
    assert all(len(name) < 80 and set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-_.CHF") for name in names)


def test_a_name_that_tells_no_format_is_misuse_before_anything_is_computed(october, tmp_path):
    with pytest.raises(MisuseError, match=r"end it in \.html, \.json, \.beancount"):
        october.export("statement", tmp_path / "s.pdf", period="1999-01")


def test_bean_check_accepts_every_ledger(worlds, tmp_path):
    for number, (meter, period) in enumerate(worlds):
        place = tmp_path / f"{number}.beancount"
        meter.export("statement", place, period=period)
        assert checked(place) == (0, "")


def test_bean_check_refuses_a_ledger_that_was_changed(october, tmp_path):
    place = tmp_path / "s.beancount"
    october.export("statement", place, period=OCTOBER)
    place.write_text(place.read_text(encoding="utf-8").replace("-7.20 CHF", "-7.21 CHF", 1), encoding="utf-8")
    code, said = checked(place)
    assert code != 0
    assert "does not balance" in said


def test_a_ledger_read_by_beancount_has_the_figures_of_the_bill_to_the_last_digit(worlds, tmp_path):
    for number, (meter, period) in enumerate(worlds):
        place = tmp_path / f"{number}.beancount"
        meter.export("statement", place, period=period)
        entries, errors, _ = loader.load_file(str(place))
        assert errors == []
        bill = meter.bill(period)
        booked = {entry.meta["account"]: entry for entry in entries if isinstance(entry, Transaction)}
        lines = defaultdict(list)
        for line in bill.lines:
            lines[line.account].append(line)
        assert set(booked) == {
            due.account.replace("\x07", "\N{REPLACEMENT CHARACTER}")
            for due in bill.statements
            if due.amount_due is not None and lines[due.account]
        }
        for due in bill.statements:
            if due.amount_due is None or not lines[due.account]:
                continue
            owed, *earned = booked[due.account].postings
            assert (owed.account, owed.units.number, owed.units.currency) == (receivable(due.account), due.amount_due, due.currency)
            assert booked[due.account].meta["burst_amount"] == format(due.burst_amount, "f")
            assert booked[due.account].flag == ("*" if due.state == "closed" else "!")
            told = sorted((p.meta["charge"], p.meta["amount"], p.meta["burst_byte_seconds"], p.account) for p in earned)
            assert told == sorted(
                (line.charge_id, format(line.amount, "f"), str(line.burst_byte_seconds), income(line.location, line.kind))
                for line in lines[due.account]
            )
            assert sum(Fraction(posting.units.number) for posting in earned) == -Fraction(due.amount_due)


def test_ledgers_of_two_periods_go_into_one(adjusted, october, tmp_path):
    for day in ("2026-10-01", "2026-10-02"):
        adjusted.export("statement", tmp_path / f"{day}.beancount", period=day)
    october.export("statement", tmp_path / "october.beancount", period=OCTOBER)
    books = tmp_path / "books.beancount"
    books.write_text(
        'plugin "beancount.plugins.auto_accounts"\ninclude "2026-10-01.beancount"\ninclude "2026-10-02.beancount"\n'
        'include "october.beancount"\n2026-11-02 balance Assets:Receivable:Backup:'
        + receivable("A").rpartition(":")[2]
        + " 0.04 CHF\n"
    )
    assert checked(books) == (0, "")


def test_what_is_parked_is_not_booked_and_is_said(october, tmp_path):
    october.export("statement", tmp_path / "s.beancount", period=OCTOBER)
    text = (tmp_path / "s.beancount").read_text(encoding="utf-8")
    assert "; parked, and not booked: Nordlys Vinyl AS, account d07d1e5a-6b28-4f93-a4c6-19e8b3720004" in text
    assert " EUR" not in text


def test_names_of_ledger_accounts_are_told_apart():
    names = ["A", "a", "0a1be405-5c1a-4e0b-9d3e-6f2a7c4d1b01", "0A1BE405-5C1A-4E0B-9D3E-6F2A7C4D1B01", "x:y", "", "Ä", "H-0"]
    assert len({receivable(name) for name in names}) == len(names)
    assert len({income(name, "burst") for name in [*names, "ZRH", "zrh"]}) == len(names) + 2


def test_the_command_line_writes_statements_and_bills(october, tmp_path):
    def run(*words):
        done = subprocess.run(
            [sys.executable, "-m", "metering", "--store", str(october.settings.store), *words],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout, done.stderr

    code, out, said = run("export", "statement", "--period", OCTOBER, "-o", "s.html")
    *against, last = said.splitlines()
    assert (code, out, last) == (0, "", "s.html: 4 statements")
    assert [line.split(": 1 row")[0].split(": burst")[0] for line in against] == [
        "error: rejected_rows: Alpenrose Käserei AG (0a1be405-5c1a-4e0b-9d3e-6f2a7c4d1b01)",
        "error: unpriced_burst: Nordlys Vinyl AS (d07d1e5a-6b28-4f93-a4c6-19e8b3720004), CWL",
    ]
    assert run("export", "statement", "--period", OCTOBER, "-o", "q.html", "-q") == (0, "", "")
    assert run("bill", OCTOBER, "-o", "b.json") == (0, "", "b.json: 4 statements, 38 lines\n")
    assert json.loads((tmp_path / "b.json").read_text(encoding="utf-8")) == october.bill(OCTOBER).document()
    code, _, said = run("bill", OCTOBER, "-o", "b.doc")
    assert code == 2
    assert said.startswith("metering: b.doc tells no format")


@pytest.mark.parametrize(
    ("end", "told"), [("2026-10-02", "everything was within"), ("2026-10-01T06:00:00Z", "whatever was observed was within")]
)
def test_that_nothing_burst_is_said_of_what_was_observed_and_of_no_more(end, told, tmp_path):
    """A day without burst: polled to its end, and for six hours of it."""
    samples = polls("2026-10-01T00:00:00Z", end, {"s": GIB})
    bought = [subscription("1", 2 * GIB, "2026-09-01", "2026-12-01")]
    with meter_of(tmp_path, samples=samples, subscriptions=bought) as meter:
        meter.export("statement", tmp_path / "statement.html", period="2026-10-01", as_of="2026-10-02T00:00:00Z")
    assert f"<p>No burst: {told} what is subscribed.</p>" in (tmp_path / "statement.html").read_text(encoding="utf-8")
