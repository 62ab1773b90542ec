"""Tables for the eye: a figure is never broken, the exact one is there where there is room, and text can do no harm."""

import io
from decimal import Decimal

import pytest

from metering.cli import render
from metering.cli.common import Common, Format
from metering.model.tables import Table, columns_of

ACCOUNT = "0a1be405-5c1a-4e0b-9d3e-6f2a7c4d1b01"
BYTE_SECONDS = 2_508_561_548_574_720_000
COLUMNS = columns_of(account="text", location="text", burst_byte_seconds="byte_seconds", held_seconds="seconds", amount="money")
TABLE = Table("usage", COLUMNS, [(ACCOUNT, "GVA", BYTE_SECONDS, 9_900, Decimal("69.83562500000000000000"))])


@pytest.fixture
def shown(monkeypatch):
    """Print a table on a terminal of some width."""

    def show(table: Table, width: int, *, verbose: bool = False) -> str:
        terminal = io.StringIO()
        monkeypatch.setattr(render, "_console", lambda: render.Console(file=terminal, width=width, highlight=False))
        render.print_table(Common(form=Format.TABLE, verbose=verbose), table)
        return terminal.getvalue()

    return show


def test_where_there_is_room_the_exact_figure_stands_under_the_rounded_one(shown):
    printed = shown(TABLE, 120)
    assert "901.3426" in printed
    assert str(BYTE_SECONDS) in printed
    assert ACCOUNT in printed
    assert "exact figures" not in printed


def test_where_there_is_no_room_the_rounded_figure_stands_alone_and_a_line_says_how_to_see_the_exact_one(shown):
    printed = shown(TABLE, 80)
    assert "901.3426" in printed
    assert str(BYTE_SECONDS) not in printed
    assert "exact figures: a wider terminal, -v" in printed


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
    words, units = shown(TABLE, 120).splitlines()[1:3]
    assert words.split() == ["burst", "held"]
    assert units.split() == ["account", "location", "GiB-months", "s", "amount"]


@pytest.mark.parametrize(
    ("amount", "exact", "rounded"),
    [
        ("69.83562500000000000000", "69.835625", "69.835625"),
        ("14.40000000000000000000", "14.40", "14.40"),
        ("754.50000000000000000000", "754.50", "754.50"),
        ("0.04666666666666666667", "0.04666666666666666667", "0.046667"),
        ("0.00000000000000000000", "0.00", "0.00"),
        ("-0.30000000000000000000", "-0.30", "-0.30"),
        ("755", "755", "755"),
        ("12345678901234567890.12345678901234567890", "12345678901234567890.1234567890123456789", "12345678901234567890.123457"),
    ],
)
def test_an_amount_is_shown_without_idle_zeros_and_rounded_only_where_there_is_no_room(amount, exact, rounded):
    assert render._shown_money(Decimal(amount), exact=True) == exact
    assert render._shown_money(Decimal(amount), exact=False) == rounded


def test_what_is_not_known_is_a_dash_and_not_a_zero(shown):
    table = Table("usage", columns_of(account="text", amount="money"), [("acme", None)])
    assert shown(table, 80).splitlines()[-2].split() == ["acme", "–"]


def test_a_name_from_outside_cannot_drive_the_terminal(shown):
    table = Table("usage", columns_of(account="text"), [("\x1b[2Jacme\x07 [bold]x[/bold]\u202e",)])
    printed = shown(table, 80)
    assert "\x1b" not in printed
    assert "\x07" not in printed
    assert "\u202e" not in printed
    assert "[bold]x[/bold]" in printed


def test_an_empty_table_says_so(shown):
    assert shown(Table("burst", COLUMNS, []), 80) == "no rows in burst\n"
