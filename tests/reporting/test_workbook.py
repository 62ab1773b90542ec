"""Workbooks: what is in them is what JSON says, to the last digit; their own formulas agree; no text becomes a formula."""

import re
import sys
import tempfile
import zipfile
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import openpyxl
import pytest
import tools
from hostile_world import DAY, LOCATION, NAMES

from metering.model.errors import InputError, MisuseError
from metering.model.period import instant_text
from metering.model.tables import Table, columns_of
from metering.reporting import workbook
from metering.reporting.reports import BY
from metering.reporting.workbook import Formula, Sheet, write_workbook

ROOT = Path(__file__).resolve().parent.parent.parent
OCTOBER = "2026-10"


@pytest.fixture(scope="module")
def book(october, tmp_path_factory):
    place = tmp_path_factory.mktemp("book") / "october.xlsx"
    october.export("xlsx", place, period=OCTOBER)
    return place


def rows(page):
    """Give a sheet's rows by its headers, without the totals below the empty row."""
    headers = [cell.value for cell in page[1]]
    found = []
    for row in page.iter_rows(min_row=2, values_only=True):
        if all(value is None for value in row):
            break
        found.append(dict(zip(headers, row, strict=True)))
    return found


def assert_same(table, found):
    """Hold a sheet's rows against the table's JSON: exact where it says so, typed, and in the unit for the eye near enough."""
    documents = table.documents()
    assert len(found) == len(documents)
    for document, row in zip(documents, found, strict=True):
        for column in table.columns:
            said = document[column.name]
            exact = row[f"{column.name}_exact" if column.kind == "money" else column.name]
            if column.kind in ("instant", "date"):
                form = "%Y-%m-%dT%H:%M:%SZ" if column.kind == "instant" else "%Y-%m-%d"
                assert (exact and exact.strftime(form)) == said
                continue
            assert exact == (None if said == "" else said), column.name
            assert type(exact) in ((int, type(None)) if column.kind in ("count", "seconds") else (str, type(None)))
            if column.kind == "money" and said is not None:
                assert abs(Fraction(row[column.name]) - Fraction(said)) <= Fraction(said) / 10**14
            if column.kind == "byte_seconds" and column.name != "multiplier":
                gib_months = Fraction(row[column.name.replace("_byte_seconds", "_gib_months")])
                assert abs(gib_months - Fraction(int(said), 2**30 * 2_592_000)) < Fraction(1, 10**9)


@pytest.mark.parametrize("report", [name for name in BY if name != "statement"])
def test_a_report_in_a_workbook_is_what_json_says_to_the_last_digit(report, october, hostile, tmp_path):
    for number, (meter, period) in enumerate(((october, OCTOBER), (hostile, DAY))):
        table = meter.report_table(report, period)
        place = tmp_path / f"{number}.xlsx"
        meter.write(place, table)
        assert_same(table, rows(openpyxl.load_workbook(place)[report]))


def test_a_bill_has_a_sheet_for_each_of_its_parts(october, tmp_path):
    bill = october.bill(OCTOBER)
    place = tmp_path / "bill.xlsx"
    october.write_bill(place, bill)
    pages = openpyxl.load_workbook(place)
    assert pages.sheetnames == ["about", "statements", "lines", "usage", "episodes", "findings"]
    lines = {row["charge_id"]: row for row in rows(pages["lines"])}
    for line in bill.lines:
        row = lines[line.charge_id]
        assert row["burst_byte_seconds"] == str(line.burst_byte_seconds)
        assert row["amount_exact"] == (None if line.amount is None else format(line.amount, "f"))
        assert row["price_exact"] == line.price
        assert row["price"] == (None if line.price is None else pytest.approx(float(line.price), rel=1e-12)), "to reckon with"
        assert instant_text(line.date)[:10] == row["date"].strftime("%Y-%m-%d")
    for due, row in zip(bill.statements, rows(pages["statements"]), strict=True):
        assert (row["account"], row["name"], row["state"]) == (due.account, due.name, due.state)
        assert row["amount_due_exact"] == (None if due.amount_due is None else format(due.amount_due, "f"))


def test_every_report_is_a_sheet_with_a_frozen_header_and_a_filter(book):
    pages = openpyxl.load_workbook(book)
    assert pages.sheetnames == [
        "about", "statements", "lines", "usage", "episodes", "findings", "snapshots", "subscriptions", "cost", "coverage",
    ]  # fmt: skip
    for page in pages:
        assert page.freeze_panes == "B2"
        assert page.auto_filter.ref.startswith("A1:")
        assert page.auto_filter.ref.endswith(str(max(2, len(rows(page)) + 1)))


def formulas(place):
    """Give every formula of a workbook and what it gave last, by sheet and cell."""
    texts, values = openpyxl.load_workbook(place), openpyxl.load_workbook(place, data_only=True)
    return {
        (page.title, cell.coordinate): (cell.value, values[page.title][cell.coordinate].value)
        for page in texts
        for row in page
        for cell in row
        if cell.data_type == "f"
    }


def test_a_sheet_that_is_too_wide_to_read_on_one_paper_takes_two_with_its_rows_named_on_each(book):
    pages = openpyxl.load_workbook(book)
    assert {page.title: page.page_setup.fitToWidth or 1 for page in pages} == {
        "about": 1, "statements": 1, "lines": 2, "usage": 2, "episodes": 1, "findings": 1, "snapshots": 2, "subscriptions": 2,
        "cost": 2, "coverage": 1,
    }  # fmt: skip
    for page in pages:
        assert (page.print_title_cols, page.print_title_rows, page.print_options.gridLines) == ("$A:$A", "$1:$1", None)
        assert page.page_setup.pageOrder == "overThenDown"


def test_text_does_not_touch_the_figure_in_the_cell_before_it(book):
    page = openpyxl.load_workbook(book)["lines"]
    (unit,) = (cell for cell in page[2] if cell.value == "GB/month")
    assert (unit.alignment.horizontal, unit.alignment.indent) == ("left", 1)


@tools.needs("soffice")
def test_a_spreadsheet_that_computes_every_formula_anew_gets_what_we_wrote(book, hostile, tmp_path):
    other = tmp_path / "hostile.xlsx"
    hostile.export("xlsx", other, period=DAY)
    for place in (book, other):
        ours = formulas(place)
        theirs = formulas(tools.convert(place, "xlsx", tmp_path / "out"))
        assert len(ours) > 20
        assert set(ours) == set(theirs)
        for key, (_, value) in ours.items():
            if isinstance(value, str):
                assert theirs[key][1] == value, key
            else:
                assert abs(Fraction(theirs[key][1]) - Fraction(value)) <= Fraction(abs(value)) / 10**11, key


@tools.needs("soffice")
def test_the_spreadsheet_does_compute_anew(tmp_path):
    columns = columns_of(account="text", amount="money", currency="text")
    table = Table("wrong", columns, [("a", Decimal("1.5"), "CHF"), ("b", Decimal("2.25"), "CHF")])
    write_workbook(
        [Sheet(table, [Formula("twice", lambda row: f"=2*B{row}", [Decimal(99), Decimal(98)])])], tmp_path / "wrong.xlsx"
    )
    assert {value for _, value in formulas(tmp_path / "wrong.xlsx").values()} >= {99, 98}
    assert sorted(value for _, value in formulas(tools.convert(tmp_path / "wrong.xlsx", "xlsx", tmp_path / "out")).values()) == [
        3, 3.75, 4.5,
    ]  # fmt: skip


def test_the_sum_of_the_lines_is_what_is_due_to_the_last_coin(book):
    for row in rows(openpyxl.load_workbook(book, data_only=True)["statements"]):
        assert (row["sum_of_lines"] is None) == (row["amount_due"] is None) == (row["state"] == "parked")
        if row["sum_of_lines"] is not None:
            assert Fraction(str(row["sum_of_lines"])) == Fraction(row["amount_due_exact"])


def totals(page):
    """Give a sheet's totals, by what they are called and its headers."""
    headers = [cell.value for cell in page[1]]
    return {
        row[0].value: dict(zip(headers, [cell.value for cell in row], strict=True)) for row in page if "total" in str(row[0].value)
    }


def test_money_is_added_up_by_currency_and_what_is_not_known_has_no_total(book):
    found = totals(openpyxl.load_workbook(book, data_only=True)["statements"])
    assert {name: row["amount_due_exact"] for name, row in found.items()} == {
        "total": None, "total CHF": "69.84", "total EUR": "not known", "total JPY": "755", "total USD": "21.77",
    }  # fmt: skip
    assert found["total"]["lines"] == 38


def test_a_total_over_an_amount_that_is_not_known_is_not_known(book):
    """Nordlys bursts in two places, and in one of them nobody knows at what price."""
    pages = openpyxl.load_workbook(book, data_only=True)
    unknown = {"cost": ("burst_cost", "total_cost"), "episodes": ("amount",), "lines": ("amount", "shown_amount")}
    for sheet, names in unknown.items():
        found = totals(pages[sheet])
        for name in names:
            assert (found["total EUR"][name], found["total EUR"][f"{name}_exact"]) == ("not known", "not known")
            assert isinstance(found["total CHF"][name], (int, float))
    cost = totals(pages["cost"])
    assert (cost["total EUR"]["subscription_cost"], cost["total EUR"]["subscription_cost_exact"]) == (
        86.4, "86.40000000000000000000",
    )  # fmt: skip


@tools.needs("soffice")
def test_a_total_becomes_known_when_the_amount_that_lacked_is_filled_in(tmp_path):
    columns = columns_of(account="text", amount="money", currency="text")
    rows = [("a", Decimal("1.5"), "CHF"), ("b", None, "CHF"), ("c", Decimal(2), "EUR")]
    place = tmp_path / "lacks.xlsx"
    write_workbook([Sheet(Table("lacks", columns, rows))], place)
    for amount, total in ((None, "not known"), (2.25, 3.75)):
        book = openpyxl.load_workbook(place)
        book["lacks"]["B3"] = amount
        edited = tmp_path / f"{amount}.xlsx"
        book.save(edited)
        page = openpyxl.load_workbook(tools.convert(edited, "xlsx", tmp_path / "out"), data_only=True)["lacks"]
        assert {name: row["amount"] for name, row in totals(page).items()} == {"total CHF": total, "total EUR": 2}


def test_no_text_from_outside_is_a_formula_a_number_or_a_link(hostile, tmp_path):
    place = tmp_path / "hostile.xlsx"
    hostile.export("xlsx", place, period=DAY)
    pages = openpyxl.load_workbook(place)
    written = {(page, cell): text for (page, cell), (text, _) in formulas(place).items()}
    assert all(text.startswith(("=SUBTOTAL(109,$", "=SUMIFS(", "=IF(SUMPRODUCT(($")) for text in written.values())
    assert {quoted for text in written.values() for quoted in re.findall('"[^"]*"', text)} == {'""', '"not known"'}
    cells = [cell for page in pages for row in page for cell in row if isinstance(cell.value, str) and cell.data_type != "f"]
    texts = {cell.value for cell in cells}
    for account, name in NAMES.items():
        assert account in texts
        assert name.replace("\x00", "").replace("\ufffe", "\N{REPLACEMENT CHARACTER}") in {
            text.replace("_x0007_", "\x07") for text in texts
        }
    assert LOCATION in texts
    risky = [cell for cell in cells if cell.value.startswith(("=", "+", "-", "@"))]
    assert len(risky) > 3 * len(NAMES)
    assert all(cell.quotePrefix for cell in risky)
    with zipfile.ZipFile(place) as archive:
        assert not any("hyperlink" in archive.read(name).decode() for name in archive.namelist() if name.endswith(".xml"))


@tools.needs("soffice")
def test_a_spreadsheet_shows_text_that_begins_like_a_formula_as_it_is(tmp_path):
    texts = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "00123", "1e5", "TRUE", "2026-10-01"]
    write_workbook([Sheet(Table("texts", columns_of(text="text"), [(text,) for text in texts]))], tmp_path / "texts.xlsx")
    shown = tools.convert(tmp_path / "texts.xlsx", "csv", tmp_path / "out").read_text(encoding="utf-8")
    assert shown.splitlines() == ["text", *texts]


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata"])
def test_the_same_facts_give_the_same_bytes_wherever_and_whenever(zone, october, book, tmp_path, monkeypatch):
    monkeypatch.setenv("TZ", zone)
    october.export("xlsx", tmp_path / "again.xlsx", period=OCTOBER)
    assert (tmp_path / "again.xlsx").read_bytes() == book.read_bytes()


def test_a_cell_holds_what_is_longer_than_a_cell_as_far_as_it_goes(tmp_path):
    write_workbook(
        [Sheet(Table("long", columns_of(text="text"), [("x" * 40_000,), ("\ud7ff\ufffe\x01_x0041_",)]))], tmp_path / "l.xlsx"
    )
    first, second = (row[0] for row in openpyxl.load_workbook(tmp_path / "l.xlsx")["long"].iter_rows(min_row=2, values_only=True))
    assert first.startswith("xxx")
    assert first.endswith("…")
    assert second.startswith("\ud7ff\N{REPLACEMENT CHARACTER}_x")


def test_what_cannot_be_written_is_said_in_one_line(october, tmp_path, monkeypatch):
    with pytest.raises(MisuseError, match=r"end it in \.xlsx"):
        october.export("xlsx", tmp_path / "october.csv", period=OCTOBER)
    with monkeypatch.context() as patch:
        patch.setattr(workbook, "_MOST_ROWS", 3)
        with pytest.raises(InputError, match=r"coverage has 8 rows, and a sheet holds 3: write \.csv or \.parquet"):
            october.write(tmp_path / "coverage.xlsx", october.report_table("coverage", OCTOBER))
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    with pytest.raises(InputError, match=r"pip install 'metering\[report\]'"):
        october.export("xlsx", tmp_path / "october.xlsx", period=OCTOBER)
    assert list(tmp_path.iterdir()) == []


def test_an_instant_is_a_moment_that_a_sheet_can_reckon_with(october, tmp_path):
    october.write(tmp_path / "burst.xlsx", october.report_table("burst", OCTOBER))
    (first, *_) = rows(openpyxl.load_workbook(tmp_path / "burst.xlsx")["burst"])
    assert first["start"].replace(tzinfo=UTC) == datetime(2026, 10, 1, tzinfo=UTC)


def test_no_figure_and_no_total_is_wider_than_its_column(tmp_path):
    """A spreadsheet shows such a figure as ###, and so does paper."""
    columns = columns_of(account="text", currency="text", amount="money", burst_byte_seconds="byte_seconds", held_seconds="seconds")
    gib_month = 2**30 * 2_592_000
    rows = [
        ("a", "JPY", Decimal("-18737.18055555555555555556"), 7_654_321 * gib_month, 2_678_400),
        ("b", "JPY", Decimal("99999999.88888888888888888889"), 999_999_999_999 * gib_month, 999_999_999_999),
        ("c", "KWD", Decimal("1.5"), gib_month, 1),
    ]
    write_workbook([Sheet(Table("wide", columns, rows))], tmp_path / "wide.xlsx")
    page = openpyxl.load_workbook(tmp_path / "wide.xlsx")["wide"]
    widths = {cell.value: page.column_dimensions[cell.column_letter].width for cell in page[1]}
    totals = {
        "amount": "99,981,262.708333333333", "burst_gib_months": "1,000,007,654,321.0000", "held_seconds": "1,000,002,678,400",
    }  # fmt: skip
    for name, shown in totals.items():
        assert widths[name] > len(shown) + 1, name


def test_a_workbook_needs_room_where_it_is_to_be_and_nowhere_else(tmp_path, monkeypatch):
    """Its sheets were made among the system's temporary files; where those were full, the workbook's own disk was told to be."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "no such place"))
    place = tmp_path / "texts.xlsx"
    write_workbook([Sheet(Table("texts", columns_of(text="text"), [("a",), ("b",)]))], place)
    assert [row["text"] for row in rows(openpyxl.load_workbook(place)["texts"])] == ["a", "b"]
    assert [each.name for each in tmp_path.iterdir()] == ["texts.xlsx"]
