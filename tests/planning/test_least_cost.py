"""The advised amount beats every other amount, on random histories, to the last fraction."""

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from metering.planning.least_cost import BurstCost, stepped

PRICES = st.fractions(min_value=0, max_value=5, max_denominator=7)
LEVELS = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 50), PRICES), max_size=12)
EXAMPLES = settings(max_examples=150, deadline=None, database=None)


def by_hand(levels, amount):
    return sum((max(0, occupied - amount) * seconds * price for occupied, seconds, price in levels), Fraction(0))


@EXAMPLES
@given(levels=LEVELS, price=st.fractions(min_value=0, max_value=300, max_denominator=9), kept=st.integers(0, 45))
def test_no_amount_costs_less_than_the_advised_one(levels, price, kept):
    cost = BurstCost(levels)
    amount = cost.least(price, kept)
    totals = {each: each * price + by_hand(levels, kept + each) for each in range(60)}
    assert totals[amount] == min(totals.values())
    assert amount == min(each for each, total in totals.items() if total == totals[amount]), "the least of several"


@EXAMPLES
@given(levels=LEVELS, amount=st.integers(-50, 60))
def test_burst_costs_what_a_sum_over_the_history_gives_whatever_the_amount(levels, amount):
    assert BurstCost(levels).at(amount) == by_hand(levels, amount)


@EXAMPLES
@given(
    levels=LEVELS,
    price=st.fractions(min_value=0, max_value=300, max_denominator=9),
    step=st.integers(2, 17),
    kept=st.integers(0, 9),
)
def test_no_multiple_of_a_step_costs_less_than_the_advised_one(levels, price, step, kept):
    cost = BurstCost(levels)
    amount = stepped(cost, cost.least(price, kept), price, kept, step)
    assert amount % step == 0
    totals = [each * price + by_hand(levels, kept + each) for each in range(0, 80, step)]
    assert amount * price + by_hand(levels, kept + amount) == min(totals)


def test_bytes_beyond_any_float_are_told_apart():
    huge = 2**63 - 1
    cost = BurstCost([(huge, 10, Fraction(1)), (huge - 1, 10, Fraction(1))])
    assert cost.least(Fraction(20)) == 0
    assert cost.least(Fraction(15)) == huge - 1
    assert cost.least(Fraction(5)) == huge


def test_of_many_bends_the_ends_and_some_between_are_given():
    cost = BurstCost([(size, 1, Fraction(1)) for size in range(1_000)])
    bends = cost.bends(5)
    assert (bends[0], bends[-1], len(bends)) == (0, 999, 5)
    assert cost.bends(2_000) == list(range(1_000))
