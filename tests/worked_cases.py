"""The worked cases of `cases/`: each is a world, with what was worked out by hand of it.

A case that lists `usage`, `lines`, `episodes` or `statements` lists all of their rows; a measure that it does not name is zero.
"""

from pathlib import Path
from typing import Any

from case_notation import DAY, at, cases_of, commands_of, quantity
from oracle_facts import instant
from worlds import World

Case = dict[str, Any]
Row = dict[str, Any]

CASES = [{"file": path.stem} | case for path in sorted((Path(__file__).parent / "cases").glob("*.toml")) for case in cases_of(path)]
USAGE = {
    "occupied": "occupied_byte_seconds", "entitled": "entitled_byte_seconds", "burst": "burst_byte_seconds",
    "unused": "unused_byte_seconds", "peak": "peak_occupied_bytes", "measured": "measured_seconds", "held": "held_seconds",
    "partial": "partial_seconds", "missing": "missing_seconds",
}  # fmt: skip
BURST = {"burst": "burst_byte_seconds", "peak": "peak_burst_bytes"}


def world_of(case: Case) -> World:
    """Read a case's facts and its question."""
    day = case.get("day", DAY)
    commands, supersede = commands_of(case["facts"], day)
    start, dots, end = case["period"].partition("..")
    period = f"{at(start, day)}..{at(end, day)}" if dots else start
    as_of = instant(at(case.get("as_of", "2030-01-01"), day))
    now = instant(at(case.get("now", "2030-01-01"), day))
    settings = {name: case[name] for name in ("cycle", "max_hold", "known_at") if name in case}
    return World(0, commands, period, as_of, supersede=supersede, now=now, **settings)


def assert_as_worked_out(case: Case, document: dict[str, list[Row]]) -> None:
    """Hold a bill against what a case expects of it."""
    day = case.get("day", DAY)
    checked = [part for part in document if part in case]
    assert checked, "a case expects something"
    for part in checked:
        expected = [_expected_usage(row, day) if part == "usage" else _said_of(row, day, BURST) for row in case[part]]
        assert len(document[part]) == len(expected), (part, document[part])
        for row, said in zip(document[part], expected, strict=True):
            assert {name: row[name] for name in said} == said


def _said_of(row: Row, day: str, measures: dict[str, str]) -> Row:
    """A row of an expectation: `name` becomes the column, an arithmetic its result, a time of day an instant."""
    said: Row = {}
    for name, value in row.items():
        if name in ("start", "end"):
            said[name] = f"{at(value, day).removesuffix('Z')}Z"
        else:
            said[measures.get(name, name)] = str(quantity(value)) if name in measures else None if value == "null" else value
    return said


def _expected_usage(row: Row, day: str) -> Row:
    said = dict.fromkeys(USAGE.values(), "0") | _said_of(row, day, USAGE)
    return said | {name: int(value) for name, value in said.items() if name.endswith("_seconds") and "byte" not in name}
