"""The provider's own samples and its daily burst against ours: sound ones have no finding, each planted error has its own."""

import os
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reconcile_world import assert_sums_add, days_of, listed, lived, meter_of_world, samples_of, span
from sandbox_help import MIB, START_S, account_of, ready_drive, small_world, taken

from metering.model.period import moment
from metering.sandbox.world_money import Order

EXAMPLES = int(os.environ.get("METERING_EXAMPLES", "4"))
PRICE = Fraction("0.28") / (2**30 * 2_592_000)
HOUR = 3_600
DAY_S = 86_400
UNIT = Fraction(1, 10**20)


@pytest.fixture(scope="module")
def steady(tmp_path_factory):
    """Ann's two snapshots in ZRH, of 10 and 6 MiB, above a subscription of 4 MiB, for a day and a half."""
    world = small_world()
    world.money.buy(
        account_of(world, "ann@example.com"), "ZRH", [Order(4 * MIB, start_s=START_S, end_s=START_S + 9 * DAY_S)], START_S
    )
    for size in (10, 6):
        drive = ready_drive(world, name=f"disk of {size}")
        taken(world, drive)
        world.write(drive, range(size))
    world.advance_to(START_S + DAY_S + DAY_S // 2)
    with meter_of_world(tmp_path_factory.mktemp("steady"), world) as meter:
        yield world, meter


def usage(steady, tmp_path, rows, **options):
    world, meter = steady
    made = meter.reconcile(span(world), usage=listed(tmp_path / "usage.json", rows), **options)
    assert_sums_add(made)
    return made


def daily(steady, tmp_path, rows, **options):
    world, meter = steady
    period = f"{moment(START_S).date()}..{moment(world.now_s).date()}"
    made = meter.reconcile(period, dailyburst=listed(tmp_path / "days.json", rows), **options)
    assert_sums_add(made)
    return made


def index_of(rows, minute, size):
    """Find the row of the snapshot of `size` MiB at a minute of the world."""
    time = moment(START_S + 60 * minute).isoformat()
    return next(i for i, row in enumerate(rows) if (row["poll_time"], row["amount"]) == (time, str(size * MIB)))


def test_the_providers_samples_agree(steady, tmp_path):
    made = usage(steady, tmp_path, samples_of(steady[0]))
    assert (made.findings, made.causes) == ([], [])
    assert [outcome.outcome for outcome in made.outcomes] == ["matched"]


# What becomes of the 10 MiB at 01:10, what is found, and at stake: bytes above the entitlement for 300 s, theirs − ours.
PLANTED = {
    "twice": (lambda row: [row, row], "duplicate_row", 10 * MIB),
    "twice with two sizes": (lambda row: [row, row | {"amount": str(MIB)}], "duplicate_row", MIB),
    "gone": (lambda _row: [], "wrong_size", -10 * MIB),
    "larger": (lambda row: [row | {"amount": str(11 * MIB)}], "wrong_size", MIB),
    "smaller, below the subscription": (lambda row: [row | {"amount": "0"}], "wrong_size", -10 * MIB),
    "beside one that we do not know": (lambda row: [row, row | {"uuid": "unknown", "amount": "7"}], "wrong_size", 7),
}


@pytest.mark.parametrize("name", PLANTED)
def test_one_wrong_sample_is_exactly_that_finding(steady, tmp_path, name):
    plant, check, stake_bytes = PLANTED[name]
    rows = samples_of(steady[0])
    at = index_of(rows, 70, 10)
    made = usage(steady, tmp_path, [*rows[:at], *plant(rows[at]), *rows[at + 1 :]])
    assert [finding.check for finding in made.findings] == [check]
    assert abs(Fraction(made.findings[0].difference) - stake_bytes * 300 * PRICE) <= UNIT
    assert made.totals[0].at_stake == made.findings[0].difference


def test_a_look_without_any_row_is_missing(steady, tmp_path):
    rows = samples_of(steady[0])
    time = moment(START_S + 70 * 60).isoformat()
    made = usage(steady, tmp_path, [row for row in rows if row["poll_time"] != time])
    (finding,) = made.findings
    assert (finding.check, finding.end - finding.start) == ("missing_row", 300)
    assert abs(Fraction(finding.difference) + 12 * MIB * 300 * PRICE) <= UNIT


def test_a_sample_where_we_have_nothing_is_extra(steady, tmp_path):
    rows = samples_of(steady[0])
    ben = account_of(steady[0], "ben@example.com").uuid
    made = usage(steady, tmp_path, [*rows, rows[200] | {"account": ben, "location": "GVA", "amount": str(MIB)}])
    (finding,) = made.findings
    assert (finding.check, finding.account, finding.currency) == ("extra_row", ben, "USD")


def test_a_days_burst_agrees_and_a_day_that_the_period_cuts_is_told_as_cut(steady, tmp_path):
    made = daily(steady, tmp_path, days_of(steady[0]))
    assert (made.findings, made.is_clean) == ([], True)
    world, meter = steady
    cut = meter.reconcile(span(world), dailyburst=listed(tmp_path / "d.json", days_of(world)))
    assert_sums_add(cut)
    assert cut.findings == []
    assert "cut" in {cause.cause for cause in cut.causes}
    assert [(each.what, each.row_count) for each in cut.passed_over] == [("days that the period cuts", 1)]


DAYS = {
    "a day told twice": (lambda day: [day, day], "duplicate_row", lambda amount: amount),
    "a day missing": (lambda _day: [], "missing_day", lambda amount: -amount),
    "a wrong amount": (lambda day: [day | {"amount": f"{Decimal(day['amount']) + 1:f}"}], "wrong_amount", lambda _amount: 1),
    "a wrong peak": (lambda day: [day | {"usage": day["usage"] + 1}], "wrong_peak", lambda _amount: 0),
    "no amount": (lambda day: [day | {"amount": None}], "no_amount", lambda amount: -amount),
}


@pytest.mark.parametrize("name", DAYS)
def test_one_wrong_day_is_exactly_that_finding(steady, tmp_path, name):
    plant, check, at_stake = DAYS[name]
    (day, later) = days_of(steady[0])
    made = daily(steady, tmp_path, [*plant(day), later], account=day["account"])
    assert [finding.check for finding in made.findings] == [check]
    # A day's amount is the sum of lines that are rounded one by one.
    assert abs(Fraction(made.findings[0].difference) - Fraction(at_stake(Decimal(day["amount"])))) <= 289 * UNIT


def test_a_day_on_which_we_have_no_burst_is_extra(steady, tmp_path):
    (day, later) = days_of(steady[0])
    made = daily(steady, tmp_path, [day, later, day | {"location": "LON"}])
    (finding,) = made.findings
    assert (finding.check, finding.difference) == ("extra_day", Decimal(day["amount"]))


def test_rows_of_an_account_that_has_no_usage_are_one_finding_from_the_first_to_the_end_of_the_last(steady, tmp_path):
    rows = samples_of(steady[0])
    first, last = (index_of(rows, minute, 10) for minute in (70, 80))
    strange = [rows[at] | {"account": "nobody"} for at in (last, first)]
    (finding,) = usage(steady, tmp_path, [*rows, *strange]).findings
    # Looks at 01:10 and 01:20; a look is of a cycle.
    assert (finding.check, finding.start, finding.end) == ("other_account", START_S + 4_200, START_S + 4_800 + 300)
    (day, later) = days_of(steady[0])
    (finding,) = daily(steady, tmp_path, [day, later, day | {"account": "nobody"}]).findings
    assert (finding.check, finding.start, finding.end) == ("other_account", START_S, START_S + DAY_S)
    assert finding.theirs == Decimal(day["amount"])


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 10_000), missed=st.sampled_from([0, 5, 20]), accounts=st.integers(1, 3))
def test_random_worlds_reconcile_with_no_finding(tmp_path_factory, seed, missed, accounts):
    folder = tmp_path_factory.mktemp("random")
    world = lived(seed, days=1, accounts=accounts)
    with meter_of_world(folder, world, missed=missed, seed=seed) as meter:
        for made in (
            meter.reconcile(span(world), usage=listed(folder / "u.json", samples_of(world))),
            meter.reconcile(span(world), dailyburst=listed(folder / "d.json", days_of(world))),
        ):
            assert_sums_add(made)
            assert made.findings == []


def test_our_own_daily_burst_reconciles(tmp_path):
    world = lived(9, days=2)
    with meter_of_world(tmp_path, world, missed=10) as meter:
        for ending in ("json", "ndjson", "csv"):
            place = tmp_path / f"days.{ending}"
            meter.export("dailyburst", place, period=span(world))
            made = meter.reconcile(span(world), dailyburst=place)
            assert_sums_add(made)
            assert (made.findings, {cause.cause for cause in made.causes} <= {"rounding"}) == ([], True)
