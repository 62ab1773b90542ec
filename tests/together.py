"""Many worlds in one, so that a single run of an engine answers for all of them: each gets accounts and places of its own (§9, 7).

An engine that takes seconds to plan a query, however few rows there are, is asked once for a hundred worlds. Nothing of a world is
lost but its order among the others: names get a number in front, which keeps the order of its endpoints; prices and levels of every
place become one of each of the world's places; a capture becomes the samples that `export facts` would make of it.
"""

import contextlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from fact_files import Row, Tables
from oracle_facts import instant
from worlds import World

INSTANTS = ("poll_time", "start_time", "end_time", "effective_from")
SAID_ONCE = {"prices": ("resource", "currency", "level"), "burst_levels": ("resource",)}


@dataclass(frozen=True)
class Command:
    """Facts that are taken in at once, from all worlds that have a command here."""

    tables: Tables
    supersede: bool
    now: int


def together(worlds: Sequence[World]) -> list[Command]:
    """Lay the commands of many worlds beside each other: the first ones first, and what supersedes after what does not."""
    found: dict[tuple[int, bool, int], Tables] = defaultdict(lambda: defaultdict(list))
    for number, world in enumerate(worlds):
        for place, tables in enumerate(own(world, head_of(number)).commands):
            for table, rows in tables.items():
                found[place, place in world.supersede, -world.now][table] += rows
    return [Command(dict(tables), supersede, -now) for (_, supersede, now), tables in sorted(found.items())]


def head_of(number: int) -> str:
    """Give what stands before the names of a world."""
    return f"{number:03} "


def own(world: World, head: str) -> World:
    """Give a world whose names are its own: each has something in front, and nothing holds for every place."""
    plain = [_without_captures(tables) for tables in world.commands]
    rows = [row for tables in plain for table_rows in tables.values() for row in table_rows]
    places = sorted({row[name] for row in rows for name in ("location", "endpoint") if row.get(name)})
    named = {
        table: _named_since(row for tables in plain for row in tables.get(table, ()) if row.get("location"))
        for table in SAID_ONCE
    }  # fmt: skip
    commands = []
    for tables in plain:
        commands.append({})
        for table, table_rows in tables.items():
            spread = table_rows
            if table in SAID_ONCE:
                spread = [one for row in table_rows for one in _everywhere(table, row, places, named[table])]
            commands[-1][table] = [
                row | {name: f"{head}{row[name]}"[:128] for name in ("account", "location", "endpoint") if row.get(name)}
                for row in spread
            ]
    return replace(world, commands=tuple(commands))


def part_of(number: int, document: dict[str, Any]) -> dict[str, list[Row]]:
    """Give what a bill says of one of the worlds, by its own names."""
    head = head_of(number)
    return {
        part: [
            row | {name: row[name].removeprefix(head) for name in ("account", "location") if row.get(name)}
            for row in document[part]
            if row["account"].startswith(head)
        ]
        for part in ("usage", "lines", "episodes", "statements")
    }


def shifted(world: World, days: int) -> World:
    """Move a world by whole days; instants are written as they were, and what is none stays as it is."""
    return replace(
        world,
        commands=tuple(
            {table: [_moved(row, days) for row in rows] for table, rows in _without_captures(tables).items()}
            for tables in world.commands
        ),
    )


def _moved(row: Row, days: int) -> Row:
    new = dict(row)
    for name in INSTANTS:
        text = row.get(name) or ""
        with contextlib.suppress(ValueError):
            new[name] = (date.fromisoformat(text[:10]) + timedelta(days=days)).isoformat() + text[10:]
    return new


def _named_since(rows: Iterable[Row]) -> dict[Any, list[tuple[Row, int]]]:
    found = defaultdict(list)
    for row in rows:
        found[row["location"]].append((row, instant(row["effective_from"])))
    return found


def _everywhere(table: str, row: Row, places: list[str], named: dict[str, list[tuple[Row, int]]]) -> list[Row]:
    """Say of each place what a row says of every one; where a row that names the place is in force already, that one counts."""
    if row.get("location"):
        return [row]
    since, key = instant(row["effective_from"]), [row[name] for name in SAID_ONCE[table]]
    return [
        row | {"location": place}
        for place in places
        if not any([other[name] for name in SAID_ONCE[table]] == key and first <= since for other, first in named.get(place, ()))
    ]


def _without_captures(tables: Tables) -> Tables:
    plain = {table: list(rows) for table, rows in tables.items() if table != "captures"}
    for capture in tables.get("captures", ()):
        plain.setdefault("samples", []).extend(_listed(capture))
    return plain


def _listed(capture: Row) -> list[Row]:
    head = {name: capture[name] for name in ("poll_time", "endpoint", "account")}
    rows = [
        head
        | {"location": one["location"], "snapshot": one["uuid"], "allocated_size": str(one["allocated_size"])}
        | {"drive": (one["drive"] or {}).get("uuid", ""), "status": one["status"], "name": one["name"]}
        for one in capture["response"]["objects"]
        if one["owner"]["uuid"] == capture["account"]
    ]
    return rows or [head | {"location": capture["endpoint"], "snapshot": "", "allocated_size": ""}]
