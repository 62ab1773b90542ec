"""A world as a facts directory (INTERFACE.md), with the bill that it knows by construction beside it."""

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from metering.model.period import instant_text
from metering.sandbox.world import World
from metering.sandbox.world_bill import world_bill
from metering.sandbox.world_things import RESOURCE, Snapshot
from metering.sandbox.world_watch import Polls

SAMPLE_COLUMNS = ("poll_time", "endpoint", "location", "account", "snapshot", "allocated_size", "drive", "status", "name")


def write_facts(
    world: World, folder: Path, start_s: int, end_s: int, polls: Polls, *, as_of_s: int | None = None
) -> dict[str, int]:
    """Write what the world's polls saw as facts, and `expected/bill.json` for `[start_s, end_s)`; gives rows by file.

    The folder must be new or empty: facts of two worlds would be read as one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty; name a new folder")
    counts = {name: _write(folder / f"{name}.csv", columns, rows) for name, columns, rows in tables(world, polls)}
    (folder / "expected").mkdir()
    bill = world_bill(world, start_s, end_s, polls=polls, as_of_s=as_of_s)
    text = json.dumps(bill, indent=1, ensure_ascii=False)
    (folder / "expected" / "bill.json").write_text(text + "\n", encoding="utf-8")
    return counts


def tables(world: World, polls: Polls) -> Iterator[tuple[str, Sequence[str], Iterable[Sequence[Any]]]]:
    """Give the world as facts, what its polls saw and what it knows of money: each table's name, columns and rows."""
    money = world.money
    yield "samples", SAMPLE_COLUMNS, _samples(world, polls)
    yield (
        "subscriptions",
        ("id", "account", "location", "amount", "start_time", "end_time", "resource", "price", "currency", "auto_renew"),
        (
            (
                s.id, s.account, s.location, s.amount, instant_text(s.start_s), instant_text(s.end_s), s.resource, "",
                world.accounts[s.account].currency, str(s.auto_renew).lower(),
            )
            for s in money.subscriptions.values()
        ),
    )  # fmt: skip
    yield (
        "prices",
        ("location", "resource", "currency", "level", "price", "unit", "multiplier", "effective_from"),
        (
            (
                row.location,
                row.resource,
                row.currency,
                row.level,
                row.price,
                row.unit,
                row.multiplier,
                instant_text(row.effective_from_s),
            )
            for row in money.prices
        ),
    )
    yield (
        "burst_levels",
        ("location", "resource", "level", "effective_from"),
        ((location, RESOURCE, level, instant_text(from_s)) for location, from_s, level in money.levels()),
    )
    yield "accounts", ("account", "currency", "name"), ((a.uuid, a.currency, a.name) for a in world.accounts.values())


def _samples(world: World, polls: Polls) -> Iterator[tuple[Any, ...]]:
    """Give each poll as the owner's rows of a listing, or as a heartbeat where there are none."""
    history = world.history()
    for (endpoint, account), times in sorted(polls.items()):
        own = iter([s for s in history if s.owner == account and endpoint in world.endpoints_of(s)])
        coming = next(own, None)
        listed: list[Snapshot] = []
        for poll_s in times:
            while coming is not None and coming.created_s <= poll_s:
                listed.append(coming)
                coming = next(own, None)
            listed = [s for s in listed if s.exists_at(poll_s)]
            if not listed:
                yield instant_text(poll_s), endpoint, endpoint, account, "", "0", "", "", ""
            for snapshot in listed:
                yield (
                    instant_text(poll_s), endpoint, snapshot.location, account, snapshot.uuid, snapshot.size_at(poll_s),
                    snapshot.drive_meta["src_uuid"], _status_at(world, snapshot, poll_s), snapshot.name,
                )  # fmt: skip


def _status_at(world: World, snapshot: Snapshot, instant_s: int) -> str:
    """Tell the status at an instant that may be long past."""
    if instant_s < snapshot.created_s + world.timing.creating_s:
        return "creating"
    if instant_s < snapshot.created_s + world.timing.creating_s + world.timing.transferring_s:
        return "transferring"
    doomed_s = snapshot.state_s if snapshot.status == "deleting" else None
    return "available" if doomed_s is None or instant_s < doomed_s else "deleting"


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for count, row in enumerate(rows, start=1):  # noqa: B007 -- how many were there
            writer.writerow(row)
    return count
