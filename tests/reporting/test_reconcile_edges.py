"""The limits of a reconciliation, a second and a byte to either side: one unit by hand, burst at 1 CHF a byte-second."""

from fractions import Fraction

import pytest

from metering.billing.money import Price
from metering.billing.rates import Rate, RateBook
from metering.ingest.provider_rows import DayRow, LedgerRow, SampleRow
from metering.model.records import ChargeLine
from metering.reporting.reconcile.daily import Days, compare_days
from metering.reporting.reconcile.ledger import compare_ledger
from metering.reporting.reconcile.lines import Ledger
from metering.reporting.reconcile.places import Beat
from metering.reporting.reconcile.samples import compare_samples
from metering.reporting.reconcile.tally import Tally
from metering.reporting.unit_steps import Step, Unit, UnitSteps

DAY_S = 86_400
CYCLE_S = 300
GIB = 2**30
LAST_PLACE = Fraction(1, 10**20)
ANN = Unit("ann", "ZRH", "CHF")
BEAT = Beat(CYCLE_S, 2)


BOOK = RateBook(rates=[Rate(1, Price("1", "byte/second", 1))])


def unit(*spans, price="1"):
    """Ann's `(start, end, bytes)` in ZRH, measured unless a span says more; nothing is subscribed."""
    steps = [Step(start_s, end_s, size, 0, state[0] if state else "measured", 0) for start_s, end_s, size, *state in spans]
    return UnitSteps(ANN, steps, RateBook(rates=[Rate(1, Price(price, "byte/second", 1))]), {0: 0})


def fresh():
    tally = Tally(Fraction(0))
    tally.know(ANN)
    return tally


def told(tally):
    """What a user sees: each finding with its amount, and what each cause explains."""
    return (
        [(finding.check, int(finding.difference)) for finding in tally.findings],
        {cause.cause: int(cause.difference) for cause in tally.cause_totals()},
    )


def against_looks(own, looks, start_s, stop_s):
    tally = fresh()
    rows = [SampleRow(f"row {at_s}", "ann", "ZRH", "backup", at_s, "snapshot", size) for at_s, size in looks]
    compare_samples(Ledger(own, BEAT, {}), rows, tally, start_s, stop_s)
    return tally


def against_lines(own, lines, *, prices=None, start_s=0, stop_s=DAY_S):
    """Lines are `(begin, seconds, bytes)`, which cost what follows from that unless a fourth figure says otherwise."""
    tally = fresh()
    rows = [
        LedgerRow(f"line {number}", "ann", "ZRH", "backup", at_s, seconds, size, Fraction(amount[0] if amount else size * seconds))
        for number, (at_s, seconds, size, *amount) in enumerate(lines)
    ]
    compare_ledger(Ledger(own, BEAT, prices or {}), rows, tally, start_s, stop_s)
    return tally


def against_day(own, amount, peak_bytes, lines=()):
    tally = fresh()
    rows = [DayRow("row 1", "ann", "ZRH", "backup", 0, Fraction(amount), peak_bytes)]
    compare_days(Days(own, BEAT, lines, 0, DAY_S), rows, tally)
    return tally


@pytest.mark.parametrize(("next_s", "causes"), [(450, {}), (451, {"between_looks": -7 * 151})])
def test_a_look_holds_for_one_and_a_half_cycles_and_not_a_second_more(next_s, causes):
    own = unit((0, next_s + CYCLE_S, 7))
    tally = against_looks(own, [(0, 7), (next_s, 7)], 0, next_s + CYCLE_S)
    assert told(tally) == ([], causes)


@pytest.mark.parametrize(
    ("stop_s", "expected"), [(300 + 297, ([], {"between_looks": -7 * 297})), (300 + 298, ([("missing_row", -7 * 298)], {}))]
)
def test_time_without_a_look_is_a_missing_one_where_a_cycle_but_for_the_jitter_fits_in(stop_s, expected):
    assert told(against_looks(unit((0, stop_s, 7)), [(0, 7)], 0, stop_s)) == expected


def test_a_look_at_the_periods_begin_is_inside_and_one_at_its_end_is_not():
    tally = against_looks(unit((0, 900, 7)), [(299, 7), (300, 7), (600, 7)], 300, 600)
    assert told(tally) == ([], {})
    assert [(each.what, each.row_count) for each in tally.passed_over()] == [("rows outside the period", 2)]
    (total,) = tally.unit_totals()
    assert (total.ours, total.theirs) == (7 * 300, 7 * 300)


def test_what_a_look_shows_beyond_ours_is_explained_by_time_that_we_did_not_observe():
    missing = unit((0, 300, 7), (300, 600, 7, "missing"), (600, 900, 7))
    assert told(against_looks(missing, [(0, 7), (300, 7), (600, 7)], 0, 900)) == ([], {"missing_time": 7 * 300})
    assert told(against_looks(missing, [(0, 7), (300, 8), (600, 7)], 0, 900)) == ([], {"missing_time": 8 * 300})
    later = unit((0, 150, 7), (150, 300, 0, "missing"))
    assert told(against_looks(later, [(0, 7)], 0, 300)) == ([], {"missing_time": 7 * 150})


def test_a_look_between_two_polls_of_ours_is_held_against_what_was_occupied_not_what_burst():
    # 5 of 7 bytes are subscribed: 12 may have come and gone around a change, though that is beyond twice our burst; 15 may not.
    own = UnitSteps(ANN, [Step(0, 150, 7, 5, "measured", 0), Step(150, 300, 6, 5, "measured", 0)], BOOK, {0: 0})
    assert told(against_looks(own, [(0, 12)], 0, 300)) == ([], {"between_looks": (7 - 2) * 150 + (7 - 1) * 150})
    assert told(against_looks(own, [(0, 15)], 0, 300)) == ([("wrong_size", (10 - 2) * 150 + (10 - 1) * 150)], {})


def test_time_without_a_look_ends_where_we_hold_and_is_told_by_how_well_it_is_known():
    own = unit((0, 600, 7 * GIB), (600, 901, 9 * GIB), (901, 1_200, 9 * GIB, "held"), (1_200, 1_500, 0), (1_500, 1_800, GIB))
    tally = against_looks(own, [(1_500, GIB)], 0, 1_800)
    assert told(tally) == ([("missing_row", -(7 * 600 + 9 * 301) * GIB)], {"held_time": -9 * 299 * GIB})
    (finding,) = tally.findings
    assert (finding.start, finding.end) == (0, 901)
    assert finding.message == "4 looks without a row, though we have up to 9.00 GiB occupied"


def test_an_object_that_is_told_twice_costs_what_it_adds_to_the_look_above_what_is_subscribed():
    own = UnitSteps(ANN, [Step(0, 300, 7, 5, "measured", 0)], BOOK, {0: 0})
    assert told(against_looks(own, [(0, 7), (0, 4)], 0, 300)) == ([("duplicate_row", 4 * 300)], {})
    below = UnitSteps(ANN, [Step(0, 300, 7, 9, "measured", 0)], BOOK, {0: 0})
    assert told(against_looks(below, [(0, 7), (0, 4)], 0, 300)) == ([("duplicate_row", 2 * 300)], {})


def test_a_look_in_held_time_is_explained_as_far_as_it_holds():
    # 15 bytes are more than twice what we saw within that cycle, so that they cannot have come and gone between our polls.
    own = unit((0, 300, 7), (300, 450, 7, "held"), (450, 600, 5))
    assert told(against_looks(own, [(0, 7), (300, 15)], 0, 600)) == ([], {"held_time": 8 * 150 + 10 * 150})
    measured = unit((0, 300, 7), (300, 450, 7), (450, 600, 5))
    assert told(against_looks(measured, [(0, 7), (300, 15)], 0, 600)) == ([("wrong_size", 8 * 150 + 10 * 150)], {})
    assert told(against_looks(measured, [(0, 7), (300, 14)], 0, 600)) == ([], {"between_looks": 7 * 150 + 9 * 150})


@pytest.mark.parametrize(("peak_bytes", "findings"), [(14, []), (15, [("wrong_peak", 0)])])
def test_a_look_between_two_polls_of_ours_may_have_seen_twice_the_highest_and_not_a_byte_more(peak_bytes, findings):
    # Our poll at 137 s into a cycle shows the change: nobody knows what was there when they looked.
    own = unit((0, 3_437, 5), (3_437, DAY_S, 7))
    assert told(against_day(own, own.charge(0, DAY_S), peak_bytes))[0] == findings


@pytest.mark.parametrize(
    ("more", "findings"), [(600, []), (601, [("wrong_amount", 601)]), (-600, []), (-601, [("wrong_amount", -601)])]
)
def test_a_change_between_two_polls_moves_a_days_amount_by_a_cycle_of_it_at_the_most(more, findings):
    # 2 bytes more from 137 s into a cycle on. Looks at the begin of cycles see 5 bytes 12 times, then 7 bytes 276 times.
    own = unit((0, 3_437, 5), (3_437, DAY_S, 7))
    looked = 12 * 5 * CYCLE_S + 276 * 7 * CYCLE_S
    assert told(against_day(own, looked + more, 7))[0] == findings


def test_of_a_peak_nothing_is_found_where_looks_or_what_nobody_observed_explain_it():
    # 9 bytes from 100 s to 250 s into a cycle, where our polls saw them; looks at the begin of cycles did not.
    own = unit((0, 3_100, 5), (3_100, 3_250, 9), (3_250, DAY_S, 5))
    looked = 5 * DAY_S
    assert told(against_day(own, looked, 5)) == ([], {"between_looks": -4 * 150})
    # 8 bytes burst for as long, because a subscription ended and another began.
    steps = [Step(0, 3_100, 9, 5, "measured", 0), Step(3_100, 3_250, 9, 1, "measured", 0), Step(3_250, DAY_S, 9, 5, "measured", 0)]
    gap = UnitSteps(ANN, steps, BOOK, {0: 0})
    for peak_bytes, findings in ((4, []), (8, []), (5, [("wrong_peak", 0)])):
        assert told(against_day(gap, 4 * DAY_S, peak_bytes)) == (findings, {"between_looks": -4 * 150})
    steady = unit((0, DAY_S, 5))
    assert told(against_day(steady, looked, 6)) == ([("wrong_peak", 0)], {})
    assert told(against_day(steady, looked, 4)) == ([("wrong_peak", 0)], {})
    held = unit((0, 3_000, 5), (3_000, 3_300, 5, "held"), (3_300, DAY_S, 5))
    assert told(against_day(held, looked, 6)) == ([], {})


@pytest.mark.parametrize(("more", "findings"), [(1_800, []), (-1_800, []), (1_801, 1_801), (-1_801, -1_801)])
@pytest.mark.parametrize(("state", "cause"), [("held", "held_time"), ("partial", "partial_time")])
def test_held_and_partial_time_explain_up_to_themselves_at_the_highest_burst_either_way(more, findings, state, cause):
    own = unit((0, 3_000, 6), (3_000, 3_300, 5, state), (3_300, DAY_S, 5))
    ours = 6 * 3_000 + 5 * (DAY_S - 3_000)
    expected = ([("wrong_amount", findings)], {}) if findings else ([], {cause: more})
    for peak_bytes in (6, 0):
        assert told(against_day(own, ours + more, peak_bytes)) == expected


def test_a_day_without_a_row_is_told_by_how_well_it_is_known():
    own = unit((0, 3_000, 5), (3_000, 3_300, 5, "held"), (3_300, 3_600, 0), (3_600, DAY_S, 0))
    tally = fresh()
    compare_days(Days(own, BEAT, [], 0, DAY_S), [], tally)
    assert told(tally) == ([("missing_day", -5 * 3_000)], {"held_time": -5 * 300})
    unseen, tally = unit((0, 100, 0), (100, 250, 5), (250, DAY_S, 0)), fresh()
    compare_days(Days(unseen, BEAT, [], 0, DAY_S), [], tally)
    assert told(tally) == ([], {"between_looks": -5 * 150})


def test_missing_time_explains_up_to_itself_at_the_highest_burst_and_no_more():
    own = unit((0, 3_000, 5), (3_000, 4_000, 0, "missing"), (4_000, DAY_S, 5))
    ours = 5 * (DAY_S - 1_000)
    # Looks at the begin of cycles: at 3 000, 3 300, 3 600, 3 900 nobody of ours looked, so 100 s of ours are theirs to miss.
    looked = 5 * CYCLE_S * (288 - 4)
    assert told(against_day(own, ours, 5)) == ([], {})
    assert told(against_day(own, looked + 5_000, 5)) == ([], {"missing_time": 5_000, "between_looks": looked - ours})
    assert told(against_day(own, looked + 5_001, 5))[0] == [("wrong_amount", 5_001)]
    assert told(against_day(own, looked + 5_001, 6))[0] == []
    # A day's amount is the sum of 284 lines of theirs and our one, each of which is rounded.
    assert told(against_day(own, looked + 5_000 + 285 * LAST_PLACE, 5))[0] == []
    assert told(against_day(own, looked + 5_000 + 286 * LAST_PLACE, 5))[0] == [("wrong_amount", 5_000)]


def test_missing_time_explains_what_they_charge_and_never_that_they_charge_less():
    own = unit((0, 3_000, 5), (3_000, 4_000, 0, "missing"), (4_000, DAY_S, 5))
    looked = 5 * CYCLE_S * (288 - 4)
    assert told(against_day(own, looked - 5, 5))[0] == [("wrong_amount", -5)]
    both = unit((0, 3_000, 5), (3_000, 4_200, 0, "missing"), (4_200, 4_500, 5, "held"), (4_500, DAY_S, 5))
    ours = 5 * (DAY_S - 1_200)
    assert told(against_day(both, ours - 1_500, 5)) == ([], {"held_time": -1_500})
    assert told(against_day(both, ours - 1_501, 5)) == ([("wrong_amount", -1_501)], {})
    assert told(against_day(both, ours + 6_000, 5)) == ([], {"missing_time": 6_000})
    assert told(against_day(both, ours + 7_500, 5)) == ([], {"held_time": 7_500})
    assert told(against_day(both, ours + 7_501, 5)) == ([("wrong_amount", 7_501)], {})


def test_a_day_that_nobody_of_ours_observed_costs_at_most_its_highest_burst_at_the_price_in_force_as_it_begins():
    book = RateBook(rates=[Rate(1, Price(price, "byte/second", 1)) for price in ("1", "2")])
    own = UnitSteps(ANN, [Step(0, DAY_S, 0, 0, "missing", 0)], book, {0: 0, DAY_S: 1})
    assert told(against_day(own, 7 * DAY_S, 7)) == ([], {"missing_time": 7 * DAY_S})
    tally = against_day(own, 7 * DAY_S + 1, 7)
    assert told(tally) == ([("extra_day", 7 * DAY_S + 1)], {})
    assert [each.outcome for each in tally.outcome_totals()] == ["theirs_only"]


def test_a_change_that_looks_see_at_once_moves_no_amount():
    own = unit((0, 3_000, 5), (3_000, DAY_S, 7))
    assert told(against_day(own, own.charge(0, DAY_S) + 1, 7)) == ([("wrong_amount", 1)], {})


def test_a_day_whose_burst_has_no_price_with_us_is_unpriced():
    own = UnitSteps(ANN, [Step(0, DAY_S, 7, 0, "measured", 0)], RateBook(rates=[Rate(1, None)]), {0: 0})
    line = ChargeLine.model_construct(date=0, amount=None)
    assert told(against_day(own, 100, 7, [line])) == ([("unpriced", 100)], {})


@pytest.mark.parametrize(
    ("price", "theirs", "check"),
    [
        ("1", "9.5", "wrong_price"), ("1", "10.5", "wrong_amount"),
        ("1.9", "0.2", "wrong_price"), ("2.1", "0.2", "wrong_amount"),
        ("1", "1.2345", "wrong_price"),
        ("1", "1.23456", "wrong_amount"),
        ("1", "10.5 known", "wrong_price"), ("1", "2", "wrong_amount"),
    ],
)  # fmt: skip
def test_an_amount_is_at_another_price_where_that_is_within_ten_times_ours_or_somebody_set_it(price, theirs, check):
    own = unit((0, 900, 7), price=price)
    theirs, _, is_known = theirs.partition(" ")
    prices = {Fraction(theirs): "the price of level 2"} if is_known else {}
    right = Fraction(price) * 7 * CYCLE_S
    lines = [(0, CYCLE_S, 7, right), (300, CYCLE_S, 7, Fraction(theirs) * 7 * CYCLE_S), (600, CYCLE_S, 7, right)]
    assert [finding[0] for finding in told(against_lines(own, lines, prices=prices))[0]] == [check]


@pytest.mark.parametrize(("changes_s", "expected"), [(302, ("wrong_quantity", None)), (303, (None, "between_looks"))])
def test_a_poll_of_ours_beyond_the_jitter_is_no_look_at_the_same_time(changes_s, expected):
    # Their look at 300 s saw 9 bytes, ours 7, and later in the cycle 8.
    own = unit((0, changes_s, 7), (changes_s, 600, 8))
    found, causes = told(against_lines(own, [(0, 300, 7), (300, 300, 9)], stop_s=600))
    difference = 2 * (changes_s - 300) + (600 - changes_s)
    check, cause = expected
    assert (found, causes) == ([(check, difference)] if check else [], {cause: difference} if cause else {})


@pytest.mark.parametrize(("seen_bytes", "is_ours"), [(4, False), (5, True), (6, True), (7, True), (8, False)])
def test_a_look_sees_no_less_and_no_more_than_a_subscription_left_in_its_cycle(seen_bytes, is_ours):
    own = UnitSteps(ANN, [Step(0, 100, 9, 2, "measured", 0), Step(100, 300, 9, 4, "measured", 0)], BOOK, {0: 0})
    difference = seen_bytes * 300 - (7 * 100 + 5 * 200)
    found, causes = told(against_lines(own, [(0, 300, seen_bytes)], stop_s=300))
    assert (found, causes) == (([], {"between_looks": difference}) if is_ours else ([("wrong_quantity", difference)], {}))


def test_a_look_right_before_our_time_ends_sees_what_was_there():
    own = unit((0, 700, 7))
    assert told(against_lines(own, [*in_a_row(0, 600), (600, 100, 3)], stop_s=700)) == ([("wrong_quantity", -4 * 100)], {})


@pytest.mark.parametrize(("more", "checks"), [(1, []), (-1, []), (2, ["wrong_amount"]), (-2, ["wrong_amount"])])
def test_a_lines_amount_is_rounded_by_one_in_the_last_place_at_the_most(more, checks):
    own = unit((0, 300, 7))
    tally = against_lines(own, [(0, 300, 7, 7 * 300 + more * LAST_PLACE)], stop_s=300)
    assert [finding.check for finding in tally.findings] == checks


# At this price no number of seconds near 300 looks like another price of few decimals.
ODD = Fraction("0.2803")


@pytest.mark.parametrize("amount_s", [297, 298, 302, 303])
def test_an_amount_is_for_the_lines_seconds_within_the_jitter(amount_s):
    tally = against_lines(unit((0, 300, 7), price="0.2803"), [(0, 300, 7, 7 * amount_s * ODD)], stop_s=300)
    (total,) = tally.unit_totals()
    assert Fraction(total.difference) == 7 * (amount_s - 300) * ODD
    assert [finding.check for finding in tally.findings] == ([] if 298 <= amount_s <= 302 else ["wrong_amount"])
    assert [cause.cause for cause in tally.cause_totals()] == (["interval_jitter"] if 298 <= amount_s <= 302 else [])


def test_an_amount_that_is_for_whole_seconds_says_for_how_many():
    own = unit((0, 300, 7), price="0.2803")
    amounts = (7 * 411 * ODD, 7 * 411 * ODD + 1, 0)
    said = [against_lines(own, [(0, 300, 7, amount)], stop_s=300).findings[0].message for amount in amounts]
    assert said[0] == "its amount is for 411 s, it says 300 s"
    assert said[1] == said[2] == "its amount is not resource_amount × interval × price"


def test_a_line_that_began_before_the_period_may_have_seen_anything_there():
    own = unit((300, 600, 7))
    assert told(against_lines(own, [(150, 300, 9), (450, 300, 7)], start_s=300, stop_s=600)) == ([], {"cut": 2 * 150})


def test_a_line_whose_look_was_in_held_time_is_explained_as_far_as_it_holds():
    own = unit((0, 150, 7, "held"), (150, 300, 5))
    assert told(against_lines(own, [(0, 300, 15)], stop_s=300)) == ([], {"held_time": 8 * 150 + 10 * 150})
    partial = unit((0, 150, 7), (150, 300, 5, "partial"))
    found, causes = told(against_lines(partial, [(0, 300, 15)], stop_s=300))
    assert (found, causes) == ([("wrong_quantity", 8 * 150)], {"partial_time": 10 * 150})


def in_a_row(first_s, last_s, size=7):
    """A line each cycle, the last one begins before `last_s`."""
    return [(at_s, CYCLE_S, size) for at_s in range(first_s, last_s, CYCLE_S)]


@pytest.mark.parametrize(
    ("late_s", "expected"),
    [
        (2, ([], {"interval_jitter": -14})),
        (3, ([], {"between_looks": -21})),
        (297, ([], {"between_looks": -7 * 297})),
        (298, ([("missing_line", -7 * 298)], {})),
    ],
)
def test_what_bursts_before_the_first_line_is_jitter_or_unseen_or_a_line_that_is_missing(late_s, expected):
    own = unit((0, 900 + late_s, 7), (900 + late_s, 3_600, 0))
    assert told(against_lines(own, in_a_row(late_s, 900))) == expected


@pytest.mark.parametrize(
    ("hole_s", "expected"),
    [(2, ([], {"interval_jitter": -14})), (3, ([("missing_line", -21)], {})), (-2, ([], {"interval_jitter": 14}))],
)
def test_two_lines_join_within_the_jitter(hole_s, expected):
    own = unit((0, 1_200 + hole_s, 7), (1_200 + hole_s, 3_600, 0))
    assert told(against_lines(own, [*in_a_row(0, 600), *in_a_row(600 + hole_s, 1_200 + hole_s)])) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (302, ([], {"interval_jitter": 14})),
        (298, ([], {"interval_jitter": -14})),
        (303, ([("wrong_interval", 21)], {})),
        (297, ([("wrong_interval", -21)], {})),
    ],
)
def test_a_line_is_as_long_as_a_cycle_within_the_jitter(seconds, expected):
    own = unit((0, 900, 7), (900, 3_600, 0))
    assert told(against_lines(own, [(0, 300, 7), (300, seconds, 7), (600, 300, 7)])) == expected


@pytest.mark.parametrize(
    ("by_s", "expected"),
    [
        (12 * CYCLE_S, ["shifted_line"]), (-12 * CYCLE_S, ["shifted_line"]),
        (12 * CYCLE_S + 1, ["extra_line", "missing_line"]), (-12 * CYCLE_S - 1, ["extra_line", "missing_line"]),
        (13 * CYCLE_S, ["extra_line", "missing_line"]),
    ],
)  # fmt: skip
def test_a_line_is_shifted_by_twelve_cycles_at_the_most(by_s, expected):
    own = unit((0, 9_000, 0), (9_000, 12_000, 7), (12_000, 21_000, 0))
    lines = in_a_row(9_000, 12_000)
    moved = lines.pop(-1 if by_s > 0 else 0)
    found, _ = told(against_lines(own, [*lines, (moved[0] + by_s, *moved[1:])]))
    assert sorted(check for check, _ in found) == expected


def test_no_line_is_shifted_into_time_that_we_held():
    own = unit((0, 3_000, 7), (3_000, 3_300, 7, "held"), (3_300, 6_000, 7), (6_000, 9_000, 0))
    lines = [*in_a_row(0, 3_000), *in_a_row(3_300, 6_000), (6_300, CYCLE_S, 7)]
    assert told(against_lines(own, lines)) == ([("extra_line", 7 * 300)], {"held_time": -7 * 300})


def test_of_two_lines_the_one_that_is_nearer_to_where_one_is_missing_is_shifted():
    own = unit((0, 3_000, 7), (3_000, 9_000, 0))
    tally = against_lines(own, [*in_a_row(0, 2_700), (4_500, CYCLE_S, 7), (3_300, CYCLE_S, 7)])
    assert {finding.check: finding.place for finding in tally.findings} == {"shifted_line": "line 10", "extra_line": "line 9"}


def test_a_line_that_is_too_long_is_that_only_where_we_measured_what_came():
    measured = unit((0, 300, 7), (300, 600, 9), (600, 3_600, 0))
    found = [("wrong_interval", 7 * 300), ("missing_line", -9 * 300)]
    assert told(against_lines(measured, [(0, 600, 7)])) == (found, {})
    held = unit((0, 300, 7), (300, 600, 9, "held"), (600, 3_600, 0))
    assert told(against_lines(held, [(0, 600, 7)])) == ([], {"held_time": -2 * 300})


def test_a_line_that_ends_early_stands_for_a_cycle_only_where_the_next_one_follows_then():
    own = unit((0, 900, 7), (900, 3_600, 0))
    missing, unseen = ("missing_line", -7 * 300), {"between_looks": -7 * 100}
    assert told(against_lines(own, [(0, 200, 7), (500, 300, 7)])) == ([missing], unseen)
    assert told(against_lines(own, [(0, 200, 7), (300, 300, 7), (600, 300, 7)])) == ([("wrong_interval", -7 * 100)], {})


def test_a_line_before_our_burst_may_have_seen_it_begin():
    own = unit((0, 200, 0), (200, 600, 7), (600, 3_600, 0))
    # 100 s of theirs before it began, and 100 s of ours before their next look.
    tally = against_lines(own, [(0, 100, 7), (300, 300, 7)])
    assert told(tally) == ([], {"between_looks": 7 * 100 - 7 * 100})
    assert told(against_lines(own, [(0, 100, 15), (300, 300, 7)]))[0] == [("extra_line", 15 * 100)]


@pytest.mark.parametrize(("cycles", "expected"), [(2, ["shifted_line"]), (3, ["duplicate_line", "missing_line"])])
def test_a_line_that_repeats_another_is_shifted_by_two_cycles_at_the_most(cycles, expected):
    own = unit((0, 3_000, 7), (3_000, 9_000, 0))
    lines = in_a_row(0, 3_000)
    again = lines[5 - cycles]
    found, _ = told(against_lines(own, [*lines[:5], again, *lines[6:]]))
    assert sorted(check for check, _ in found) == expected


def test_a_line_that_only_touches_the_period_is_outside():
    tally = against_lines(unit((300, 600, 7)), in_a_row(0, 900), start_s=300, stop_s=600)
    assert told(tally) == ([], {})
    assert [(each.what, each.row_count) for each in tally.passed_over()] == [("lines outside the period", 2)]
    (total,) = tally.unit_totals()
    assert (total.theirs, total.difference) == (7 * 300, 0)
