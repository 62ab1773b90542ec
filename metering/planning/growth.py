"""How what is occupied grows, as its own days show it, and how far it may have come in some days."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import isqrt

from metering.model.period import SECONDS_PER_DAY

# Of a normal distribution, 90 % lies within this many standard deviations: between the 5th and the 95th percentile.
_DEVIATIONS = Fraction(1645, 1000)
# From fewer changes nothing is read.
LEAST_CHANGES = 6


@dataclass(frozen=True, slots=True)
class Day:
    """A UTC date, its average size, and for how long it was observed."""

    date_s: int
    mean_bytes: int
    observed_seconds: int

    @property
    def is_whole(self) -> bool:
        """Whether most of it was observed, so that its average says something."""
        return 2 * self.observed_seconds >= SECONDS_PER_DAY


@dataclass(frozen=True, slots=True)
class Growth:
    """The mean and variance of how the average size changes from one day to the next."""

    mean: Fraction
    variance: Fraction

    def after(self, days: int) -> tuple[int, int]:
        """Give by how many bytes a size changes in some days, at the 5th and at the 95th percentile; may be negative."""
        spread = isqrt(int(days * self.variance * _DEVIATIONS * _DEVIATIONS))
        middle = int(days * self.mean)
        return middle - spread, middle + spread


def growth_of(days: Sequence[Day]) -> Growth | None:
    """Read growth from days in order; None where too few follow each other."""
    whole = [day for day in days if day.is_whole]
    changes = [
        after.mean_bytes - before.mean_bytes for before, after in pairwise(whole) if after.date_s - before.date_s == SECONDS_PER_DAY
    ]
    if len(changes) < LEAST_CHANGES:
        return None
    mean = Fraction(sum(changes), len(changes))
    return Growth(mean, sum(((change - mean) ** 2 for change in changes), Fraction(0)) / (len(changes) - 1))
