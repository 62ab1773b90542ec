"""Lives under faults, from seeds: a few short ones here, long ones by `METERING_EXAMPLES=200` or `python -m tests.simulation`."""

import os

import pytest
from simulation import STEPS, Simulation

IS_LONG = "METERING_EXAMPLES" in os.environ
SEEDS = range(int(os.environ.get("METERING_EXAMPLES", "3")))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_life_under_faults_is_billed_as_the_oracle_bills_it(seed, tmp_path):
    with Simulation(seed, tmp_path) as simulation:
        tally = simulation.run(STEPS if IS_LONG else 6)
    assert simulation.byte_seconds > 0
    assert any(count for what, count in tally.items() if what.startswith("fault: "))


def test_a_seed_that_fails_is_named_with_the_command_that_repeats_it(tmp_path, monkeypatch):
    def finds_something(_self, _month):
        assert "what is found" == "what is true"  # noqa: PLR0133 -- it fails

    monkeypatch.setattr(Simulation, "a_month_agrees", finds_something)
    with (
        Simulation(7, tmp_path) as simulation,
        pytest.raises(AssertionError, match=r"seed 7 fails at step 1 .*python -m tests.simulation --seed 7 --steps 9"),
    ):
        simulation.run(9)
