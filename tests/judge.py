"""Puts a world before the product and before the oracle, and gives both bills in the shape of INTERFACE.md."""

import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from fact_files import LAYOUTS, Tables, write_tables
from oracle import bill as oracle_bill_of
from oracle_facts import Books, Taken, instant
from worlds import World

from metering import Meter
from metering.config import Settings
from metering.ingest import folds
from metering.model.errors import InputError, NoDataError
from metering.model.period import instant_text

Document = dict[str, Any]
NOTHING: Document = {"usage": [], "lines": [], "episodes": [], "statements": []}


def meter_of(world: World) -> Meter:
    """Open a meter in memory with the world's settings, at the world's clock."""
    settings = Settings(store=":memory:", cycle=world.cycle, max_hold=world.max_hold, threads=1)
    return Meter(settings, clock=lambda: world.now)


def product_bill(world: World, directory: Path, *, layout: str | None = None, parts: int | None = None) -> Document:
    """Ingest a world's commands from files of random formats (or the given), bill it, and leave out what has no oracle."""
    return product_bills(world, [world], directory, layout=layout, parts=parts)[0]


def product_bills(
    world: World, questions: list[World], directory: Path, *, layout: str | None = None, parts: int | None = None
) -> list[Document]:
    """Ingest a world's commands once and bill every question asked of its facts."""
    random = Random(world.seed)
    numbers = [0]
    with meter_of(world) as meter, pytest.MonkeyPatch.context() as patched:
        for number, tables in enumerate(world.commands):
            patched.setattr(folds, "FOLDED_FROM_ROWS", random.choice([0, 10, 100_000]))
            place = directory / f"command-{number}"
            write_tables(place, tables, layout or random.choice(LAYOUTS), parts or random.choice([1, 1, 2, 5]), random)
            outcome = take(meter, place, supersede=number in world.supersede)
            numbers.append(outcome.ingest_seq if outcome and outcome.ingest_seq else numbers[-1])
        known = [None if one.known_at is None else str(numbers[one.known_at]) for one in questions]
        return [bill(meter, one.period, one.as_of, known_at) for one, known_at in zip(questions, known, strict=True)]


def take(meter: Meter, place: Path, *, supersede: bool = False) -> Any:
    """Ingest a directory; None where there is nothing in it, or nothing of it could be taken."""
    try:
        return meter.ingest(place, supersede=supersede)
    except InputError as error:
        if "none of the" in str(error) or "no facts in" in str(error):
            return None
        raise


def bill(meter: Meter, period: str, as_of: int, known_at: str | None = None) -> Document:
    """Bill a period; one without anything in it is an empty bill."""
    try:
        document = meter.bill(period, as_of=instant_text(as_of), known_at=known_at).document()
    except NoDataError:
        return NOTHING
    names = Counter(line.pop("charge_id") for line in document["lines"])
    assert all(count == 1 for count in names.values()), "a charge id names one charge"
    return {name: document[name] for name in NOTHING}


def oracle_bill(world: World) -> Document:
    """What the oracle makes of a world; a month of which nothing is known any more is refused, and here an empty bill."""
    return oracle_bill_or_nothing(books_of(world)[0], world.period, world.as_of, world.known_at)


def oracle_bill_or_nothing(books: Books, period: str, as_of: int, known_at: int | None = None) -> Document:
    document = oracle_bill_of(books, period, as_of, known_at)
    if all(row["missing_seconds"] == seconds_of(row) for row in document["usage"]):
        month = instant(document["period"]["start"][:7] + "-01")
        if books.last_poll(as_of, known_at) < month:
            return NOTHING
    return {name: document[name] for name in NOTHING}


def seconds_of(row: Document) -> int:
    """The seconds of a usage row that are in any state."""
    return sum(value for name, value in row.items() if name.endswith("_seconds") and isinstance(value, int))


def books_of(world: World) -> tuple[Books, list[Taken]]:
    books = Books(world.cycle, world.max_hold)
    taken = [books.take(tables, world.now, supersede=n in world.supersede) for n, tables in enumerate(world.commands)]
    return books, taken


def differences(expected: Any, actual: Any, place: str = "") -> list[str]:
    """Name each place at which two documents differ, and how."""
    if isinstance(expected, dict) and isinstance(actual, dict) and expected.keys() == actual.keys():
        return [found for key in expected for found in differences(expected[key], actual[key], f"{place}.{key}")]
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        return [found for n, pair in enumerate(zip(expected, actual, strict=True)) for found in differences(*pair, f"{place}[{n}]")]
    return [] if expected == actual and type(expected) is type(actual) else [f"{place}: expected {expected!r}, is {actual!r}"]


def shrunk(world: World, directory: Path) -> World:
    """Leave out of a world that is billed wrongly every row without which it still is: for the eye of who looks into it."""
    count = 0

    def is_wrong(candidate: World) -> bool:
        nonlocal count
        count += 1
        return bool(differences(oracle_bill(candidate), product_bill(candidate, directory / f"{count}", layout="csv", parts=1)))

    for number in range(len(world.commands)):
        for table in tuple(world.commands[number]):
            size = len(world.commands[number][table])
            while size:
                at = 0
                while at < len(world.commands[number][table]):
                    smaller = _without(world, number, table, at, size)
                    if is_wrong(smaller):
                        world = smaller
                    else:
                        at += size
                size //= 2
    return world


def _without(world: World, number: int, table: str, at: int, size: int) -> World:
    def left(index: int, tables: Tables) -> Tables:
        return tables | {table: tables[table][:at] + tables[table][at + size :]} if index == number else tables

    return replace(world, commands=tuple(left(index, tables) for index, tables in enumerate(world.commands)))


def billed(world: World, **query: Any) -> Document:
    """The whole bill document of a world, written as plain CSV; an empty one where there is nothing to bill."""
    with tempfile.TemporaryDirectory() as directory, meter_of(world) as meter:
        for number, tables in enumerate(world.commands):
            take(meter, write_tables(Path(directory) / f"command-{number}", tables), supersede=number in world.supersede)
        return bill(meter, query.get("period", world.period), query.get("as_of", world.as_of))
