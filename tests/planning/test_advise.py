"""Advice by account, location and length: what it costs to the last digit, what is kept, what growth may do, how it is said."""

import json
import re
import subprocess
import sysconfig
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest
import tools
from small_world import GIB, meter_of, polls, price, subscription, write

from metering.model.errors import MisuseError, NoDataError
from metering.model.period import instant_seconds
from metering.model.records import ChargeLine
from metering.reporting.advice import MOST_DRAWN, advice_page, advice_table, sentence

MONTH = "2026-09-01..2026-10-01"
PRICES = (price("0.10", level=0), price("0.30"))


def month_of(folder, sizes, **more):
    """Open a meter with a September in which a size is held for some days each."""
    samples, day = [], datetime(2026, 9, 1, tzinfo=UTC)
    for size, days in sizes:
        end = day + timedelta(days=days)
        samples += polls(f"{day:%Y-%m-%d}", f"{end:%Y-%m-%d}", {"s": size} if size else {}, step=600)
        day = end
    return meter_of(folder, samples=samples, prices=PRICES, settings={"cycle": 600, "max_hold": 900}, **more)


def best(meter, **options):
    (found,) = (each for each in meter.advise(MONTH, **options).advice if each.is_best)
    return found


def test_the_amount_is_bought_that_is_used_long_enough_to_be_worth_its_price(tmp_path):
    """10 GiB for 12 days and 4 GiB for 18: a month at 0.10 is worth it from a third of the time on, which 10 GiB are used."""
    meter = month_of(tmp_path, [(4 * GIB, 18), (10 * GIB, 12)])
    row = best(meter, lengths=["1 month"])
    assert row.amount_bytes == 10 * GIB
    assert (row.month_cost, row.month_cost_now) == (Decimal(1), Decimal("0.3") * 4 * 18 / 30 + Decimal("0.3") * 10 * 12 / 30)
    assert row.saving == row.month_cost_now - row.month_cost


def test_what_is_used_for_less_than_a_third_of_the_time_stays_burst(tmp_path):
    row = best(month_of(tmp_path, [(4 * GIB, 21), (10 * GIB, 9)]), lengths=["1 month"])
    assert row.amount_bytes == 4 * GIB
    assert row.burst_cost == Decimal("0.3") * 6 * 9 / 30


def test_a_longer_length_is_cheaper_and_so_more_of_it_is_worth_its_price(tmp_path):
    meter = month_of(tmp_path, [(4 * GIB, 21), (10 * GIB, 9)])
    rows = {each.length: each for each in meter.advise(MONTH).advice}
    assert list(rows) == ["1 month", "3 months", "6 months", "1 year"]
    assert {length: row.amount_bytes // GIB for length, row in rows.items()} == {
        "1 month": 4, "3 months": 4, "6 months": 4, "1 year": 10,
    }  # fmt: skip
    assert [row.discount_percent for row in rows.values()] == ["0", "3", "10", "25"]
    assert rows["1 year"].is_best
    assert rows["1 year"].subscription_cost == Decimal("0.75")


def test_what_is_bought_and_lasts_stays_and_what_runs_out_does_not(tmp_path):
    bought = [
        subscription("lasts", 3 * GIB, "2026-09-20T00:00:00Z", "2026-12-29T00:00:00Z"),
        subscription("ends", 9 * GIB, "2026-09-01T00:00:00Z", "2026-10-01T00:00:00Z"),
    ]
    meter = month_of(tmp_path, [(10 * GIB, 30)], subscriptions=bought)
    row = best(meter, lengths=["1 month"])
    assert (row.bought_already_bytes, row.amount_bytes) == (3 * GIB, 7 * GIB)
    lasting = Decimal("0.10") * 3 * (1 - Decimal("0.03"))
    assert (row.month_cost, row.month_cost_now) == (lasting + Decimal("0.7"), lasting + Decimal("2.1"))
    assert (row.subscription_cost, row.burst_cost) == (Decimal("0.7"), 0)
    assert best(meter, lengths=["1 month"], ignore_bought=True).amount_bytes == 10 * GIB
    (curve,) = meter.advise(MONTH, lengths=["1 month"], curves=5).curves
    drawn = dict(curve.points)
    assert (drawn[curve.best_bytes], drawn[0]) == (row.month_cost, row.month_cost_now), "the picture says what the table says"


def test_what_is_bought_by_period_costs_its_price_spread_until_the_noon_at_which_it_ends(tmp_path):
    """Twelve days are paid, and half a day more is had: 10 GiB at 0.10 a month cost 12 / 12.5 of that."""
    bought = [subscription("1", 10 * GIB, "2026-09-25T00:00:00Z", None, period="12 days")]
    row = best(month_of(tmp_path, [(10 * GIB, 30)], subscriptions=bought), lengths=["1 month"])
    assert (row.amount_bytes, row.month_cost, row.month_cost_now) == (0, Decimal("0.96"), Decimal("0.96"))


@pytest.mark.parametrize("names", [("1", "2"), ("2", "1")])
def test_where_nothing_tells_in_the_accounts_currency_what_a_part_of_what_is_bought_cost_no_cost_is_told(tmp_path, names):
    """Bought in dollars for an account in francs: the amount counts, the cost of all that is bought is not known."""
    until = ("2026-09-25T12:00:00Z", "2026-12-24T12:00:00Z")
    bought = [subscription(names[0], GIB, *until, price="5", currency="USD"), subscription(names[1], GIB, *until)]
    row = best(month_of(tmp_path, [(10 * GIB, 30)], subscriptions=bought), lengths=["1 month"])
    assert (row.bought_already_bytes, row.amount_bytes, row.subscription_cost) == (2 * GIB, 8 * GIB, Decimal("0.8"))
    assert (row.month_cost, row.month_cost_now, row.saving) == (None, None, Decimal("1.6"))


def test_a_purchase_costs_what_it_costs_now_and_burst_what_it_cost_then(tmp_path):
    """Subscriptions cost twice as much from the 20th on: 4 GiB for a month are worth 0.20 each, where they burst at 0.30."""
    samples = polls("2026-09-01", "2026-10-01", {"s": 4 * GIB}, step=3_600)
    prices = [*PRICES, price("0.20", level=0, since="2026-09-20")]
    meter = meter_of(tmp_path, samples=samples, prices=prices, settings={"cycle": 3_600, "max_hold": 3_600})
    row = best(meter, lengths=["1 month"])
    assert (row.price, row.month_cost, row.month_cost_now) == ("0.20", Decimal("0.80"), Decimal("1.20"))


def test_where_all_that_is_occupied_is_bought_burst_needs_no_price(tmp_path):
    """To the last byte; a byte more would burst at a price that nobody knows."""
    samples = polls("2026-09-01", "2026-09-11", {"s": 10 * GIB}, step=3_600)
    settings = {"cycle": 3_600, "max_hold": 3_600}
    for amount, advised in ((10 * GIB, 1), (10 * GIB - 1, 0)):
        bought = [subscription("1", amount, "2026-09-01T00:00:00Z", "2027-09-01T00:00:00Z")]
        meter = meter_of(
            tmp_path / str(amount), samples=samples, subscriptions=bought, prices=[price("0.10", level=0)], settings=settings
        )
        found = meter.advise("2026-09-01..2026-09-11", lengths=["1 month"])
        assert (len(found.advice), len(found.unadvised)) == (advised, 1 - advised)


def test_what_takes_over_when_the_history_ends_is_bought_already(tmp_path):
    """What was subscribed in September goes on by another subscription, of less than a year, so at 10 % off."""
    bought = [
        subscription("september", 10 * GIB, "2026-09-01T00:00:00Z", "2026-10-01T00:00:00Z"),
        subscription("after it", 10 * GIB, "2026-10-01T00:00:00Z", "2027-09-27T00:00:00Z"),
        subscription("later", GIB, "2026-10-01T00:00:01Z", "2027-09-27T00:00:00Z"),
    ]
    meter = month_of(tmp_path, [(10 * GIB, 30)], subscriptions=bought)
    row = best(meter, lengths=["1 month"])
    assert (row.bought_already_bytes, row.amount_bytes) == (10 * GIB, 0)
    # 10 GiB at 0.10 a month, less 10 %
    assert row.month_cost == row.month_cost_now == Decimal("0.90")
    assert best(meter, lengths=["1 month"], as_of="2026-09-30T00:00:00Z").bought_already_bytes == 10 * GIB


def test_what_came_to_be_known_after_the_history_was_closed_is_bought_already(tmp_path):
    """September was closed before the list of subscriptions came; who asks what to buy then has 10 GiB, and needs no more."""
    meter = month_of(tmp_path, [(10 * GIB, 30)])
    meter.close(MONTH)
    bought = [subscription("1", 10 * GIB, "2026-09-15T12:00:00Z", "2027-09-15T12:00:00Z")]
    meter.ingest(write(tmp_path / "late", subscriptions=bought))
    row = best(meter, lengths=["1 month"])
    assert (row.bought_already_bytes, row.amount_bytes) == (10 * GIB, 0)
    # 10 GiB at 0.10 a month, less 25 %
    assert row.month_cost == row.month_cost_now == Decimal("0.75")
    before = best(meter, lengths=["1 month"], known_at=1)
    assert (before.bought_already_bytes, before.amount_bytes) == (0, 10 * GIB)


def test_one_that_ends_with_the_history_is_not_taken_to_be_renewed(tmp_path):
    """Its renewal is a purchase to come, which another length may undercut; one that was renewed is known by what follows it."""
    ends = subscription("1", 10 * GIB, "2026-09-01T00:00:00Z", "2026-10-01T00:00:00Z", auto_renew="true")
    row = best(month_of(tmp_path / "ends", [(10 * GIB, 30)], subscriptions=[ends]), lengths=["1 month"])
    assert (row.bought_already_bytes, row.amount_bytes) == (0, 10 * GIB)
    renewed = subscription("2", 10 * GIB, "2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z", auto_renew="true")
    row = best(month_of(tmp_path / "renewed", [(10 * GIB, 30)], subscriptions=[ends, renewed]), lengths=["1 month"])
    assert (row.bought_already_bytes, row.amount_bytes) == (10 * GIB, 0)


def test_amounts_come_in_steps_where_these_are_asked_for(tmp_path):
    meter = month_of(tmp_path, [(10 * GIB + 1, 30)])
    assert best(meter, lengths=["1 month"]).amount_bytes == 10 * GIB + 1
    assert best(meter, lengths=["1 month"], step="4GiB").amount_bytes == 12 * GIB


def test_growth_moves_the_cost_of_the_purchase_and_of_none_at_all(tmp_path):
    """A GiB a day, every day: by the middle of a month of 31 days, 15 GiB more, whichever the percentile."""
    row = best(month_of(tmp_path, [(size * GIB, 1) for size in range(1, 31)]), lengths=["1 month"])
    burst = sum(max(0, size + 15 - row.amount_bytes // GIB) for size in range(1, 31)) * Decimal("0.3") / 30
    assert row.month_cost_p5 == row.month_cost_p95 == row.subscription_cost + burst
    assert row.month_cost_now_p95 == sum(size + 15 for size in range(1, 31)) * Decimal("0.3") / 30


def test_from_a_few_days_no_growth_is_read(tmp_path):
    row = best(month_of(tmp_path, [(GIB, 3)]), lengths=["1 month"])
    assert (row.month_cost_p5, row.month_cost_p95) == (None, None)
    assert row.subscription_cost == Decimal("0.10"), "of a month, however short the history"
    assert sentence(row, {}) == "A in ZRH: buy 1.00 GiB for 1 month: 0.10 CHF a month instead of 0.30"


def test_the_advice_is_said_in_one_sentence(tmp_path):
    meter = month_of(tmp_path, [(1_500 * GIB, 15), (1_400 * GIB, 15)])
    assert sentence(best(meter, step="100GiB", lengths=["1 year"]), {}).startswith(
        "A in ZRH: buy 1,500.00 GiB for 1 year: 112.50 CHF a month instead of 435.00; at the 95th percentile of growth "
    )
    nothing = month_of(tmp_path / "little", [(0, 29), (GIB, 1)])
    assert sentence(best(nothing), {}) == "A in ZRH: buy nothing: 0.01 CHF a month as it is"


def test_where_a_price_is_missing_nothing_is_advised_and_it_is_said_why(tmp_path):
    meter = meter_of(
        tmp_path, samples=polls("2026-09-01", "2026-09-02", {"s": 1}) + polls("2026-09-01", "2026-09-02", {"t": 1}, account="B"),
        prices=[price("0.30")],
    )  # fmt: skip
    advised = meter.advise("2026-09-01")
    assert advised.advice == []
    assert [(row.account, row.reason) for row in advised.unadvised] == [
        ("A", "no CHF price of level 0 is in force"),
        ("B", "the account's currency is not known"),
    ]


def test_growth_into_burst_that_has_no_price_costs_what_nobody_knows(tmp_path):
    """A GiB a day, up to 10: 20 GiB are bought and last, so nothing burst. By the middle of a year it is 182 GiB more."""
    samples = [
        row for day in range(1, 11) for row in polls(f"2026-09-{day:02}", f"2026-09-{day + 1:02}", {"s": day * GIB}, step=3_600)
    ]
    bought = [subscription("1", 20 * GIB, "2026-09-01T00:00:00Z", "2027-09-01T00:00:00Z")]
    meter = meter_of(
        tmp_path, samples=samples, subscriptions=bought, prices=[price("0.10", level=0)],
        settings={"cycle": 3_600, "max_hold": 3_600},
    )  # fmt: skip
    rows = {each.length: each for each in meter.advise("2026-09-01..2026-09-11", lengths=["1 month", "1 year"]).advice}
    kept = Decimal("0.10") * 20 * Decimal("0.75")
    assert {(row.month_cost, row.month_cost_now, row.amount_bytes) for row in rows.values()} == {(kept, kept, 0)}
    assert [(row.month_cost_p5, row.month_cost_now_p95) for row in rows.values()] == [(None, None), (None, None)]
    # 15 days make it 25 GiB, of which 5 burst; in 8 days it fits still.
    (fits,) = meter.advise("2026-09-01..2026-09-11", lengths=["17 days"]).advice
    assert (fits.month_cost_p5, fits.month_cost_now_p95) == (kept, kept)


def test_lengths_that_leave_the_calendar_are_not_advised(tmp_path):
    meter = meter_of(
        tmp_path, samples=polls("9999-08-30", "9999-08-31", {"s": GIB}), prices=PRICES, now=instant_seconds("9999-12-30")
    )
    assert [row.length for row in meter.advise("9999-08-30").advice] == ["1 month", "3 months"]


def test_a_curve_has_its_two_ends_however_few_points_are_asked_for(tmp_path):
    meter = month_of(tmp_path, [(GIB, 10), (2 * GIB, 10), (3 * GIB, 10)])
    for few in (1, 2):
        (curve,) = meter.advise(MONTH, curves=few, lengths=["1 month"]).curves
        assert {GIB, 3 * GIB} <= {amount for amount, _ in curve.points}


def test_what_nobody_observed_has_no_advice_and_that_is_said(tmp_path):
    samples = polls("2026-09-01", "2026-09-03", {"s": GIB}) + polls("2026-09-01", "2026-09-02", {"t": GIB}, account="B")
    samples += polls("2026-09-01", "2026-09-03", {"u": GIB}, account="0")
    accounts = [{"account": account, "currency": "CHF", "name": ""} for account in "AB"]
    meter = meter_of(tmp_path, samples=samples, accounts=accounts, prices=PRICES)
    advised = meter.advise("2026-09-02T12:00:00Z..2026-09-03", lengths=["1 month"])
    assert [row.account for row in advised.advice] == ["A"]
    assert [(row.account, row.location, row.reason) for row in advised.unadvised] == [
        ("0", "ZRH", "the account's currency is not known"),
        ("B", "ZRH", "all of the time is missing: nobody looked"),
    ]
    assert meter.advise("2026-09-02T12:00:00Z..2026-09-03", account="A").unadvised == []


def test_a_purchase_as_advised_costs_in_the_history_what_was_said(tmp_path):
    """The advice is bought, from the first day on, and the bill and the subscriptions' report are asked what it costs."""
    sizes = [(5 * GIB, 7), (9 * GIB, 6), (2 * GIB, 17)]
    row = best(month_of(tmp_path / "before", sizes), lengths=["1 month"])
    bought = [subscription("new", row.amount_bytes, "2026-09-01T00:00:00Z", "2026-10-01T00:00:00Z")]
    meter = month_of(tmp_path / "after", sizes, subscriptions=bought)
    burst = sum((line.amount for line in meter.bill(MONTH).lines if isinstance(line, ChargeLine)), Decimal(0))
    (cost,) = meter.report_table("subscriptions", MONTH).documents()
    assert row.month_cost == burst + Decimal(cost["cost_in_period"])


@pytest.fixture(scope="module")
def one_day(tmp_path_factory):
    return month_of(tmp_path_factory.mktemp("day"), [(GIB, 1)])


@pytest.mark.parametrize("asked", [{"step": "0"}, {"step": "much"}, {"lengths": ["long"]}, {"lengths": ["9000 years"]}])
def test_a_question_that_makes_no_sense_is_refused(one_day, asked):
    with pytest.raises(MisuseError, match=r"^--(step|length) '(0|much|long|9000 years)' (is no|leaves the calendar)"):
        one_day.advise("2026-09-01", **asked)


def test_an_account_without_usage_has_no_advice(one_day):
    with pytest.raises(NoDataError, match="'Z' has no usage"):
        one_day.advise("2026-09-01", account="Z")


def test_the_page_has_a_picture_and_shows_names_as_text(tmp_path):
    name = "<script>alert(1)</script>"
    samples = polls("2026-09-01", "2026-09-05", {"s": 3 * GIB}, account=name) + polls("2026-09-05", "2026-09-09", {}, account=name)
    meter = meter_of(tmp_path, samples=samples, prices=PRICES, accounts=[{"account": name, "currency": "CHF", "name": name}])
    assert meter.advice_page(tmp_path / "advice.html", "2026-09-01..2026-09-09") == 1
    text = (tmp_path / "advice.html").read_text(encoding="utf-8")
    assert text.count("<svg") == text.count('<figure aria-label="What a month costs by how much is bought on top">') == 1
    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_accounts_are_called_by_name_and_costs_have_their_currency_on_the_page(tmp_path):
    samples = polls("2026-09-01", "2026-09-03", {"s": 3 * GIB}, account="A") + polls(
        "2026-09-01", "2026-09-03", {"s": GIB}, account="B"
    )
    accounts = [{"account": "A", "currency": "CHF", "name": "Ann AG"}, {"account": "B", "currency": "USD", "name": "Ben Inc"}]
    prices = [*PRICES, *(row | {"currency": "USD"} for row in PRICES)]
    meter = meter_of(tmp_path, samples=samples, prices=prices, accounts=accounts)
    meter.advice_page(tmp_path / "advice.html", "2026-09-01..2026-09-03")
    text = (tmp_path / "advice.html").read_text(encoding="utf-8")
    assert [heading.split(":")[0] for heading in re.findall("<h2>(.*?)</h2>", text)] == [
        "Ann AG in ZRH", "Ben Inc in ZRH", "Every length",
    ]  # fmt: skip
    assert re.findall(">(cost of a month[^<]*)<", text) == ["cost of a month, CHF", "cost of a month, USD"]
    table = text[text.index("Every length") :]
    assert re.findall("<tr>\\s*<td>(.*?)</td>", table) == ["Ann AG"] * 4 + ["Ben Inc"] * 4


@tools.needs("chromium")
def test_the_page_is_printed_with_every_column_of_its_table(tmp_path):
    meter = month_of(tmp_path, [(3 * GIB, 10), (GIB, 20)])
    meter.advice_page(tmp_path / "advice.html", MONTH)
    page = re.search(rb"/MediaBox \[([0-9. ]+)\]", tools.printed(tmp_path / "advice.html", tmp_path))
    _, _, width, height = map(float, page[1].split())
    assert width > height, "fourteen columns have room on a sheet that lies"


def test_where_every_amount_costs_more_from_the_first_byte_on_there_is_no_curve_to_draw(tmp_path):
    """Nothing is occupied: no amount but none is worth a thought, and a single point is no picture."""
    meter = meter_of(tmp_path, samples=polls("2026-09-01", "2026-09-03", {}), prices=PRICES)
    assert meter.advice_page(tmp_path / "advice.html", "2026-09-01..2026-09-03") == 1
    text = (tmp_path / "advice.html").read_text(encoding="utf-8")
    assert "in ZRH: buy nothing: 0.00 CHF a month as it is</h2>" in text
    assert "<figure" not in text


def test_pictures_that_are_left_out_are_counted(tmp_path):
    advised = month_of(tmp_path, [(3 * GIB, 10), (GIB, 20)]).advise(MONTH, curves=5)
    (curve,) = advised.curves
    for more, told in ((1, "1 account and location"), (2, "2 accounts and locations")):
        advised.curves[:] = [curve] * (MOST_DRAWN + more)
        assert f"<p>{told} that would save less: in the table only</p>" in advice_page(advised, MONTH, {})


def test_a_sheet_of_advice_adds_up_no_alternatives(tmp_path):
    """Four lengths of one purchase are four ways to spend the money once."""
    meter = month_of(tmp_path, [(3 * GIB, 10), (GIB, 20)])
    meter.write(tmp_path / "advice.xlsx", advice_table(meter.advise(MONTH)))
    page = openpyxl.load_workbook(tmp_path / "advice.xlsx")["advice"]
    assert [row[0].value for row in page] == ["account", "A", "A", "A", "A"]


def test_the_command_prints_sentences_json_and_files(tmp_path):
    month_of(tmp_path, [(3 * GIB, 10), (GIB, 20)]).release()
    metering = Path(sysconfig.get_path("scripts")) / "metering"

    def run(*words):
        command = [metering, "advise", "--period", MONTH, "--store", tmp_path / "store.duckdb", *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path).stdout

    assert run("--format", "table").startswith("Müller & <Co> in ZRH: buy ")
    document = json.loads(run("--format", "json"))
    assert document["period"] == MONTH
    assert [row["length"] for row in document["advice"]] == ["1 month", "3 months", "6 months", "1 year"]
    told = [metering, "advise", "--period", MONTH, "--store", tmp_path / "store.duckdb", "-o", "advice.html"]
    assert (
        subprocess.run(told, capture_output=True, text=True, check=True, cwd=tmp_path).stderr
        == "advice.html: 1 account and location\n"
    )
    run("-o", tmp_path / "advice.csv")
    assert (tmp_path / "advice.csv").read_text().count("\n") == 5
