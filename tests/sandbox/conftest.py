"""A small world that is served, and a client of its first account."""

import pytest
from sandbox_help import client_of, running, small_world


@pytest.fixture
def sandbox():
    with running(small_world()) as served:
        yield served


@pytest.fixture
def client(sandbox):
    with client_of(sandbox) as client:
        yield client
