"""Runs the worked cases of this folder: the product and the oracle must both come to what was worked out by hand.

A case that lists `usage`, `lines`, `episodes` or `statements` lists all of their rows; a measure that it does not name is zero.
"""

from pathlib import Path

import pytest
from case_notation import DAY, at, cases_of, commands_of, quantity
from judge import oracle_bill, product_bill
from oracle_facts import instant
from worlds import World

CASES = [{"file": path.stem} | case for path in sorted(Path(__file__).parent.glob("*.toml")) for case in cases_of(path)]
USAGE = {
    "occupied": "occupied_byte_seconds", "entitled": "entitled_byte_seconds", "burst": "burst_byte_seconds",
    "unused": "unused_byte_seconds", "peak": "peak_occupied_bytes", "measured": "measured_seconds", "held": "held_seconds",
    "partial": "partial_seconds", "missing": "missing_seconds",
}  # fmt: skip
BURST = {"burst": "burst_byte_seconds", "peak": "peak_burst_bytes"}


def world_of(case):
    day = case.get("day", DAY)
    commands, supersede = commands_of(case["facts"], day)
    start, dots, end = case["period"].partition("..")
    period = f"{at(start, day)}..{at(end, day)}" if dots else start
    as_of = instant(at(case.get("as_of", "2030-01-01"), day))
    now = instant(at(case.get("now", "2030-01-01"), day))
    settings = {name: case[name] for name in ("cycle", "max_hold", "known_at") if name in case}
    return World(0, commands, period, as_of, supersede=supersede, now=now, **settings)


def said_of(row, day, measures):
    """A row of an expectation: `name` becomes the column, an arithmetic its result, a time of day an instant."""
    said = {}
    for name, value in row.items():
        if name in ("start", "end"):
            said[name] = f"{at(value, day).removesuffix('Z')}Z"
        else:
            said[measures.get(name, name)] = str(quantity(value)) if name in measures else None if value == "null" else value
    return said


def expected_usage(row, day):
    said = dict.fromkeys(USAGE.values(), "0") | said_of(row, day, USAGE)
    return said | {name: int(value) for name, value in said.items() if name.endswith("_seconds") and "byte" not in name}


def picked(row, like):
    return {name: row[name] for name in like}


@pytest.mark.parametrize("case", CASES, ids=[f"{case['file']}: {case['title']}" for case in CASES])
@pytest.mark.parametrize("biller", ["the product", "the oracle"])
def test_a_worked_case_comes_to_what_was_worked_out_by_hand(case, biller, tmp_path):
    world, day = world_of(case), case.get("day", DAY)
    document = oracle_bill(world) if biller == "the oracle" else product_bill(world, tmp_path)
    checked = [part for part in document if part in case]
    assert checked, "a case expects something"
    for part in checked:
        rows = case[part]
        expected = [expected_usage(row, day) if part == "usage" else said_of(row, day, BURST) for row in rows]
        assert len(document[part]) == len(expected), (part, document[part])
        for row, said in zip(document[part], expected, strict=True):
            assert picked(row, said) == said


def test_there_are_cases_for_every_section():
    sections = {section for case in CASES for section in case["of"].split()}
    assert sections >= {"§2", "§3", "§4", "§5", "§6", "§7", "§8"}
    assert len({case["title"] for case in CASES}) == len(CASES) >= 25
