"""What is tolerated in a reconciliation: a difference up to the tolerance, however it is signed, and not a hair more."""

from fractions import Fraction

import pytest

from metering.reporting.reconcile.tally import Compared, Found, Tally
from metering.reporting.unit_steps import Unit

HAIR = Fraction(1, 10**20)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("beyond", "causes"), [(Fraction(0), ["tolerated"]), (HAIR, [])])
def test_a_difference_of_just_the_tolerance_is_no_finding(sign, beyond, causes):
    tally, unit = Tally(Fraction(1, 100)), Unit("A", "ZRH", "CHF")
    tally.know(unit)
    difference = sign * (Fraction(1, 100) + beyond)
    row = Compared(0, 300, ours=Fraction(2), theirs=2 + difference, found=[Found("wrong_amount", "told", difference)])
    tally.add(unit, row)
    assert [cause.cause for cause in tally.cause_totals()] == causes
    assert [Fraction(finding.difference) for finding in tally.findings] == ([] if causes else [difference])
    (total,) = tally.unit_totals()
    assert (Fraction(total.difference), Fraction(total.at_stake)) == (difference, 0 if causes else difference)
