"""Random hostile worlds: every charge of each is explained so that hand code redoes it from the explanation's own JSON."""

import tempfile
from pathlib import Path
from random import Random

from fact_files import write_tables
from hypothesis import given
from hypothesis import strategies as st
from judge import meter_of, take
from redone import redo
from worlds import World

from metering.model.errors import NoDataError
from metering.model.period import instant_text

SEEDS = st.integers(min_value=0, max_value=2**40)
MOST_LINES = 4


@given(seed=SEEDS)
def test_every_charge_can_be_redone_from_its_explanation(seed):
    world, random = World.random(seed), Random(seed)
    with tempfile.TemporaryDirectory() as directory, meter_of(world) as meter:
        for number, tables in enumerate(world.commands):
            place = write_tables(Path(directory) / f"{number}", tables)
            take(meter, place, supersede=number in world.supersede)
        asked = {"as_of": instant_text(world.as_of)}
        try:
            lines = meter.bill(world.period, **asked).lines
        except NoDataError:
            return
        for line in random.sample(lines, min(len(lines), MOST_LINES)):
            document = meter.explain(line.charge_id, period=world.period, **asked).model_dump(mode="json")
            assert document["line"] == line.model_dump(mode="json")
            assert document["recomputed"] == redo(document) | {"agrees": True}
            assert redo(document) == {name: document["line"][name] for name in redo(document)}
