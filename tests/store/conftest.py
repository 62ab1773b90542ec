"""The facts that most tests of the store ingest."""

import pytest
from hour_facts import an_hour, write_facts


@pytest.fixture
def facts(tmp_path):
    return write_facts(tmp_path / "facts", an_hour())
