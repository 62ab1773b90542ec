"""Gaps filled from the provider's own samples: none lost, none doubled, and never a poll of our own overridden."""

import csv
from decimal import Decimal
from itertools import pairwise

import pytest
import stamina
from collect_help import Rig
from hypothesis import given
from hypothesis import strategies as st
from sandbox_help import START_S

from metering.collector.account_gaps import gaps_between
from metering.collector.backfill import windows_of
from metering.collector.usage_polls import Gap, gaps_in
from metering.model.period import Period, instant_text
from metering.sandbox import running
from metering.sandbox.world_bill import every_cycle, world_bill
from metering.sandbox.world_facts import tables
from metering.sandbox.world_life import seeded_world

CYCLE_S = 300


@pytest.fixture
def rig(tmp_path):
    world = seeded_world(23, start_s=START_S, elsewhere=True, accounts=2)
    world.advance(86_400)  # by now both have snapshots: of an account that has none the provider's samples say nothing
    assert all(world.occupied[account, location] for account, location in list(world.occupied))
    with running(world) as served:
        yield Rig(tmp_path, served)


def backfill(rig, start_s, end_s):
    with stamina.set_testing(True, attempts=3, cap=True), rig.meter() as meter:
        return meter.backfill(Period(start_s, end_s).text, tell=rig.told.append)


def usage(rig, start_s, end_s):
    with rig.meter() as meter:
        document = meter.bill(Period(start_s, end_s).text, as_of=Period(start_s, rig.world.now_s).text.split("..")[1]).document()
    return document["usage"]


def test_a_gap_of_hours_is_filled_as_if_it_had_been_polled(rig):
    start_s = rig.world.now_s
    for steps in (1, 1, 30, 1, 1):
        assert rig.collect().failures == []
        rig.sandbox.advance(steps * CYCLE_S)
    end_s = rig.world.now_s
    assert sum(row["missing_seconds"] for row in usage(rig, start_s, end_s)) > 0
    done = backfill(rig, start_s, end_s)
    assert (done.failures, rig.told) == ([], [])
    assert (done.gaps, done.polls) == (12, 12 * 29)  # 2 accounts at 6 endpoints; 29 instants strictly inside
    polls = every_cycle(rig.world, start_s, end_s)
    truth = world_bill(rig.world, start_s, end_s, polls=polls)
    assert usage(rig, start_s, end_s) == truth["usage"]
    assert sum(row["missing_seconds"] for row in truth["usage"]) == 0


def test_filled_once_there_is_no_gap_left_and_nothing_is_doubled(rig):
    start_s = rig.world.now_s
    for steps in (12, 1):
        rig.collect()
        rig.sandbox.advance(steps * CYCLE_S)
    end_s = rig.world.now_s
    backfill(rig, start_s, end_s)
    before = rig.polls()
    again = backfill(rig, start_s, end_s)
    assert (again.gaps, again.polls) == (0, 0)
    assert rig.polls() == before
    assert all(len(times) == len(set(times)) for times in before.values())
    assert rig.rows("select count(*) from conflicting_samples") == [(0,)]


def test_no_poll_of_our_own_is_overridden(rig):
    start_s = rig.world.now_s
    for steps in (3, 1, 7):
        rig.collect()
        rig.sandbox.advance(steps * CYCLE_S)
    own = rig.polls()
    backfill(rig, start_s, rig.world.now_s)
    assert rig.rows("select count(*) from superseded_polls") == [(0,)]
    assert all(set(own[key]) < set(times) for key, times in rig.polls().items())


def test_a_location_that_does_not_answer_leaves_the_gap_as_it_was(rig):
    start_s = rig.world.now_s
    for steps in (12, 1):
        rig.collect()
        rig.sandbox.advance(steps * CYCLE_S)
    before = rig.polls()
    rig.sandbox.faults.add("status", location="FRA", path="/usage/", value=503)
    done = backfill(rig, start_s, rig.world.now_s)
    assert {(failure.endpoint, failure.cause) for failure in done.failures} == {("FRA", "refused")}
    assert rig.polls() == before


def test_a_window_that_is_too_large_is_asked_for_in_halves(tmp_path, rig):
    start_s = rig.world.now_s
    for steps in (40, 1):
        rig.collect()
        rig.sandbox.advance(steps * CYCLE_S)
    small = Rig(tmp_path, rig.sandbox, more="[limits]\nresponse_bytes = 20000")
    done = backfill(small, start_s, rig.world.now_s)
    assert (done.failures, done.polls) == ([], 12 * 39)


def test_before_the_first_poll_too_what_was_asked_for_is_filled(rig):
    start_s = rig.world.now_s
    rig.sandbox.advance(6 * CYCLE_S)
    rig.collect()
    rig.sandbox.advance(CYCLE_S)
    done = backfill(rig, start_s, rig.world.now_s)
    assert done.polls == 12 * 6


def test_time_before_the_first_price_is_unpriced_and_a_file_of_prices_prices_it(tmp_path, rig):
    start_s = rig.world.now_s
    rig.sandbox.advance(144 * CYCLE_S)
    rig.collect()
    rig.sandbox.advance(CYCLE_S)
    first_s, end_s = rig.world.now_s - CYCLE_S, rig.world.now_s
    period = Period(start_s, end_s).text
    as_of = period.split("..")[1]
    backfill(rig, start_s, end_s)
    assert rig.told == [
        f"CWL, DUB, FRA, GVA, LON, ZRH: no price is known before {instant_text(first_s)}, and time was filled from "
        f"{instant_text(start_s)} on: burst in it is unpriced until you ingest prices (and burst_levels) with an effective_from "
        "of then"
    ]
    with rig.meter() as meter:
        parked = meter.bill(period, as_of=as_of).document()
        assert {row["state"] for row in parked["statements"]} == {"parked"}
        unpriced = next(each for each in parked["findings"] if each["check"] == "unpriced_burst")
        assert "price of level 1 is in force on 2026-10-02; add one to the prices" in unpriced["message"]
        for name, columns, rows in tables(rig.world, {}):
            if name in ("prices", "burst_levels"):
                with (tmp_path / f"{name}.csv").open("w", newline="") as file:
                    csv.writer(file).writerows([columns, *rows])
                assert meter.ingest(tmp_path / f"{name}.csv").rejections == []
        priced = meter.bill(period, as_of=as_of).document()
    truth = world_bill(rig.world, start_s, end_s, polls=every_cycle(rig.world, start_s, end_s))
    assert priced["usage"] == truth["usage"]
    for name in ("lines", "statements"):
        assert plain(priced, name) == plain(truth, name)
    assert {row["state"] for row in priced["statements"]} == {"draft"}


def plain(document, name):
    """Give rows with their money as numbers: `0.30` and `0.3` are one price."""
    money = ("price", "amount", "burst_amount", "amount_due")
    return [
        {key: Decimal(value) if key in money else value for key, value in row.items() if key != "charge_id"}
        for row in document[name]
    ]


@given(st.sets(st.integers(0, 40_000), max_size=12), st.integers(0, 30_000), st.integers(1, 10_000))
def test_gaps_hold_no_poll_and_what_is_no_gap_is_observed(polls, start_s, length_s):
    period = Period(start_s, start_s + length_s)
    gaps = list(gaps_between(sorted(polls), period, CYCLE_S))
    assert all(start_s <= a < b <= period.end_s for a, b in gaps)
    assert not [poll for poll in polls for a, b in gaps if a <= poll < b]
    for second in {*range(start_s, period.end_s, 97)} - polls:
        before = max((poll for poll in polls if poll < second), default=None)
        after = min((poll for poll in polls if poll > second), default=max(polls | {period.end_s}))
        is_gap = before is None or 2 * (after - before) > 3 * CYCLE_S
        assert any(a <= second < b for a, b in gaps) == is_gap


@given(st.lists(st.tuples(st.integers(0, 200_000), st.integers(1, 40_000)), max_size=20))
def test_the_windows_that_are_asked_for_hold_every_gap_once_and_are_short(gaps):
    gaps = [(start_s, start_s + length_s) for start_s, length_s in gaps]
    windows = windows_of(gaps, CYCLE_S)
    assert all(0 < end_s - start_s <= 6 * 3_600 for start_s, end_s in windows)
    assert all(before[1] <= after[0] for before, after in pairwise(windows))
    edges = sorted({second for interval in (*gaps, *windows) for second in interval})
    for second in edges:
        held = sum(start_s <= second < end_s for start_s, end_s in windows)
        assert held == 1 or (held == 0 and not any(start_s <= second < end_s for start_s, end_s in gaps))


def test_gaps_between_polls_that_are_too_seldom_are_asked_for_together():
    hourly = [(at_s + 1, at_s + 3_600) for at_s in range(0, 86_400, 3_600)]
    assert len(windows_of(hourly, CYCLE_S)) == 4
    assert len(windows_of([(at_s, at_s + 600) for at_s in range(0, 86_400, 7_200)], CYCLE_S)) == 12


@given(st.sets(st.integers(0, 3_000), max_size=40), st.integers(0, 3_000), st.integers(1, 2_000))
def test_the_gaps_that_reach_into_a_window_are_found(edges, start_s, length_s):
    gaps = [Gap(a, b, None) for a, b in zip(*[iter(sorted(edges))] * 2, strict=False)]
    found = [gap for gap in gaps if gap.start_s < start_s + length_s and start_s < gap.end_s]
    assert list(gaps_in(gaps, (start_s, start_s + length_s))) == found
