"""A bill for the eye: who owes what, who burst when, what is doubtful, on a terminal of 80 columns as well."""

import io
import re
from decimal import Decimal

import pytest
from rich.cells import cell_len

from metering.cli import bill_view, render
from metering.cli.common import Common, Format
from metering.model.records import Bill, BilledPeriod, ChargeLine, Episode, Finding, Statement, UsageRow

GIB = 2**30
DAY = 86_400
OCTOBER_1 = 1_790_812_800
ALPENROSE, KUMO = "0a1be405-5c1a-4e0b-9d3e-6f2a7c4d1b01", "8c3b0d77-41fe-4c2a-b1d9-7a5e60f4d003"


def usage(account, **measures):
    zero = dict.fromkeys(UsageRow.model_fields, 0) | {"account": account, "location": "GVA", "measured_seconds": 31 * DAY}
    return UsageRow(**(zero | measures))


def episode(day, gib=400, currency="CHF", amount="3.60000000000000000000"):
    return Episode(
        account=ALPENROSE, location="GVA", start=OCTOBER_1 + day * DAY, end=OCTOBER_1 + (day + 1) * DAY,
        peak_burst_bytes=gib * GIB, burst_byte_seconds=gib * GIB * DAY, currency=currency,
        amount=amount and Decimal(amount),
    )  # fmt: skip


def statement(account=ALPENROSE, name="Alpenrose Käserei AG", currency="CHF", state="draft", due="69.84"):
    return Statement(
        account=account, name=name, currency=currency, state=state, burst_amount=Decimal("69.83562500000000000000"),
        amount_due=due and Decimal(due),
    )  # fmt: skip


def finding(severity, check="missing_time", account=ALPENROSE, location="GVA", message="nobody looked"):
    return Finding(check=check, severity=severity, account=account, location=location, message=message)


def bill(statements=(), usages=(), episodes=(), findings=()):
    return Bill(
        period=BilledPeriod(start=OCTOBER_1, end=OCTOBER_1 + 31 * DAY, as_of=OCTOBER_1 + 31 * DAY), usage=list(usages), lines=[],
        episodes=list(episodes), statements=list(statements), findings=list(findings),
    )  # fmt: skip


@pytest.fixture
def shown(monkeypatch):
    """Print a bill on a terminal of some width."""

    def show(made: Bill, width: int = 80, *, verbose: bool = False) -> str:
        terminal = io.StringIO()
        monkeypatch.setattr(bill_view, "console", lambda: render.Console(file=terminal, width=width, highlight=False))
        bill_view.print_bill(Common(form=Format.TABLE, verbose=verbose), made)
        return terminal.getvalue()

    return show


def test_the_whole_bill_fits_eighty_columns_without_breaking_a_figure(shown):
    large = 10**6 * GIB
    made = bill(
        [statement(), statement(KUMO, "Kumo Analytics K.K.", "JPY", due="755"), statement("a", None, None, "parked", None)],
        [
            usage(ALPENROSE, occupied_byte_seconds=large * DAY, burst_byte_seconds=large * DAY, peak_occupied_bytes=large),
            usage(KUMO),
        ],
        [episode(1), episode(3, amount=None)],
        [finding("error", message="a long message that goes on and on " * 5)],
    )
    printed = shown(made)
    assert max(map(len, printed.splitlines())) <= 80
    for figure in ("69.835625", "69.84", "755", "33,333.3333", "1,000,000.00", "10-02 00:00:00", "400.00", "3.60"):
        assert figure in printed


def test_a_hundred_and_twenty_columns_hold_the_exact_figures_too(shown):
    printed = shown(bill([statement()], [usage(ALPENROSE, occupied_byte_seconds=2_508_561_548_574_720_000)]), 120)
    assert "2508561548574720000" in printed
    assert "901.3426" in printed
    assert "exact figures" not in printed


def test_time_that_nobody_observed_is_never_rounded_away(shown):
    """One second of 31 days: 100 − 100 ÷ 2 678 400 = 99.99996… %; and 43 200 of them: 98.38709… %."""
    one = usage(ALPENROSE, measured_seconds=31 * DAY - 1, missing_seconds=1)
    many = usage(ALPENROSE, location="ZRH", measured_seconds=31 * DAY - 43_201, held_seconds=1, missing_seconds=43_200)
    text = shown(bill(usages=[one, many]))
    assert "99.99 %" in text
    assert "100.00 %" not in text
    assert "98.38 %" in text


def test_an_account_is_named_once_with_its_identifier_and_then_by_name(shown):
    printed = shown(bill([statement()], [usage(ALPENROSE)], [episode(1)], [finding("warning")]))
    assert printed.count(ALPENROSE) == 1
    assert printed.count("Alpenrose Käserei AG") == 4


LONG = "Schweizerische Genossenschaft für Datensicherung und Archivierung AG"


@pytest.mark.parametrize("width", [50, 60, 80, 100, 140, 1_000])
@pytest.mark.parametrize("name", [LONG, " ".join([LONG] * 5)[:300], "x" * 300, "株式会社" * 40])
def test_a_long_name_breaks_no_statement_apart(shown, width, name):
    printed = shown(bill([statement(name=name), statement(KUMO, "Kumo Analytics K.K.", "JPY", due="755")]), width)
    statements = printed[: printed.index("Due in all")]
    assert statements.count("burst amount") == 1, "one table"
    rows = [line for line in statements.splitlines() if "69.835625" in line]
    assert [line.split()[-5:] for line in rows] == [
        ["0", "69.835625", "69.84", "CHF", "draft"], ["0", "69.835625", "755", "JPY", "draft"],
    ]  # fmt: skip
    assert max(map(cell_len, (*rows, "─" * statements.count("─")))) <= min(width, 101)
    named = re.sub(r"( 0 +69\.835625.*)?\n", "\n", statements)
    assert "".join(f"{name}{ALPENROSE}KumoAnalyticsK.K.{KUMO}".split()) in "".join(named.split()), "no word is lost"


def test_a_long_name_is_folded_between_words_beside_its_figures(shown):
    printed = shown(bill([statement(name=LONG)]), 80)
    assert printed.splitlines()[2:7] == [
        "account                                   lines  burst amount    due       state",
        "─" * 80,
        "Schweizerische Genossenschaft für             0     69.835625  69.84  CHF  draft",
        "Datensicherung und Archivierung AG",
        ALPENROSE,
    ]


def test_where_nothing_fits_an_amount_due_keeps_its_currency(shown):
    printed = shown(bill([statement(name=LONG)]), 24)
    assert [line.split() for line in printed.splitlines() if line.lstrip().startswith("69.84")] == [["69.84", "CHF", "draft"]]


def test_an_episode_keeps_its_currency_where_its_table_is_cut(shown):
    printed = shown(bill([statement()], episodes=[episode(1)]), 40)
    assert [line.split()[-2:] for line in printed.splitlines() if "3.60" in line] == [["3.60", "CHF"]]


def test_two_accounts_of_one_name_keep_their_identifiers(shown):
    made = bill([statement(), statement(KUMO)], [usage(ALPENROSE), usage(KUMO)])
    assert shown(made).count(ALPENROSE) == 2


def test_an_account_without_a_name_is_called_by_its_identifier(shown):
    assert ALPENROSE in shown(bill([statement(name=None)]))


def test_what_is_due_is_summed_by_currency_and_parked_statements_are_in_no_sum(shown):
    made = bill([
        statement(), statement(KUMO, "Kumo", "JPY", due="755"), statement("b", "B", due="0.16"),
        statement("c", "C", state="parked", due=None),
    ])  # fmt: skip
    assert "Due in all: 70.00 CHF · 755 JPY · 1 statement parked" in shown(made)
    assert "Due in all:\n  70.00 CHF\n  755 JPY\n  1 statement parked\n" in shown(made, 40), "an amount stays with its currency"


def test_one_episode_is_one_episode(shown):
    assert "Burst: 1 episode, 0 charge lines" in shown(bill([statement()], episodes=[episode(1)]))
    assert "Burst: 2 episodes, 0 charge lines" in shown(bill([statement()], episodes=[episode(1), episode(3)]))


def test_the_largest_twenty_episodes_are_shown_in_their_order_and_all_of_them_on_demand(shown):
    made = bill([statement()], episodes=[episode(day, gib=day + 1) for day in range(21)])
    printed = shown(made)
    assert "1 smaller episode is not shown: `metering report burst --period 2026-10` lists all" in printed
    assert "10-01 00:00:00" not in printed
    assert printed.index("10-02 00:00:00") < printed.index("10-21 00:00:00")
    assert "10-01 00:00:00" in shown(made, verbose=True)


def test_episodes_of_more_than_one_year_name_the_year(shown):
    printed = shown(bill([statement()], episodes=[episode(1), episode(100)]), 120)
    assert "2026-10-02 00:00:00" in printed
    assert "2027-01-09 00:00:00" in printed


def test_the_worst_findings_come_first_and_what_is_only_for_information_is_counted(shown):
    made = bill(
        [statement()], findings=[finding("info", "held_time"), finding("warning"), finding("error", "rejected_rows", location=None)]
    )
    printed = shown(made)
    assert "Findings: 1 error, 1 warning, 1 for information" in printed
    assert printed.index("rejected_rows") < printed.index("missing_time")
    assert "Alpenrose Käserei AG: nobody looked" in printed
    assert "Alpenrose Käserei AG, GVA: nobody looked" in printed
    assert "for information: held_time 1 (-v tells more)" in printed
    assert "for information: held" not in shown(made, verbose=True)


def test_missing_time_says_where_to_look_up_when(shown):
    made = bill([statement()], [usage(ALPENROSE, missing_seconds=9_900)], findings=[finding("warning")])
    assert "when: `metering report coverage --period 2026-10 --by interval`" in shown(made)
    assert "99.63 %" in shown(made)


def test_a_bill_of_nobody_owes_nothing(shown):
    assert "Due in all: nothing" in shown(bill())


def test_an_amount_with_adjustments_in_it_is_not_headed_as_burst_alone(shown):
    made = bill([statement()])
    assert "burst amount" in shown(made, 120)
    late = ChargeLine(
        charge_id="2026-10-01-a", kind="adjustment", account=ALPENROSE, location="GVA", date=OCTOBER_1, level=1, currency="CHF",
        price="0.27", unit="GB/month", multiplier=1, burst_byte_seconds=1, burst_seconds=1, peak_burst_bytes=1,
        amount=Decimal("1.00000000000000000000"), adjusts="2026-09",
    )  # fmt: skip
    printed = shown(made.model_copy(update={"lines": [late]}), 120)
    assert "burst amount" not in printed
    above, below = printed.splitlines()[2:4]
    assert (above.split(), below.split()) == (["burst", "and"], ["account", "lines", "adjustments", "due", "state"])


def test_no_colour_is_lost_on_a_white_terminal_or_on_a_black_one(monkeypatch):
    terminal = io.StringIO()
    wide = render.Console(file=terminal, width=120, highlight=False, force_terminal=True, color_system="standard")
    monkeypatch.setattr(bill_view, "console", lambda: wide)
    made = bill(
        [statement(state="parked")], [usage(ALPENROSE, missing_seconds=DAY)], [episode(1)], [finding("warning"), finding("error")]
    )
    bill_view.print_bill(Common(form=Format.TABLE), made)
    codes = {code for codes in re.findall("\x1b\\[([0-9;]*)m", terminal.getvalue()) for code in codes.split(";")}
    assert {"31", "35"} <= codes, "errors and warnings are told apart"
    assert not codes & {"30", "33", "36", "37", "90", "93", "96", "97"}
