"""Tables for the eye: a figure is never broken, the exact one is there where there is room, and text can do no harm."""

import io
import json
import sys
from decimal import Decimal

import pytest
from rich.cells import cell_len

from metering.cli import render
from metering.cli.common import Common, Format, progress
from metering.model.tables import Table, columns_of
from metering.reporting.audit import checks_table
from metering.reporting.files import csv_text

ACCOUNT = "0a1be405-5c1a-4e0b-9d3e-6f2a7c4d1b01"
BYTE_SECONDS = 2_508_561_548_574_720_000
COLUMNS = columns_of(account="text", location="text", burst_byte_seconds="byte_seconds", held_seconds="seconds", amount="money")
TABLE = Table("usage", COLUMNS, [(ACCOUNT, "GVA", BYTE_SECONDS, 9_900, Decimal("69.83562500000000000000"))])


@pytest.fixture
def shown(monkeypatch):
    """Print a table on a terminal of some width."""

    def show(table: Table, width: int, *, verbose: bool = False, **names: str) -> str:
        terminal = io.StringIO()
        monkeypatch.setattr(render, "console", lambda: render.Console(file=terminal, width=width, highlight=False))
        render.print_table(Common(form=Format.TABLE, verbose=verbose), table, names)
        return terminal.getvalue()

    return show


def test_where_there_is_room_the_exact_figure_stands_under_the_rounded_one(shown):
    printed = shown(TABLE, 120)
    assert "901.3426" in printed
    assert str(BYTE_SECONDS) in printed
    assert ACCOUNT in printed
    assert "exact figures" not in printed


def test_where_there_is_no_room_the_rounded_figure_stands_alone_and_a_line_says_how_to_see_the_exact_one(shown):
    printed = shown(TABLE, 36)
    assert "901.3426" in printed
    assert str(BYTE_SECONDS) not in printed
    assert "exact figures: a wider terminal, -v" in " ".join(printed.split())


def test_who_insists_on_exact_figures_gets_them_on_any_terminal(shown):
    assert str(BYTE_SECONDS) in shown(TABLE, 80, verbose=True)


@pytest.mark.parametrize("width", [1, 20, 40, 60, 80, 100, 200])
@pytest.mark.parametrize("verbose", [False, True])
def test_no_figure_is_ever_broken_or_cut(shown, width, verbose):
    printed = shown(TABLE, width, verbose=verbose)
    assert "901.3426" in printed
    assert "9,900" in printed
    assert "69.835625" in printed
    assert "…" not in printed
    assert (str(BYTE_SECONDS) in printed) or not verbose


def test_units_stand_under_the_words_of_a_heading(shown):
    words, units = shown(TABLE, 120).splitlines()[:2]
    assert words.split() == ["burst", "held"]
    assert units.split() == ["account", "location", "GiB-months", "s", "amount"]


@pytest.mark.parametrize(
    ("amount", "exact", "rounded"),
    [
        ("69.83562500000000000000", "69.835625", "69.835625"),
        ("14.40000000000000000000", "14.40", "14.40"),
        ("754.50000000000000000000", "754.50", "754.50"),
        ("0.04666666666666666667", "0.04666666666666666667", "0.046667"),
        ("1234567.89000000000000000000", "1,234,567.89", "1,234,567.89"),
        ("0.00000000000000000000", "0.00", "0.00"),
        ("-0.30000000000000000000", "-0.30", "-0.30"),
        ("755", "755", "755"),
        (
            "12345678901234567890.12345678901234567890",
            "12,345,678,901,234,567,890.1234567890123456789",
            "12,345,678,901,234,567,890.123457",
        ),
    ],
)
def test_an_amount_is_shown_without_idle_zeros_and_rounded_only_where_there_is_no_room(amount, exact, rounded):
    assert render.shown_money(Decimal(amount), exact=True) == exact
    assert render.shown_money(Decimal(amount), exact=False) == rounded


def test_what_is_due_is_shown_with_all_coins_of_its_currency(shown):
    table = Table("statement", columns_of(shown_amount="money", amount="money"), [(Decimal("1.500"), Decimal("1.50000000"))])
    assert shown(table, 80).splitlines()[-1].split() == ["1.500", "1.50"]


def test_what_is_not_known_is_a_dash_and_not_a_zero(shown):
    table = Table("usage", columns_of(account="text", amount="money"), [("acme", None)])
    assert shown(table, 80).splitlines()[-1].split() == ["acme", "–"]


def test_a_name_from_outside_cannot_drive_the_terminal(shown):
    table = Table("usage", columns_of(account="text"), [("\x1b[2Jacme\x07 [bold]x[/bold]\u202e",)])
    printed = shown(table, 80)
    assert "\x1b" not in printed
    assert "\x07" not in printed
    assert "\u202e" not in printed
    assert "[bold]x[/bold]" in printed


class Terminal(io.StringIO):
    """What is a terminal to whoever asks."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("form", [Format.CSV, Format.JSON])
def test_a_name_cannot_drive_a_terminal_in_a_format_for_programs_either_and_a_program_gets_it_as_it_is(form, monkeypatch):
    name = "\x1b[2J\x9b2J\u202e00.1\n株式会社"
    table = Table("usage", columns_of(name="text", held_seconds="seconds"), [(name, 1)])
    piped, terminal = io.StringIO(), Terminal()
    for stdout in (piped, terminal):
        monkeypatch.setattr(sys, "stdout", stdout)
        render.print_table(Common(form=form), table)
    assert not {"\x1b", "\x9b", "\u202e"} & set(terminal.getvalue())
    assert "株式会社" in terminal.getvalue()
    if form is Format.JSON:
        assert json.loads(terminal.getvalue()) == json.loads(piped.getvalue()) == [{"name": name, "held_seconds": 1}]
    else:
        assert piped.getvalue() == csv_text(table)


@pytest.mark.parametrize("name", ["株式会社\u3000東京", "Banque\u00a0X", "\u0645\u06cc\u200c\u062e", "क्\u200dष"])
def test_a_name_keeps_the_blanks_and_joiners_that_its_script_has(shown, name):
    printed = shown(Table("usage", columns_of(location="text", held_seconds="seconds"), [(name, 1), ("GVA", 1)]), 80)
    assert name in printed
    assert len({cell_len(line) for line in printed.splitlines()[3:]}) == 1, "figures stand below each other"


def test_an_empty_table_says_so(shown):
    assert shown(Table("burst", COLUMNS, []), 80) == "no rows in burst\n"


def test_what_does_not_fit_is_grouped_under_what_its_rows_share(shown):
    rows = [(ACCOUNT, location, BYTE_SECONDS, 9_900, Decimal("69.83562500000000000000")) for location in ("GVA", "ZRH")]
    printed = shown(Table("usage", COLUMNS, rows), 60).splitlines()
    assert printed[3:] == [
        ACCOUNT,
        "GVA                  901.3426  9,900  69.835625",
        "          2508561548574720000",
        "ZRH                  901.3426  9,900  69.835625",
        "          2508561548574720000",
    ]


def test_an_account_that_has_a_name_is_called_by_it_with_its_identifier_below(shown):
    table = Table("snapshots", columns_of(account="text", snapshot_count="count"), [("a-1", 5), ("b-2", 4)])
    assert shown(table, 80, **{"a-1": "Alpenrose Käserei AG", "b-2": "b-2"}).splitlines()[2:] == [
        "Alpenrose Käserei AG               5",
        "a-1",
        "b-2                                4",
    ]


def test_an_account_of_several_rows_is_a_heading_of_them(shown):
    rows = [(ACCOUNT, "GVA", 1), (ACCOUNT, "ZRH", 2), ("nameless", "ZRH", 3)]
    table = Table("coverage", columns_of(account="text", location="text", held_seconds="seconds"), rows)
    named = shown(table, 200, **{ACCOUNT: "Alpenrose Käserei AG", "nameless": "nameless"}).splitlines()
    assert named == [
        "          held",
        "location     s",
        "─" * 14,
        f"Alpenrose Käserei AG · {ACCOUNT}",
        "GVA          1",
        "ZRH          2",
        "nameless",
        "ZRH          3",
    ]


def test_an_account_in_the_middle_of_a_table_stands_there_by_its_name(shown):
    table = Table("refusals", columns_of(check="text", account="text", message="text"), [("missing_time", "a-1", "nobody looked")])
    assert shown(table, 80, **{"a-1": "Alpenrose Käserei AG"}).splitlines()[2:] == [
        "missing_time  Alpenrose Käserei AG  nobody looked",
        "              a-1",
    ]


def test_a_name_cannot_drive_the_terminal_where_it_stands_for_an_account(shown):
    for location in ({}, {"location": "text"}):
        table = Table("usage", columns_of(account="text", **location, held_seconds="seconds"), [("a", *location, 1)])
        printed = shown(table, 80, a="\x1b[2J\u202eacme\n99.00 CHF")
        assert not {"\x1b", "\u202e"} & set(printed)
        assert "acme\ufffd99.00 CHF" in printed


def test_what_does_not_fit_even_so_is_cut_into_tables_that_repeat_what_names_a_row(shown):
    printed = shown(TABLE, 22)
    assert [line.split() for line in printed.splitlines() if line.startswith("GVA")] == [
        ["GVA", "901.3426"],
        ["GVA", "9,900"],
        ["GVA", "69.835625"],
    ]


def test_an_amount_is_never_parted_from_its_currency(shown):
    columns = columns_of(start="text", burst_byte_seconds="byte_seconds", currency="text", amount="money")
    printed = shown(Table("burst", columns, [("10:00", BYTE_SECONDS, "CHF", Decimal("69.83"))]), 28)
    assert [line.split() for line in printed.splitlines() if line.startswith("10:00")] == [
        ["10:00", "901.3426"],
        ["10:00", "CHF", "69.83"],
    ]
    columns = columns_of(location="text", currency="text", burst_cost="money", total_cost="money")
    printed = shown(Table("cost", columns, [("GVA", "CHF", Decimal(1), Decimal(2))]), 30)
    assert [line.split() for line in printed.splitlines() if line.startswith("GVA")] == [["GVA", "CHF", "1"], ["GVA", "CHF", "2"]]


@pytest.mark.parametrize("width", [80, 120])
def test_the_list_of_checks_says_of_each_what_it_means_and_what_to_do_on_its_own_lines(shown, width):
    printed = shown(checks_table(), width)
    assert max(map(len, printed.splitlines())) <= width
    rows = [line for line in printed.splitlines() if line.startswith("missing_time ")]
    assert len(rows) == 1, "one table, not one of checks and one of what they mean"
    assert "warning" in rows[0]
    assert "nobody" in rows[0]
    assert "bring" in rows[0]
    assert "exact figures" not in printed, "there are none"


def test_where_a_list_of_checks_is_cut_each_part_names_them(shown):
    printed = shown(checks_table(), 60)
    assert max(map(len, printed.splitlines())) <= 60
    assert sum(line.startswith("missing_time ") for line in printed.splitlines()) == 2


def test_yes_and_no_are_written_as_in_json(shown):
    table = Table("advice", columns_of(length="text", is_best="text"), [("1 year", True), ("1 month", False)])
    assert [line.split()[-1] for line in shown(table, 80).splitlines()[2:]] == ["true", "false"]
    assert csv_text(table) == "length,is_best\n1 year,true\n1 month,false\n"
    assert [row["is_best"] for row in table.documents()] == [True, False]


def test_decimal_points_stand_below_each_other(shown):
    amounts = ("14.40", "0.003125", "755", "-2.5")
    table = Table("burst", columns_of(day="text", amount="money"), [("x", Decimal(amount)) for amount in amounts])
    lines = shown(table, 80).splitlines()[2:]
    assert [line.partition(".")[0] for line in lines] == ["x     14", "x      0", "x    755", "x     -2"]


def test_the_blanks_that_align_decimal_points_count_where_a_table_is_made_to_fit(shown):
    columns = columns_of(account="text", due="money", currency="text", state="text")
    amounts = (("JPY", "18737"), ("KWD", "1.999"))
    table = Table("due", columns, [(ACCOUNT, Decimal(amount), currency, "draft") for currency, amount in amounts])
    for width in range(40, 80):
        printed = shown(table, width).splitlines()
        assert "due" in next(line for line in printed if "state" in line), "one table, not one of what is due and one of the states"
        assert max(map(len, printed)) <= width


def test_prose_has_the_room_that_its_part_of_a_table_leaves(shown):
    columns = columns_of(price_number="text", why_this_level="text", location="text", files="text", effective_from="text")
    why = "a burst level of every location, effective from 2026-01-01T00:00:00Z"
    printed = shown(Table("prices", columns, [("1", why, "every location", "f" * 50, "e" * 50)]), 70)
    assert "2026-01-01T00:00:00Z" in printed
    assert max(map(len, printed.splitlines())) <= 70


def test_no_line_ends_in_blanks(shown):
    for width in (30, 60, 80, 120):
        assert not [line for line in shown(TABLE, width).splitlines() if line.endswith(" ")]


def test_wide_characters_take_two_columns(shown):
    table = Table("usage", columns_of(location="text", held_seconds="seconds"), [("東京", 1), ("GVA", 1)])
    lines = shown(table, 80).splitlines()[3:]
    assert lines == ["東京         1", "GVA          1"]


def test_keys_that_leave_no_room_give_way_to_the_one_that_tells_rows_apart(shown):
    columns = columns_of(drive="text", snapshot="text", status="text", held_seconds="seconds")
    rows = [("the-same-drive-for-all", f"snapshot-{i}", "available", 1_000 + i) for i in range(3)]
    printed = shown(Table("snapshots", columns, rows), 40)
    assert printed.count("the-same-drive-for-all") == 3
    assert [line for line in printed.splitlines() if line.endswith("1,002")] == ["snapshot-2  available  1,002"]


def test_a_step_that_is_a_files_name_is_shown_as_it_is_and_drives_no_terminal(monkeypatch):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")
    with progress(Common(), "Ingesting") as show:
        show("facts[/b]/[red]\x1b]0;x\x07\u202e.csv", 1, 2)
    assert "facts[/b]/[red] ]0;x  .csv" in terminal.getvalue()
