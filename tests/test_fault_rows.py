"""The catalogue of faults is answered row by row, and every test that is named there is there."""

import ast
from pathlib import Path

import pytest
from faults import CATALOGUE, FAULTS

TESTS = Path(__file__).resolve().parent


def test_every_row_of_the_catalogue_is_answered_once():
    assert [fault.row for fault in FAULTS] == [
        f"{group}{number}" for group, count in CATALOGUE.items() for number in range(1, count + 1)
    ]
    assert all(fault.places or fault.reason for fault in FAULTS)


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.row for fault in FAULTS])
def test_a_fault_is_injected_by_tests_that_are_there(fault):
    for place in fault.places:
        file, _, name = place.partition("::")
        found = {
            node.name for node in ast.parse((TESTS / file).read_text(encoding="utf-8")).body if isinstance(node, ast.FunctionDef)
        }
        assert name in found, place
