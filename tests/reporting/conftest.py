"""What several tests of pages, workbooks, statements and charts read and none of them changes."""

from pathlib import Path

import pytest
from hostile_world import hostile_meter

import metering

SAMPLE_DATA = Path(__file__).resolve().parent.parent.parent / "sample_data"


@pytest.fixture(scope="session")
def october(tmp_path_factory):
    """The sample month."""
    with metering.open(str(tmp_path_factory.mktemp("october") / "metering.duckdb")) as meter:
        meter.ingest(SAMPLE_DATA)
        yield meter


@pytest.fixture(scope="session")
def hostile(tmp_path_factory):
    """A day of accounts whose names would like to be more than text."""
    with hostile_meter(tmp_path_factory.mktemp("hostile")) as meter:
        yield meter
