"""Reports of random hostile worlds: from the kept sums of days, where those are enough, they say what they say from every step."""

import tempfile
from itertools import combinations
from pathlib import Path

import pytest
from fact_files import write_tables
from hypothesis import given
from hypothesis import strategies as st
from judge import meter_of, take
from test_stretches_equal_oracle import world_of
from worlds import World

from metering import api
from metering.model.errors import NoDataError
from metering.model.period import instant_text
from metering.reporting.reports import BY, needs_steps

SEEDS = st.integers(min_value=0, max_value=2**40)
ASKED = [
    (report, by)
    for report in ("usage", "burst", "cost", "coverage")
    for size in (1, 2, 3)
    for by in combinations(BY[report], size)
    if not needs_steps(report, by) and ("episode" not in by or size == 1)
]


def told(meter, world):
    try:
        return [
            meter.report_table(report, world.period, by=",".join(by), as_of=instant_text(world.as_of)).documents()
            for report, by in ASKED
        ]
    except NoDataError as error:
        return str(error)


@given(seed=SEEDS, is_long=st.booleans())
def test_what_is_told_at_a_glance_is_what_the_steps_tell(seed, is_long):
    world = world_of(seed) if is_long else World.random(seed)
    with tempfile.TemporaryDirectory() as directory, meter_of(world) as meter:
        for number, tables in enumerate(world.commands):
            take(meter, write_tables(Path(directory) / f"{number}", tables), supersede=number in world.supersede)
        found = told(meter, world)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(api, "needs_steps", lambda *_: True)
            assert told(meter, world) == found


def test_most_that_is_asked_for_is_told_at_a_glance():
    assert ("usage", ("account", "location", "day")) in ASKED
    assert {report for report, _ in ASKED} == {"usage", "burst", "cost", "coverage"}
    assert needs_steps("usage", ("account",))
    assert needs_steps("coverage", ("interval",))
    assert not needs_steps("coverage", ("day",))
