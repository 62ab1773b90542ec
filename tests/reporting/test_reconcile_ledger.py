"""The provider's ledger against ours: a sound one has no finding, one with a planted error has exactly that, to the last digit."""

import json
import os
import random
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reconcile_world import DAY_S, assert_sums_add, days_of, listed, lived, meter_of_world, span
from sandbox_help import MIB, START_S, account_of, ready_drive, small_world, taken

from metering.model.errors import InputError
from metering.model.period import instant_seconds, moment
from metering.sandbox.server_lists import ledger_of
from metering.sandbox.world_money import Order, human_interval

EXAMPLES = int(os.environ.get("METERING_EXAMPLES", "6"))
PRICE = Fraction("0.28") / (2**30 * 2_592_000)
HOUR = 3_600


@pytest.fixture(scope="module")
def steady(tmp_path_factory):
    """Ann's 10 MiB in ZRH from 00:10 on, 16 MiB from 02:00 on, gone at 04:00; the world ends at 05:00."""
    world = small_world()
    drive = ready_drive(world)
    snapshot = taken(world, drive)
    # What changes between two looks is seen by the next one, the provider's and ours alike.
    world.advance_to(START_S + 590)
    world.write(drive, range(10))
    world.advance_to(START_S + 2 * HOUR - 10)
    world.write(drive, range(10, 16))
    world.advance_to(START_S + 4 * HOUR - 60)
    world.delete_snapshots(account_of(world, "ann@example.com"), [snapshot])
    world.advance_to(START_S + 5 * HOUR)
    folder = tmp_path_factory.mktemp("steady")
    with meter_of_world(folder, world) as meter:
        yield world, meter


def burst_lines(world):
    return [line for line in ledger_of(world) if line["interval"] and instant_seconds(line["poll_time"]) < world.now_s]


def at(line, seconds):
    """The line, as if it had been looked at some seconds later."""
    time = moment(instant_seconds(line["poll_time"]) + seconds).isoformat()
    return line | {"time": time, "poll_time": time, "reason": line["reason"][:-16] + time[:16].replace("T", " ")}


def costing(line, price=PRICE, **changes):
    """The line with other figures, and the amount that follows from them."""
    line = line | changes
    units = Fraction(int(line["resource_amount"]) * line["interval"]) * price * 10**20
    return line | {"amount": f"{Decimal(round(units)).scaleb(-20):f}", "human_interval": human_interval(line["interval"])}


def reconciled(steady, tmp_path, lines, **options):
    world, meter = steady
    made = meter.reconcile(span(world), ledger=listed(tmp_path / "ledger.json", lines), **options)
    assert_sums_add(made)
    return made


def test_the_steady_world_agrees_to_the_last_digit(steady, tmp_path):
    lines = ledger_of(steady[0])
    made = reconciled(steady, tmp_path, lines)
    assert (made.findings, made.causes, made.is_clean) == ([], [], True)
    (outcome,) = made.outcomes
    # From 00:10 to 04:00, a line each five minutes.
    assert (outcome.outcome, outcome.row_count) == ("matched", 46)
    amounts = sum((Decimal(line["amount"]) for line in burst_lines(steady[0])), Decimal(0))
    assert outcome.theirs == outcome.ours == amounts


# Each is a change to line 12 of the ledger (01:10, in the middle of a burst of 10 MiB), what is found, and what is at stake:
# how many bytes for how many seconds at 0.28 too much.
TEN = 10 * MIB
PLANTED = {
    "the same line again": (lambda line: [line, line], "duplicate_line", TEN * 300),
    "the same line under another id": (lambda line: [line, line | {"id": "999999"}], "duplicate_line", TEN * 300),
    "a missing line": (lambda _line: [], "missing_line", -TEN * 300),
    "a line that overlaps others": (lambda line: [line, at(costing(line, resource_amount=str(MIB)), 60)], "extra_line", MIB * 300),
    "a line at a time without burst": (lambda line: [line, at(line, 3 * HOUR)], "extra_line", TEN * 300),
    "another amount": (lambda line: [line | {"amount": "0.00000500000000000001"}], "wrong_amount", None),
    "twice the amount": (lambda line: [costing(line, 2 * PRICE)], "wrong_amount", TEN * 300),
    "the price of another level": (lambda line: [costing(line, PRICE * 30 / 28)], "wrong_price", Fraction(TEN * 300 * 2, 28)),
    "a price that nobody set": (lambda line: [costing(line, PRICE * 29 / 28)], "wrong_price", Fraction(TEN * 300, 28)),
    "another burst": (lambda line: [costing(line, resource_amount=str(TEN + 1))], "wrong_quantity", 300),
    "a burst that its amount is not for": (lambda line: [line | {"resource_amount": str(TEN + 1)}], "wrong_quantity", 0),
    "an interval too long": (lambda line: [costing(line, interval=600)], "wrong_interval", TEN * 300),
    "an interval too short": (lambda line: [costing(line, interval=137)], "wrong_interval", -TEN * 163),
    "an interval that its amount is not for": (lambda line: [line | {"interval": 600}], "wrong_interval", 0),
    "a line two minutes late": (lambda line: [at(line, 120)], "shifted_line", 0),
    "a line two minutes early": (lambda line: [at(line, -120)], "shifted_line", 0),
    "a line a cycle late": (lambda line: [at(line, 300)], "shifted_line", 0),
    "a line an hour late": (lambda line: [at(line, HOUR)], "shifted_line", 0),
    "a line without an amount": (lambda line: [line | {"amount": None}], "no_amount", -TEN * 300),
}


@pytest.mark.parametrize("name", PLANTED)
def test_one_planted_error_is_exactly_that_finding_at_the_exact_amount(steady, tmp_path, name):
    plant, check, at_stake = PLANTED[name]
    lines = burst_lines(steady[0])
    line = lines[12]
    assert line["resource_amount"] == str(TEN)
    planted = plant(line)
    made = reconciled(steady, tmp_path, [*lines[:12], *planted, *lines[13:]])
    assert [finding.check for finding in made.findings] == [check]
    (finding,) = made.findings
    assert not made.is_clean
    exact = Fraction("0.00000500000000000001") - TEN * 300 * PRICE if at_stake is None else at_stake * PRICE
    # To the last digit, but for one of rounding where the planted amount is rounded itself.
    assert abs(Fraction(finding.difference) - exact) <= Fraction(1, 10**20)
    assert made.totals[0].at_stake == finding.difference
    changed = sum((Decimal(each["amount"] or 0) for each in planted), Decimal(0)) - Decimal(line["amount"])
    assert made.totals[0].difference == changed
    assert abs(changed - finding.difference) <= Decimal("1E-20")


def test_a_line_in_another_currency_than_the_accounts_is_told_with_its_own_and_in_no_sum(steady, tmp_path):
    lines = [line | {"currency": "CHF"} for line in burst_lines(steady[0])]
    ann = lines[0]["account"]
    sound = reconciled(steady, tmp_path, lines, account=ann, location="ZRH")
    assert sound.findings == []
    strange = lines[12] | {"currency": "EUR"}
    made = reconciled(steady, tmp_path, [*lines[:12], strange, *lines[13:]], account=ann, location="ZRH")
    missing, other = sorted(made.findings, key=lambda finding: finding.check)
    assert (other.check, other.severity, other.currency) == ("other_currency", "error", "EUR")
    assert other.theirs == other.difference == Decimal(lines[12]["amount"])
    assert other.message == "1 line in EUR, and the account is charged in CHF: what it charges is not compared"
    assert (missing.check, missing.currency, missing.difference) == ("missing_line", "CHF", -Decimal(lines[12]["amount"]))
    assert [total.currency for total in made.totals] == ["CHF"]
    assert made.totals[0].theirs == sound.totals[0].theirs - Decimal(lines[12]["amount"])


def test_what_is_no_currency_refuses_the_ledger(steady, tmp_path):
    lines = burst_lines(steady[0])
    with pytest.raises(InputError, match=r"currency 'chf' is no currency .* write it in capitals"):
        reconciled(steady, tmp_path, [lines[0] | {"currency": "chf"}], account=lines[0]["account"], location="ZRH")


@pytest.mark.parametrize(
    ("change", "check", "severity"),
    [
        ({"account": "somebody else"}, "other_account", "error"),
        ({"location": "LON"}, "other_location", "error"),
        ({"reason": "Burst: 4.00 GB of mem for 5 minutes at 2026-10-01 01:10"}, "other_resource", "info"),
    ],
)
def test_a_line_that_is_not_of_this_account_location_and_resource_is_told_and_in_no_sum(steady, tmp_path, change, check, severity):
    lines = burst_lines(steady[0])
    ann = lines[0]["account"]
    sound = reconciled(steady, tmp_path, lines, account=ann, location="ZRH")
    made = reconciled(steady, tmp_path, [*lines, lines[12] | change], account=ann, location="ZRH")
    (finding,) = made.findings
    assert (finding.check, finding.severity) == (check, severity)
    # Line 12 is of [01:10, 01:15).
    assert (finding.start, finding.end) == (START_S + 4_200, START_S + 4_500)
    assert finding.theirs == finding.difference == Decimal(lines[12]["amount"])
    assert (made.totals, made.outcomes) == (sound.totals, sound.outcomes)


def test_the_last_line_of_a_burst_that_comes_late_is_shifted_not_missing_and_not_extra(steady, tmp_path):
    lines = burst_lines(steady[0])
    made = reconciled(steady, tmp_path, [*lines[:-1], at(lines[-1], 120)])
    assert [finding.check for finding in made.findings] == ["shifted_line"]
    assert "2 min (120 s) later" in made.findings[0].message


def test_the_last_line_of_a_burst_is_not_longer_than_the_burst(steady, tmp_path):
    lines = burst_lines(steady[0])
    made = reconciled(steady, tmp_path, [*lines[:-1], costing(lines[-1], interval=600)])
    (finding,) = made.findings
    assert finding.check == "wrong_interval"
    assert abs(Fraction(finding.difference) - 16 * MIB * 300 * PRICE) <= Fraction(1, 10**20)


def test_a_line_twice_and_another_missing_later_are_two_findings_and_no_shift(steady, tmp_path):
    lines = burst_lines(steady[0])
    made = reconciled(steady, tmp_path, [*lines[:6], lines[5], *lines[6:12], *lines[13:]])
    assert sorted(finding.check for finding in made.findings) == ["duplicate_line", "missing_line"]


def test_lines_missing_in_a_row_are_one_finding(steady, tmp_path):
    lines = burst_lines(steady[0])
    (finding,) = reconciled(steady, tmp_path, [*lines[:12], *lines[20:]]).findings
    assert finding.check == "missing_line"
    assert finding.message.endswith("that is 8 lines")
    assert finding.end - finding.start == 8 * 300


def test_an_empty_ledger_is_one_finding_a_burst_with_all_of_it_at_stake(steady, tmp_path):
    ann = burst_lines(steady[0])[0]["account"]
    made = reconciled(steady, tmp_path, [], account=ann, location="ZRH")
    assert [finding.check for finding in made.findings] == ["missing_line"]
    assert made.totals[0].at_stake == -made.totals[0].ours != 0


@pytest.mark.parametrize("seconds", [299, 300, 301])
def test_jitter_of_a_second_is_tolerated_and_named(steady, tmp_path, seconds):
    lines = burst_lines(steady[0])
    jittered = [*lines[:12], costing(lines[12], interval=seconds), *lines[13:]]
    made = reconciled(steady, tmp_path, jittered)
    assert made.findings == []
    share = {cause.cause: Fraction(cause.difference) for cause in made.causes}.get("interval_jitter", Fraction(0))
    assert abs(share - TEN * (seconds - 300) * PRICE) <= Fraction(2, 10**20)
    if seconds != 300:
        assert reconciled(steady, tmp_path, jittered, jitter=0).findings


def test_lines_that_drift_with_their_clock_still_join(steady, tmp_path):
    """Each is 301 s long and begins 301 s after the one before: in no-one's grid, and every second charged once."""
    lines = burst_lines(steady[0])[:22]
    drifted = [at(costing(line, interval=301), number) for number, line in enumerate(lines)]
    until = moment(START_S + 600 + 22 * 301).isoformat().replace("+00:00", "Z")
    _, meter = steady
    period = f"{moment(START_S).isoformat().replace('+00:00', 'Z')}..{until}"
    made = meter.reconcile(period, ledger=listed(tmp_path / "l.json", drifted))
    assert_sums_add(made)
    assert made.findings == []


def test_a_difference_within_the_tolerance_is_no_finding_but_told(steady, tmp_path):
    lines = burst_lines(steady[0])
    lines[12] = costing(lines[12], 2 * PRICE)
    made = reconciled(steady, tmp_path, lines, tolerance="0.01")
    assert made.findings == []
    assert [(cause.cause, cause.row_count) for cause in made.causes][-1] == ("tolerated", 1)


def test_a_line_that_reaches_over_the_edge_of_the_period_counts_with_the_part_inside(steady, tmp_path):
    world, meter = steady
    period = "2026-10-01T00:32:00Z..2026-10-01T01:28:00Z"
    made = meter.reconcile(period, ledger=listed(tmp_path / "l.json", burst_lines(world)))
    assert_sums_add(made)
    assert made.findings == []
    assert abs(Fraction(made.totals[0].theirs) - TEN * 56 * 60 * PRICE) <= Fraction(1, 10**19)


def test_a_subscription_that_begins_between_two_looks_is_a_cause_of_its_own(tmp_path):
    world = small_world()
    drive = ready_drive(world)
    taken(world, drive)
    world.advance_to(START_S + 590)
    world.write(drive, range(10))
    order = Order(4 * MIB, start_s=START_S + HOUR + 100, end_s=START_S + 2 * HOUR + 200)
    world.money.buy(account_of(world, "ann@example.com"), "ZRH", [order], world.now_s)
    world.advance_to(START_S + 3 * HOUR)
    with meter_of_world(tmp_path, world) as meter:
        made = meter.reconcile(span(world), ledger=listed(tmp_path / "l.json", ledger_of(world)))
    assert_sums_add(made)
    assert made.findings == []
    (cause,) = [cause for cause in made.causes if cause.cause == "between_looks"]
    # 200 s of 4 MiB too much at its begin, 100 s too little at its end.
    assert (cause.row_count, abs(Fraction(cause.difference) - 4 * MIB * 100 * PRICE) <= Fraction(2, 10**20)) == (2, True)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 10_000), missed=st.sampled_from([0, 0, 5, 20]), accounts=st.integers(1, 3), elsewhere=st.booleans())
def test_a_random_world_reconciles_and_a_random_error_in_measured_time_is_found(
    tmp_path_factory, seed, missed, accounts, elsewhere
):  # fmt: skip
    folder = tmp_path_factory.mktemp("random")
    world = lived(seed, days=1, accounts=accounts, elsewhere=elsewhere)
    lines = ledger_of(world)
    with meter_of_world(folder, world, missed=missed, seed=seed) as meter:
        made = meter.reconcile(span(world), ledger=listed(folder / "l.json", lines))
        assert_sums_add(made)
        assert made.findings == []
        if missed:
            return
        chance = random.Random(seed)
        picked = chance.choice([number for number, line in enumerate(lines) if line["interval"]][:-accounts] or [None])
        if picked is None or instant_seconds(lines[picked]["poll_time"]) >= world.now_s:
            return
        amount = Decimal(lines[picked]["amount"])
        for changed, difference in (([], -amount), ([lines[picked]] * 2, amount)):
            made = meter.reconcile(span(world), ledger=listed(folder / "l.json", [*lines[:picked], *changed, *lines[picked + 1 :]]))
            assert_sums_add(made)
            (finding,) = made.findings
            assert finding.check == ("duplicate_line" if changed else "missing_line")
            if changed:
                assert finding.difference == difference
            else:
                # What we charge in its time, which changes within the cycle may move a little.
                sound = next(
                    total for total in made.units if (total.account, total.location) == (finding.account, finding.location)
                )
                assert finding.difference == sound.at_stake


@pytest.mark.parametrize("late_s", [1, 137, 299])
def test_polls_at_other_instants_than_the_providers_looks_explain_nearly_everything(tmp_path, late_s):
    """What comes and goes between two polls of ours nobody here can know: the provider may have seen it, and that is told."""
    world = lived(0, days=1)
    with meter_of_world(tmp_path, world, late_s=late_s) as meter:
        made = meter.reconcile(span(world), ledger=listed(tmp_path / "l.json", ledger_of(world)))
        assert_sums_add(made)
        assert len(made.findings) <= 2
        assert "between_looks" in {cause.cause for cause in made.causes}
        days = meter.reconcile(span(world), dailyburst=listed(tmp_path / "d.json", days_of(world)))
        assert_sums_add(days)
        assert days.findings == []


def test_our_own_export_reconciles_with_nothing_but_rounding(tmp_path):
    world = lived(8, days=2)
    with meter_of_world(tmp_path, world, missed=10) as meter:
        for ending in ("json", "ndjson", "csv"):
            place = tmp_path / f"ledger.{ending}"
            meter.export("ledger", place, period=span(world))
            made = meter.reconcile(span(world), ledger=place)
            assert_sums_add(made)
            assert {outcome.outcome for outcome in made.outcomes} == {"matched"}
            assert {cause.cause for cause in made.causes} <= {"rounding"}
            assert made.findings == []
            assert json.loads(json.dumps(made.document()))["totals"][0]["currency"] == made.totals[0].currency
    assert world.now_s - world.start_s == 2 * DAY_S


@pytest.fixture(scope="module")
def neighbours(tmp_path_factory):
    """Ann's 10 MiB in ZRH and Ben's 7 MiB in GVA, each for three hours."""
    world = small_world()
    for email, origin, size in (("ann@example.com", "ZRH", 10), ("ben@example.com", "GVA", 7)):
        drive = ready_drive(world, email, origin)
        taken(world, drive)
        world.write(drive, range(size))
    world.advance_to(START_S + 3 * HOUR)
    with meter_of_world(tmp_path_factory.mktemp("neighbours"), world) as meter:
        yield world, meter


@pytest.mark.parametrize("count", [1, 4])
@pytest.mark.parametrize(
    ("elsewhere", "check", "told_at"),
    [
        ({"account": "ben", "location": "GVA"}, "wrong_account", ["ann", "ben"]),
        ({"account": "ben"}, "wrong_account", ["ann", "ben"]),
        ({"location": "LON"}, "wrong_location", ["ann", "ann"]),
        ({"account": "nobody"}, "wrong_account", ["ann"]),
    ],
)
def test_lines_under_a_wrong_account_or_location_are_told_as_that_on_both_sides(
    neighbours, tmp_path, elsewhere, check, told_at, count
):  # fmt: skip
    world, _ = neighbours
    names = {name: account_of(world, f"{name}@example.com").uuid for name in ("ann", "ben")}
    lines = burst_lines(world)
    mine = [number for number, line in enumerate(lines) if line["account"] == names["ann"]][12 : 12 + count]
    moved = {name: names.get(value, value) for name, value in elsewhere.items()}
    made = reconciled(neighbours, tmp_path, [line | moved if number in mine else line for number, line in enumerate(lines)])
    assert {finding.check for finding in made.findings} == {check}
    assert {finding.account for finding in made.findings} == {names[name] for name in told_at}
    (missing,) = [finding for finding in made.findings if finding.difference < 0]
    assert abs(Fraction(missing.difference) + count * TEN * 300 * PRICE) <= Fraction(count, 10**20)
    charged = sum(finding.difference for finding in made.findings if finding.difference > 0)
    if "nobody" not in elsewhere.values():
        assert abs(charged + missing.difference) <= Decimal(count) * Decimal("1E-20")
    assert f"found under {moved.get('account', names['ann'])} in {moved.get('location', 'ZRH')}" in missing.message


LAST_PLACE = Decimal("1E-20")


@pytest.mark.parametrize(
    ("late_s", "seconds", "more", "found"),
    [
        (2, 300, 0, {"wrong_account"}), (3, 300, 0, {"missing_line", "other_account"}),
        (-2, 300, 0, {"wrong_account"}), (-3, 300, 0, {"missing_line", "other_account"}),
        (0, 302, 0, {"wrong_account"}), (0, 303, 0, {"missing_line", "other_account"}),
        (2, 298, 0, {"wrong_account"}), (0, 297, 0, {"missing_line", "other_account"}),
        (0, 300, 2 * LAST_PLACE, {"wrong_account"}), (0, 300, 3 * LAST_PLACE, {"missing_line", "other_account"}),
    ],
)  # fmt: skip
def test_a_line_under_a_wrong_account_is_known_by_time_within_the_jitter_and_by_amount_but_for_rounding(
    neighbours, tmp_path, late_s, seconds, more, found
):  # fmt: skip
    world, _ = neighbours
    ann = account_of(world, "ann@example.com").uuid
    lines = burst_lines(world)
    mine = [number for number, line in enumerate(lines) if line["account"] == ann][12]
    line = lines[mine]
    moved = at(line, late_s) | {"account": "nobody", "interval": seconds, "human_interval": human_interval(seconds)}
    moved["amount"] = f"{Decimal(line['amount']) + more:f}"
    made = reconciled(neighbours, tmp_path, [*lines[:mine], moved, *lines[mine + 1 :]])
    assert {finding.check for finding in made.findings} == found
