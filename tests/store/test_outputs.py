"""What a file that is written takes the place of, and who may read it."""

import os
import stat

import pytest
from hour_facts import HOUR, an_hour, price, write_facts

import metering
from metering.collector.cycle import CycleReport
from metering.collector.metrics import Metrics
from metering.durable import replaced
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


def test_an_amount_that_no_decimal_of_parquet_holds_is_told_and_what_was_there_stays(tmp_path):
    """Of a currency of small change and a price that somebody mistyped: other formats have it exactly."""
    facts = an_hour() | {"prices": [price(amount="9" * 30)]}
    (tmp_path / "out.parquet").write_text("before")
    with metering.open(":memory:") as meter:
        meter.ingest(write_facts(tmp_path / "facts", facts))
        with pytest.raises(
            InputError, match=r"out.parquet cannot be written: amount \d{19,}[.]\d{20} is larger .*\.csv or \.ndjson"
        ):
            meter.export("statement", tmp_path / "out.parquet", period=HOUR)
        with pytest.raises(InputError, match=r"is larger than exact decimals of Parquet"):
            meter.export("focus", tmp_path / "focus.parquet", period=HOUR)
        assert meter.export("statement", tmp_path / "out.csv", period=HOUR)
    assert (tmp_path / "out.parquet").read_text() == "before"
    assert not list(tmp_path.glob("focus*"))


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
