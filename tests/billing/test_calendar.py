"""The calendar in UTC: days and months tile, a wall clock that is put back moves nothing, and a month is 30 days of a price."""

import time
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from small_world import GIB, meter_of, polls, price

from metering.model.period import parse_period

HOURLY = {"cycle": 3_600, "max_hold": 3_600}


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"])
def test_a_day_has_24_hours_even_where_the_wall_clock_is_changed(tmp_path, monkeypatch, day):
    monkeypatch.setenv("TZ", "Europe/Zurich")
    time.tzset()
    try:
        following = day[:-2] + str(int(day[-2:]) + 1)
        rows = polls(day, following, {"s": GIB}, step=3_600)
        for row in rows:  # as a clock on a wall in Zurich shows the same instants
            row["poll_time"] = datetime.fromisoformat(row["poll_time"]).astimezone(ZoneInfo("Europe/Zurich")).isoformat()
        with meter_of(tmp_path, samples=rows, settings=HOURLY) as meter:
            (usage,) = meter.bill(day).usage
        assert (usage.measured_seconds, usage.occupied_byte_seconds) == (86_400, 86_400 * GIB)
    finally:
        monkeypatch.undo()
        time.tzset()


def test_months_and_days_tile_leap_days_included():
    months = [parse_period(f"{year}-{month:02}") for year in range(2023, 2030) for month in range(1, 13)]
    days = [parse_period(f"2024-{month:02}-{day:02}") for month, day in ((2, 27), (2, 28), (2, 29), (3, 1), (3, 2))]
    for periods in (months, days):
        assert all(before.end_s == after.start_s for before, after in pairwise(periods))
    assert {(month.end_s - month.start_s) // 86_400 for month in months if month.text.endswith("-02")} == {28, 29}


@pytest.mark.parametrize(("month", "following", "amount"), [("2026-02", "2026-03", "0.28"), ("2026-03", "2026-04", "0.31")])
def test_a_price_per_month_is_for_30_days_whatever_the_month(tmp_path, month, following, amount):
    rows = polls(f"{month}-01", f"{following}-01", {"s": GIB}, step=3_600)
    with meter_of(tmp_path, samples=rows, prices=[price("0.30")], settings=HOURLY) as meter:
        (statement,) = meter.bill(month).statements
    assert Decimal(statement.burst_amount) == Decimal(amount)
