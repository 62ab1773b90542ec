"""The command prints the same bytes whatever process it runs in (ACCOUNTING §2, FAULTS G13)."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fact_files import write_tables
from judge import billed, oracle_bill
from oracle_facts import shown
from worlds import World


def plain(seed):
    """A world without purchases by period: whether one begins in the future depends on the day on which these tests are run."""
    world = World.random(seed, clean=True)
    return world.having(subscriptions=[row for row in world.tables["subscriptions"] if not row["period"]])


WORLD = next(world for world in map(plain, range(2026, 3000)) if len(oracle_bill(world)["lines"]) > 5)
ELSEWHERE = {
    "a far time zone": {"TZ": "Pacific/Kiritimati"},
    "a time zone of odd minutes": {"TZ": "Asia/Kathmandu", "PYTHONHASHSEED": "1"},
    "no locale, and two threads": {"LC_ALL": "C", "METERING_THREADS": "2"},
    "eight threads": {"METERING_THREADS": "8"},
    "another locale": {"LC_ALL": "tr_TR.UTF-8", "LANG": "de_DE.UTF-8"},
    "another hash seed and more threads": {"PYTHONHASHSEED": "4711", "METERING_THREADS": "4"},
}


def printed(place, **environment):
    command = [sys.executable, "-m", "metering", "run", "facts", "--period", WORLD.period, "--as-of", shown(WORLD.as_of)]
    settings = {"METERING_CYCLE": str(WORLD.cycle), "METERING_MAX_HOLD": str(WORLD.max_hold), "METERING_THREADS": "1"}
    run = subprocess.run(
        [*command, "--format", "json", "--store", ":memory:", "-q"],
        cwd=place, env=os.environ | {"PYTHONHASHSEED": "0"} | settings | environment, capture_output=True, check=True,
    )  # fmt: skip
    return run.stdout


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    write_tables(folder / "facts", WORLD.tables)
    return folder


@pytest.fixture(scope="module")
def expected(place):
    return printed(place)


def test_the_command_prints_what_the_library_gives(expected):
    document = json.loads(expected)
    for line in document["lines"]:
        line.pop("charge_id")
    own = billed(WORLD)
    assert {part: document[part] for part in own} == own
    assert own["lines"], "the world bursts"


@pytest.mark.parametrize("environment", ELSEWHERE.values(), ids=ELSEWHERE)
def test_the_process_changes_no_byte(place, expected, environment):
    assert printed(place, **environment) == expected


def test_formats_and_numbers_of_files_change_no_byte(tmp_path, expected):
    write_tables(tmp_path / "facts", {table: rows[::-1] for table, rows in WORLD.tables.items()}, "ndjson.zst", 50)
    assert printed(tmp_path) == expected


def test_the_sample_month_is_the_same_bytes_wherever_it_is_billed(tmp_path):
    sample_month = Path(__file__).resolve().parents[2] / "sample_data"
    command = [sys.executable, "-m", "metering", "run", str(sample_month), "--format", "json", "--store", ":memory:", "-q"]
    places = (
        {"METERING_THREADS": "1", "PYTHONHASHSEED": "0", "TZ": "UTC"},
        {"METERING_THREADS": "8", "PYTHONHASHSEED": "4711", "TZ": "Asia/Kathmandu", "LC_ALL": "tr_TR.UTF-8"},
    )
    runs = [
        subprocess.run(command, cwd=tmp_path, env=os.environ | place, capture_output=True, check=True).stdout for place in places
    ]
    assert len(runs[0]) > 10_000
    assert runs[0] == runs[1]
