"""Days of regular polls with everything that takes a stretch apart, billed by the product and by the oracle: the same rows.

Levels look at 64 polls at once where nothing is amiss among them (queries/levels/scope_blocks.sql). Here something is: polls that
are left out and come later, come in between, a little early or late, or replace others; in several commands, so that what is
looked at begins and ends anywhere. And days are kept from their last cycle on, whatever comes into it later: commands that are cut
there, with polls closer together than a cycle.
"""

import tempfile
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judge import differences, oracle_bill, product_bills
from worlds import DAY, FAR, World, written

CYCLE = 300
START = 1_790_812_800  # 2026-10-01
FEW = {
    "accounts": [{"account": "A", "name": "", "currency": "CHF"}],
    "prices": [{
        "resource": "backup", "currency": "CHF", "level": "1", "price": "0.28", "unit": "GB/month",
        "multiplier": str(2**30 * 30 * DAY), "effective_from": "2026-01-01", "location": "",
    }],
    "subscriptions": [{
        "id": "1", "account": "A", "location": "ZRH", "resource": "backup", "amount": str(50 * 2**30),
        "start_time": "2026-10-01T07:11:00Z", "end_time": "2026-10-31", "price": "", "status": "active",
    }],
}  # fmt: skip


def world_of(seed: int) -> World:
    """Make a world of one or two collections, each polled for a day or more."""
    random = Random(seed)
    commands = [defaultdict(list) for _ in range(random.randint(1, 4))]
    supersede = frozenset(number for number in range(1, len(commands)) if random.random() < 0.5)
    for table, rows in FEW.items():
        commands[0][table] = rows
    for location in random.sample(["ZRH", "GVA"], random.choice([1, 1, 2])):
        _poll(random, commands, supersede, location)
    start = START + random.choice([0, 0, CYCLE * random.randint(1, 200)])
    period = f"{written(start)}..{written(start + random.choice([3_600, DAY, 2 * DAY, 3 * DAY]))}"
    as_of = random.choice([FAR, START + random.randint(1, 2 * DAY)])
    full = tuple(dict(command) for command in commands if command)
    return World(seed, full, period, max(as_of, start + 1), CYCLE, 900, supersede)


def _poll(random: Random, commands: list, supersede: frozenset[int], location: str) -> None:
    count = random.randint(60, 420)
    first = START - random.choice([0, 150, 3_600, DAY])
    cuts = sorted(random.sample(range(1, count), len(commands) - 1))
    number, size = 0, 10 * 2**30
    for i in range(count):
        number += number < len(cuts) and i == cuts[number]
        size += random.choice([0] * 20 + [2**30, 7 * 2**30 + 1, -(2**29)])
        what = random.random()
        second = first + i * CYCLE
        if what < 0.01:  # it came late, or never
            later = random.choice([None, *range(number, len(commands))])
            if later is not None:
                _list(commands[later], second, location, size)
        elif what < 0.015:  # another one comes in between, then or later
            _list(commands[number], second, location, size)
            _list(commands[random.randrange(number, len(commands))], second + random.randint(1, 299), location, size + 1)
        elif what < 0.02:
            _list(commands[number], second + random.choice([-40, -1, 1, 2, 130]), location, size)
        elif what < 0.03 and any(later in supersede for later in range(number + 1, len(commands))):
            _list(commands[number], second, location, size)
            _list(commands[random.choice([n for n in supersede if n > number])], second, location, size + 5 * 2**30)
        else:
            _list(commands[number], second, location, size)


def _list(command: dict, second: int, location: str, size: int) -> None:
    listed = {"s1": size, "s2": 2**31} if second // (20 * CYCLE) % 3 else {"s1": size}
    command["samples"] += [
        {"poll_time": written(second), "account": "A", "location": location, "snapshot": name, "allocated_size": str(bytes_)}
        for name, bytes_ in listed.items()
    ]


def world_at_midnight(seed: int) -> World:
    """Make a world of polls around two midnights, most of them in order, in commands that are cut anywhere."""
    random = Random(seed)
    cycle = random.choice([60, CYCLE, CYCLE, 3_600, 43_200])
    commands = [defaultdict(list) for _ in range(random.randint(2, 5))]
    for table, rows in FEW.items():
        commands[0][table] = rows
    near = [random.choice([DAY, 2 * DAY]) + round(random.gauss(0, 1.2) * cycle) for _ in range(random.randint(4, 24))]
    seconds = sorted({START + random.randint(0, DAY), *(START + second for second in near)})
    size = 0
    for i, second in enumerate(seconds):
        size += random.choice([0, 2**30, 40 * 2**30, -(2**29)]) if size else 10 * 2**30
        late = random.random() < 0.1
        number = random.randrange(len(commands)) if late else i * len(commands) // len(seconds)
        _list(commands[number], second, "ZRH", size)
    full = tuple(dict(command) for command in commands if command)
    return World(seed, full, f"{written(START)}..{written(START + 4 * DAY)}", FAR, cycle, 3 * cycle, frozenset())


@given(seed=st.integers(min_value=0, max_value=2**40))
@settings(max_examples=8 * settings.default.max_examples)
def test_commands_that_are_cut_at_midnight_are_billed_as_the_oracle_says(seed):
    world = world_at_midnight(seed)
    _assert_as_the_oracle_says(world, [replace(world, period=f"{written(START)}..{written(START + DAY)}")])


def test_a_day_is_made_again_where_polls_follow_in_its_last_cycle():
    first, second = defaultdict(list, FEW), defaultdict(list)
    for command, at, size in ((first, -600, 1), (first, -240, 1), (second, -120, 5), (second, 120, 5)):
        _list(command, START + DAY + at, "ZRH", size * 2**30)
    world = World(0, (dict(first), dict(second)), f"{written(START)}..{written(START + DAY)}", FAR, CYCLE, 900)
    _assert_as_the_oracle_says(world, [])


@pytest.mark.parametrize(
    ("first", "late"),
    [
        # It measures the last 100 s of the day before, which were held until it came.
        ((-400, 1_200), 30),
        # It is held until 300 s into the day after, which were missing until it came.
        ((-7_200, 1_200), -600),
    ],
)
def test_a_late_poll_changes_the_day_before_it_and_the_day_after_it(first, late):
    before, after = defaultdict(list, FEW), defaultdict(list)
    for second in (-DAY - 600, *first, DAY + 60, 2 * DAY + 60):
        _list(before, START + DAY + second, "ZRH", 60 * 2**30)
    _list(after, START + DAY + late, "ZRH", 70 * 2**30)
    _assert_each_day_is_as_the_oracle_says(before, after)


def test_a_late_poll_that_shows_another_location_is_known_of_all_days():
    before, after = defaultdict(list, FEW), defaultdict(list)
    for second in (-DAY - 600, -7_200, 1_200, DAY + 60, 2 * DAY + 60):
        _list(before, START + DAY + second, "ZRH", 60 * 2**30)
    _list(after, START + DAY - 600, "ZRH", 60 * 2**30)
    after["samples"] = [row | {"endpoint": "ZRH"} for row in after["samples"]]
    after["samples"].append(after["samples"][0] | {"location": "GVA", "snapshot": "elsewhere"})
    _assert_each_day_is_as_the_oracle_says(before, after)


def _assert_each_day_is_as_the_oracle_says(*commands: dict) -> None:
    world = World(0, tuple(map(dict, commands)), f"{written(START)}..{written(START + 3 * DAY)}", FAR, CYCLE, 900)
    days = [f"{written(START + day * DAY)}..{written(START + (day + 1) * DAY)}" for day in range(-1, 3)]
    _assert_as_the_oracle_says(world, [replace(world, period=day) for day in days])


@pytest.mark.parametrize("sizes", [(60, 10), (10, 60)])
def test_a_day_at_a_glance_knows_what_was_held_into_it(sizes):
    """50 GiB are subscribed. What was there before midnight is held for 10 minutes after it, and is on the other side of them."""
    command = defaultdict(list, FEW)
    before, after = sizes
    for second, size in ((-5_400, before), *((600 + 3_600 * hour, after) for hour in range(25))):
        _list(command, START + DAY + second, "ZRH", size * 2**30)
    period = f"{written(START + DAY)}..{written(START + 2 * DAY)}"
    _assert_as_the_oracle_says(World(0, (dict(command),), period, FAR, 3_600, 3 * 3_600), [])


@given(seed=st.integers(min_value=0, max_value=2**40))
@settings(max_examples=2 * settings.default.max_examples)
def test_every_field_of_a_bill_is_what_the_oracle_says(seed):
    _judge(seed)


def test_these_worlds_are_billed_as_the_oracle_says():
    for seed in range(12):
        _judge(seed)


def test_a_poll_at_the_clock_decides_nothing_where_polls_are_no_cycle_apart():
    command = defaultdict(list, FEW)
    for second in (0, 250, 650):
        _list(command, START + second, "ZRH", 60 * 2**30)
    period = f"{written(START)}..{written(START + DAY)}"
    _assert_as_the_oracle_says(World(0, (dict(command),), period, START + 650, CYCLE, 900), [])


def _judge(seed: int) -> None:
    world = world_of(seed)
    _assert_as_the_oracle_says(world, [*world.asked(1), replace(world, known_at=1)])


def _assert_as_the_oracle_says(world: World, more: list[World]) -> None:
    questions = [world, *more]
    with tempfile.TemporaryDirectory() as directory:
        bills = product_bills(world, questions, Path(directory))
    for question, document in zip(questions, bills, strict=True):
        assert differences(oracle_bill(question), document) == [], (question.seed, question.period)
