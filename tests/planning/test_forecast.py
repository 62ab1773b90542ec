"""Forecasts: sizes ahead by the library, in whole bytes; when burst begins, what the month will cost, what runs out."""

import builtins
import json
import os
import random
import subprocess
import sys
import sysconfig
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import accumulate
from pathlib import Path

import pytest
from small_world import GIB, meter_of, polls, price, subscription, write

from metering.model.errors import MisuseError, NoDataError
from metering.model.period import SECONDS_PER_DAY, instant_seconds
from metering.planning.forecasting import Backtest, backtest, daily_sizes, forecast
from metering.planning.growth import Day
from metering.reporting.ahead import outlook_sentence

NOVEMBER = instant_seconds("2026-11-01")


def month_of(folder, sizes, **more):
    """Open a meter with days of one size each, up to the end of October."""
    samples, day = [], datetime(2026, 11, 1, tzinfo=UTC) - timedelta(days=len(sizes))
    for size in sizes:
        samples += polls(f"{day:%Y-%m-%d}", f"{day + timedelta(days=1):%Y-%m-%d}", {"s": size}, step=3_600)
        day += timedelta(days=1)
    settings = {"cycle": 3_600, "max_hold": 3_600}
    return meter_of(folder, samples=samples, settings=settings, **{"prices": [price("0.30")], **more})


def test_a_size_that_never_changes_stays_and_its_burst_is_known_to_the_cent(tmp_path):
    """10 GiB, of which 4 are subscribed until 10 November noon: 6 burst until then, 10 after it."""
    bought = [subscription("1", 4 * GIB, "2026-10-20T12:00:00Z", "2026-11-10T12:00:00Z", auto_renew="true")]
    found = month_of(tmp_path, [10 * GIB] * 12, subscriptions=bought).forecast()
    (outlook,) = found.outlooks
    assert (outlook.burst_begins, outlook.error_percent, outlook.backtest_days) == (NOVEMBER, None, None)
    days = Decimal("9.5") * 6 + Decimal("20.5") * 10
    assert outlook.burst_cost_month == outlook.burst_cost_month_p5 == outlook.burst_cost_month_p95 == days * Decimal("0.01")
    assert outlook.burst_cost_so_far == 0
    assert [day.entitled_bytes // GIB for day in found.days[8:11]] == [4, 0, 0]
    assert [(row.id, row.auto_renew) for row in found.runs_out] == [("1", "true")]


def test_what_came_to_be_known_after_the_history_was_closed_is_entitled_ahead(tmp_path):
    """All of October was closed; then 4 GiB, and a price twice as high, came to be known."""
    meter = month_of(tmp_path, [10 * GIB] * 31)
    meter.close("2026-10")
    assert meter.forecast().outlooks[0].burst_cost_month == Decimal(3)
    bought = [subscription("1", 4 * GIB, "2026-10-20T12:00:00Z", "2027-10-20T12:00:00Z")]
    late = write(tmp_path / "late", subscriptions=bought, prices=[price("0.60", since="2026-10-31")])
    meter.ingest(late)
    found = meter.forecast()
    assert {day.entitled_bytes for day in found.days} == {4 * GIB}
    # 6 GiB for a month of 30 days
    assert found.outlooks[0].burst_cost_month == Decimal("3.6")
    assert meter.forecast(known_at=1).outlooks[0].burst_cost_month == Decimal(3)


def test_burst_ahead_has_the_price_that_is_in_force_where_the_days_ahead_begin(tmp_path):
    """A price list of November came in October: 10 GiB for its 30 days are at 0.60, the days of October were at 0.30."""
    prices = [price("0.30"), price("0.60", since="2026-11-01")]
    (outlook,) = month_of(tmp_path, [10 * GIB] * 12, prices=prices).forecast().outlooks
    assert (outlook.month, outlook.burst_cost_month) == ("2026-11", Decimal(6))


def test_burst_begins_on_the_day_on_which_the_least_that_is_entitled_is_passed(tmp_path):
    """20 GiB are subscribed until noon, and 10 from then on: to have just what is subscribed is no burst, a byte more is."""
    for size, begins in ((10 * GIB, None), (10 * GIB + 1, NOVEMBER + 9 * SECONDS_PER_DAY)):
        bought = [
            subscription("more", 10 * GIB, "2026-10-01T12:00:00Z", "2026-11-10T12:00:00Z"),
            subscription("1", 10 * GIB, "2026-10-01T12:00:00Z", "2027-10-01T12:00:00Z"),
        ]
        (outlook,) = month_of(tmp_path / str(size), [size] * 12, subscriptions=bought).forecast().outlooks
        assert (outlook.burst_begins, outlook.burst_begins_early, outlook.burst_begins_late) == (begins, begins, begins)
        assert (outlook.burst_cost_month == 0) == (begins is None)


def test_what_ends_from_the_first_of_the_days_ahead_until_before_their_end_runs_out(tmp_path):
    ends = {"over": "2026-10-31T23:59:59Z", "first": "2026-11-01", "last": "2026-11-14T23:59:59Z", "after": "2026-11-15"}
    bought = [subscription(name, GIB, "2026-10-01T12:00:00Z", end) for name, end in ends.items()]
    found = month_of(tmp_path, [GIB] * 12, subscriptions=bought).forecast(days=14)
    assert [row.id for row in found.runs_out] == ["first", "last"]


def test_of_two_accounts_the_one_that_is_asked_for_is_forecast_and_one_whose_polls_ended_before_is_not(tmp_path):
    other = polls("2026-10-12", "2026-10-27", {"t": GIB}, account="B", step=3_600)
    accounts = [{"account": account, "currency": "CHF", "name": ""} for account in "AB"]
    meter = month_of(tmp_path, [GIB] * 20, accounts=accounts)
    meter.ingest(write(tmp_path / "other", samples=other))
    found = meter.forecast()
    assert ([row.account for row in found.outlooks], found.unforecast) == (["A"], [("B", "ZRH")])
    before = meter.forecast(as_of="2026-10-27T00:00:00Z")
    assert [row.account for row in before.outlooks] == ["A", "B"]
    only = meter.forecast(account="B", as_of="2026-10-27T00:00:00Z")
    assert [row.account for row in only.outlooks] == ["B"]


def test_a_month_that_burst_without_a_price_has_no_cost(tmp_path):
    """There was no price until 20 October: what the days before it cost nobody can tell, and so not what the month will cost."""
    meter = month_of(tmp_path, [GIB] * 20, prices=[price("0.30", since="2026-10-20")])
    (outlook,) = meter.forecast(as_of="2026-10-28T00:00:00Z").outlooks
    assert (outlook.burst_cost_so_far, outlook.burst_cost_month, outlook.burst_cost_month_p95) == (None, None, None)


def test_what_burst_in_the_month_so_far_counts(tmp_path):
    found = month_of(tmp_path, [10 * GIB] * 20).forecast(as_of="2026-10-28T00:00:00Z")
    (outlook,) = found.outlooks
    # 16 days were polled, from 12 October on, and 4 are left
    assert (outlook.month, outlook.burst_cost_so_far, outlook.burst_cost_month) == ("2026-10", Decimal("1.6"), Decimal(2))
    (whole,) = month_of(tmp_path / "whole", [10 * GIB] * 31).forecast(as_of="2026-10-28T00:00:00Z").outlooks
    assert whole.burst_cost_so_far == Decimal("2.7"), "from the first day of the month on"


def test_the_whole_month_so_far_counts_however_short_the_history_is_that_is_learnt_from(tmp_path):
    """From 12 October on 100 GiB for 4 days and 10 for 12: a forecast from the last 12 is of 10, the cost is of all 16."""
    sizes = [100 * GIB] * 4 + [10 * GIB] * 16
    found = month_of(tmp_path, sizes).forecast(history_days=12, as_of="2026-10-28T00:00:00Z")
    (outlook,) = found.outlooks
    assert (outlook.burst_cost_so_far, outlook.burst_cost_month) == (Decimal("5.2"), Decimal("5.6"))
    assert {day.expected_bytes for day in found.days} == {10 * GIB}
    few = month_of(tmp_path / "few", sizes).forecast(history_days=9, as_of="2026-10-28T00:00:00Z")
    assert (few.outlooks, few.unforecast) == ([], [("A", "ZRH")])


def test_what_grows_is_expected_to_go_on_and_burst_to_begin_when_it_passes_what_is_subscribed(tmp_path):
    sizes = [(100 + 10 * day) * GIB for day in range(40)]
    bought = [subscription("1", 600 * GIB, "2026-09-01T00:00:00Z", "2027-09-01T00:00:00Z")]
    found = month_of(tmp_path, sizes, subscriptions=bought).forecast(days=40)
    (outlook,) = found.outlooks
    assert outlook.error_percent < 20
    assert outlook.burst_begins_early <= outlook.burst_begins
    assert NOVEMBER < outlook.burst_begins < NOVEMBER + 30 * SECONDS_PER_DAY
    first = next(day for day in found.days if day.expected_bytes > day.entitled_bytes)
    assert first.day == outlook.burst_begins
    assert all(day.low_bytes <= day.expected_bytes <= day.high_bytes for day in found.days)
    assert outlook_sentence(outlook, {}, found.end).startswith("A in ZRH: burst from 2026-11-")


def test_the_bounds_of_a_day_ahead_are_its_5th_and_95th_percentile():
    """Each day a GiB more or less by chance, so in 25 days √25 = 5: 5 % of what is normal lie above 1.645 standard deviations."""
    chance = random.Random(7)
    sizes = list(accumulate((chance.choice((-GIB, GIB)) for _ in range(400)), initial=1_000 * GIB))
    ahead = forecast(sizes, 25)
    for days, deviation in ((1, GIB), (25, 5 * GIB)):
        day = ahead[days - 1]
        for reach in (day.high_bytes - day.expected_bytes, day.expected_bytes - day.low_bytes):
            assert abs(reach - deviation * 1_645 // 1_000) < deviation // 20


def test_what_jumps_about_is_told_with_its_range(tmp_path):
    sizes = [(100 + 90 * (day * 7 % 5)) * GIB for day in range(30)]
    bought = [subscription("1", 260 * GIB, "2026-09-01T00:00:00Z", "2027-09-01T00:00:00Z")]
    found = month_of(tmp_path, sizes, subscriptions=bought).forecast()
    (outlook,) = found.outlooks
    said = outlook_sentence(outlook, {"A": "Ann AG"}, found.end)
    assert said.startswith("Ann AG in ZRH: ")
    assert outlook.burst_begins_late is None
    assert outlook.burst_cost_month_p5 < outlook.burst_cost_month < outlook.burst_cost_month_p95
    first_s = instant_seconds("2026-11-01T00:00:00Z")
    early = outlook.model_copy(update={"burst_begins": first_s, "burst_begins_early": first_s})
    assert ": burst is likely and may begin on 2026-11-01, if at all; " in outlook_sentence(early, {}, found.end)
    assert "may begin on 2026-11-01" in said or said.split("; ")[0].endswith("2026-11-01 at the earliest, if at all")


def test_what_was_known_before_is_forecast_from_where_it_ended(tmp_path):
    """Fifteen days were known by the first ingest: what comes is the sixteenth, whatever came later."""
    meter = month_of(tmp_path, [10 * GIB] * 15)
    november = polls("2026-11-01", "2026-11-06", {"s": 99 * GIB}, step=3_600)
    meter.ingest(write(tmp_path / "november", samples=november))
    found = meter.forecast(known_at=1)
    (outlook,) = found.outlooks
    assert (outlook.month, outlook.history_days, found.days[0].day) == ("2026-11", 15, NOVEMBER)
    assert {day.expected_bytes for day in found.days} == {10 * GIB}
    assert meter.forecast().days[0].day == NOVEMBER + 5 * SECONDS_PER_DAY
    with pytest.raises(NoDataError, match="nothing was known by then: the first polls came with ingest 1"):
        meter.forecast(known_at=0)


def test_a_day_is_whole_when_the_clock_has_reached_its_end(tmp_path):
    """The poll of 23:00 holds beyond 23:30, where time ends: the day is not over, and its cost is ahead like that of the rest."""
    found = month_of(tmp_path, [10 * GIB] * 20).forecast(as_of="2026-10-27T23:30:00Z")
    (outlook,) = found.outlooks
    # 15 whole days were polled, from 12 October on, and 5 are left.
    assert (outlook.history_days, outlook.burst_cost_so_far, outlook.burst_cost_month) == (15, Decimal("1.5"), Decimal(2))
    assert found.days[0].day == NOVEMBER - 5 * SECONDS_PER_DAY


def test_polls_that_are_dated_after_the_clock_move_no_forecast(tmp_path):
    """A machine whose clock was a year ahead dated one poll so: it is not used, and days ahead begin where the others end."""
    meter = month_of(tmp_path, [10 * GIB] * 12, now=NOVEMBER + 3_600)
    meter.ingest(write(tmp_path / "ahead", samples=polls("2027-10-31", "2027-11-01", {"s": GIB}, step=86_400)))
    found = meter.forecast()
    assert [outlook.history_days for outlook in found.outlooks] == [12]
    assert found.days[0].day == NOVEMBER


def test_that_no_burst_is_likely_is_said_of_the_days_ahead_and_of_no_others(tmp_path):
    """Its subscription runs out behind the seven days that were asked for, and the month will cost something."""
    bought = [subscription("1", 20 * GIB, "2026-09-01T00:00:00Z", "2026-11-15T00:00:00Z")]
    meter = month_of(tmp_path, [10 * GIB] * 30, subscriptions=bought)
    week = meter.forecast(days=7)
    assert week.end == instant_seconds("2026-11-08")
    told = outlook_sentence(week.outlooks[0], {}, week.end)
    # 10 GiB for 16 of November's 30 days at 0.30 a GiB-month.
    assert told.startswith("A in ZRH: no burst is likely before 2026-11-08; burst of 2026-11 about 1.60 CHF (1.60 to 1.60)")
    month = meter.forecast(days=30)
    assert outlook_sentence(month.outlooks[0], {}, month.end).startswith("A in ZRH: burst from 2026-11-15 on; ")


def test_from_too_few_days_nothing_is_forecast_and_that_is_said(tmp_path):
    found = month_of(tmp_path, [GIB] * 9).forecast()
    assert (found.outlooks, found.unforecast) == ([], [("A", "ZRH")])
    found = month_of(tmp_path / "enough", [GIB] * 10).forecast()
    assert ([outlook.history_days for outlook in found.outlooks], found.unforecast) == ([10], [])


def test_weekdays_tell_from_three_weeks_on():
    """Five days at 100, two at 10, from a Monday on: twenty days say nothing of weekends, the twenty-first makes them out."""
    sizes = [100 * GIB] * 5 + [10 * GIB] * 2

    def spread(known):
        expected = [each.expected_bytes for each in forecast(known, 7)]
        return max(expected) - min(expected)

    assert spread((sizes * 3)[1:]) < 20 * GIB
    assert spread(sizes * 3) > 60 * GIB


def test_days_that_were_not_observed_are_as_the_last_one_that_was():
    days = [Day(0, 5, 86_400), Day(86_400, 9, 300), Day(3 * 86_400, 7, 86_400)]
    assert daily_sizes(days) == [5, 5, 5, 7]
    assert daily_sizes([]) == []


def test_sizes_ahead_are_whole_bytes_and_never_below_zero():
    ahead = forecast([max(0, 2**62 - day * 2**57) for day in range(30)], 30)
    assert all(isinstance(each.expected_bytes, int) and each.low_bytes >= 0 for each in ahead)
    assert ahead[-1].low_bytes == 0


def test_the_method_is_tested_on_days_that_it_did_not_see():
    assert backtest([7] * 30, 10) == Backtest(10, 0)
    assert backtest([100] * 20 + [200] * 10, 10).error_permille >= 300
    assert backtest([7] * 12, 10) is None


def test_without_the_library_it_is_said_what_to_install(monkeypatch):
    real = builtins.__import__

    def missing(name, *rest):
        if name.startswith("statsmodels"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(MisuseError, match=r"pip install 'metering\[forecast\]'"):
        forecast([1, 2, 3], 3)


def test_questions_without_sense_or_history_are_refused(tmp_path):
    with pytest.raises(MisuseError, match="--days"):
        month_of(tmp_path / "a", [GIB]).forecast(days=0)
    with pytest.raises(NoDataError, match="no whole day"):
        month_of(tmp_path / "b", [GIB]).forecast(as_of="2026-10-31T12:00:00Z")


def test_the_command_says_it_in_sentences_and_in_json(tmp_path):
    month_of(tmp_path, [3 * GIB] * 15).release()
    (tmp_path / "metering.toml").write_text("cycle = 3600\nmax_hold = 3600\n")
    command = [Path(sysconfig.get_path("scripts")) / "metering", "forecast", "--store", "store.duckdb"]

    def run(*words):
        return subprocess.run([*command, *words], capture_output=True, text=True, check=True, cwd=tmp_path).stdout

    said = run("--format", "table")
    assert said.startswith(
        "Müller & <Co> in ZRH: burst from 2026-11-01 on; burst of 2026-11 about 0.90 CHF (0.90 to 0.90); on the last 5 days "
        "the method was off by 0.0 %"
    )
    document = json.loads(run("--format", "json", "--days", "3"))
    assert [day["expected_bytes"] for day in document["days"]] == [str(3 * GIB)] * 3
    assert document["outlooks"][0]["burst_begins"] == "2026-11-01"
    assert (document["outlooks"][0]["history_days"], document["outlooks"][0]["backtest_days"]) == (15, 3)


BOUNDS = """
import os, sys
class Finder:
    def find_spec(name, *_):
        if name == "scipy":
            print(os.environ.get("OPENBLAS_NUM_THREADS"))
sys.meta_path.insert(0, Finder)
from metering.planning.forecasting import backtest, forecast
sizes = [(100 + 2 * day) * 2**30 for day in range(40)]
# The library warns of these, the first time as well.
first = forecast(sizes, 14)
tested = backtest(sizes, 14)
from statsmodels.tsa.forecasting.theta import ThetaModelResults
bounds = ThetaModelResults.prediction_intervals
ThetaModelResults.prediction_intervals = lambda *words, **more: print("bounds") or bounds(*words, **more)
assert backtest(sizes, 14) == tested
assert forecast(sizes, 14) == first
print(os.environ.get("OPENBLAS_NUM_THREADS"))
"""


@pytest.mark.parametrize(("said", "loaded"), [({}, ["1", "bounds", "None"]), ({"OPENBLAS_NUM_THREADS": "2"}, ["2", "bounds", "2"])])
def test_bounds_are_worked_out_for_what_is_ahead_alone_and_by_one_thread_unless_its_user_says_otherwise(said, loaded):
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    # A program of its own: how many threads there are is decided where the library is loaded first.
    done = subprocess.run([sys.executable, "-c", BOUNDS], capture_output=True, text=True, env=environment | said, check=True)
    assert (done.stdout.split(), done.stderr) == (loaded, "")
