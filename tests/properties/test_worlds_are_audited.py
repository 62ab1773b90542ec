"""Random hostile worlds: added up again from the samples, apart from billing, usage is the same to the last byte-second."""

import tempfile
from pathlib import Path

from fact_files import write_tables
from hypothesis import given
from hypothesis import strategies as st
from judge import meter_of, take
from worlds import World

from metering.model.errors import NoDataError
from metering.model.period import instant_text
from metering.reporting.checks import CHECKS

SEEDS = st.integers(min_value=0, max_value=2**40)


@given(seed=SEEDS)
def test_no_sum_of_a_world_differs_from_what_its_samples_make(seed):
    world = World.random(seed)
    with tempfile.TemporaryDirectory() as directory, meter_of(world) as meter:
        for number, tables in enumerate(world.commands):
            take(meter, write_tables(Path(directory) / f"{number}", tables), supersede=number in world.supersede)
        try:
            found = meter.audit(world.period, as_of=instant_text(world.as_of))
        except NoDataError:
            return
        assert {finding.check for finding in found} <= {check.name for check in CHECKS}
        assert [finding for finding in found if "differ" in finding.check or finding.check == "duplicate_polls"] == []
