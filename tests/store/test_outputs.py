"""What a file that is written takes the place of, and who may read it."""

import os
import stat

import pytest
from hour_facts import HOUR, an_hour, write_facts

import metering
from metering.durable import replaced
from metering.ingest.cycle import CycleReport
from metering.ingest.metrics import Metrics
from metering.model.errors import InputError


@pytest.fixture
def pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    return tmp_path / "pipe.csv"


def assert_pipe_stays(pipe):
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert [path.name for path in pipe.parent.iterdir()] == [pipe.name]


REFUSED = r"is no file, but a device or a pipe, and would be replaced: name a file$"


def test_no_file_takes_the_place_of_a_pipe(pipe):
    with pytest.raises(InputError, match=REFUSED), replaced(pipe) as place:
        place.write_text("x")
    assert_pipe_stays(pipe)


def test_nor_do_figures_for_prometheus(pipe):
    with pytest.raises(InputError, match=REFUSED):
        Metrics(pipe).write(CycleReport(0))
    assert_pipe_stays(pipe)


@pytest.fixture
def everybody():
    """A program that gives its files to all the world."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("everybody")
@pytest.mark.parametrize("form", ["parquet", "csv", "ndjson"])
def test_exported_facts_are_their_owners_whatever_a_program_gives_away(tmp_path, form):
    write_facts(tmp_path / "facts", an_hour())
    with metering.open(str(tmp_path / "store.duckdb")) as meter:
        meter.ingest(tmp_path / "facts")
        meter.export("facts", tmp_path / "exported", facts_format=form)
        before = meter.bill(HOUR).usage
    with metering.open(":memory:") as meter:
        meter.ingest(tmp_path / "exported")
        assert meter.bill(HOUR).usage == before
    made = [tmp_path / "exported", *(tmp_path / "exported").rglob("*")]
    assert len(made) > 5
    assert {stat.S_IMODE(path.stat().st_mode) for path in made if path.is_file()} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in made if path.is_dir()} == {0o700}
