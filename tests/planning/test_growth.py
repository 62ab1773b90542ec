"""How what is occupied grows, worked by hand: the mean and spread of daily changes, and how far they may carry a size."""

from fractions import Fraction

import pytest

from metering.model.period import SECONDS_PER_DAY
from metering.planning.growth import Day, Growth, growth_of

MEANS = (100, 110, 130, 120, 150, 140, 170)


def days(means, *, left_out=(), observed=SECONDS_PER_DAY):
    return [Day(i * SECONDS_PER_DAY, mean, observed) for i, mean in enumerate(means) if i not in left_out]


def test_growth_is_the_mean_and_the_variance_of_a_sample_of_daily_changes():
    """Changes of 10, 20, -10, 30, -10 and 30: the mean is 70/6; their squares are 2 500, less 6 × (70/6)² in five parts."""
    assert growth_of(days(MEANS)) == Growth(Fraction(35, 3), (2_500 - 6 * Fraction(35, 3) ** 2) / 5)


def test_ninety_of_a_hundred_sizes_lie_within_1_645_deviations_of_the_middle():
    """Nine days of 35/3 are 105, of a variance of 1010/3 they are 3 030, whose root is 55.045, and 1.645 of that are 90.5."""
    assert Growth(Fraction(35, 3), Fraction(1010, 3)).after(9) == (105 - 90, 105 + 90)


def test_from_fewer_than_six_changes_nothing_is_read():
    assert growth_of(days(MEANS)) is not None
    assert growth_of(days(MEANS[:-1])) is None


def test_only_days_that_follow_each_other_tell_a_change():
    """Of eleven days the fourth is left out: the change from the third to the fifth is of two days, and none of these."""
    grown = growth_of(days([0, 10, 20, 900, 1_000, 1_010, 1_020, 1_030, 1_040, 1_050, 1_060], left_out=(3,)))
    assert grown == Growth(Fraction(10), Fraction(0))


@pytest.mark.parametrize(("observed", "is_read"), [(SECONDS_PER_DAY // 2, True), (SECONDS_PER_DAY // 2 - 1, False)])
def test_a_day_of_which_less_than_half_was_observed_tells_nothing(observed, is_read):
    assert (growth_of(days(MEANS, observed=observed)) is not None) == is_read
