"""Runs the worked cases of this folder: the product and the oracle must both come to what was worked out by hand."""

import pytest
from judge import oracle_bill, product_bill
from worked_cases import CASES, assert_as_worked_out, world_of


@pytest.mark.parametrize("case", CASES, ids=[f"{case['file']}: {case['title']}" for case in CASES])
@pytest.mark.parametrize("biller", ["the product", "the oracle"])
def test_a_worked_case_comes_to_what_was_worked_out_by_hand(case, biller, tmp_path):
    world = world_of(case)
    assert_as_worked_out(case, oracle_bill(world) if biller == "the oracle" else product_bill(world, tmp_path))


def test_there_are_cases_for_every_section():
    sections = {section for case in CASES for section in case["of"].split()}
    assert sections >= {"§2", "§3", "§4", "§5", "§6", "§7", "§8"}
    assert len({case["title"] for case in CASES}) == len(CASES) >= 25
