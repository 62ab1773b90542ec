"""What the provider itself says of a world's usage and cost: its ledger, its samples and its burst by day, as files.

Each row is an object as the API answers it, with whose it is and where, so that one file holds every account and location.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from metering.model.period import date_text
from metering.sandbox.server_views import burst_view, ledger_view, usage_view
from metering.sandbox.world import World
from metering.sandbox.world_things import LedgerLine

Object = dict[str, Any]


def write_lists(world: World, folder: Path, start_s: int, end_s: int) -> dict[str, int]:
    """Write what the provider lists of `[start_s, end_s)`, a file a list and an object a line; gives rows by file."""
    folder.mkdir()
    lists: dict[str, Iterable[Object]] = {
        "ledger": ledger_of(world), "usage": samples_of(world, start_s, end_s), "dailyburst": days_of(world, end_s),
    }  # fmt: skip
    return {f"{name}.ndjson": _write(folder / f"{name}.ndjson", rows) for name, rows in lists.items()}


def ledger_of(world: World) -> list[Object]:
    """Give every line of `/ledger/`."""
    return [
        ledger_view(line) | {"account": account, "location": location}
        for (account, location), book in world.money.ledger.items()
        for line in book
    ]


def samples_of(world: World, start_s: int, end_s: int) -> Iterator[Object]:
    """Give every row of `/usage/`: each snapshot at the begin of each cycle in `[start_s, end_s)`."""
    for snapshot in world.history():
        from_s = max(start_s, snapshot.created_s)
        for poll_s in range(from_s + -from_s % world.cycle_s, end_s, world.cycle_s):
            if snapshot.exists_at(poll_s):
                yield usage_view(snapshot, poll_s) | {"account": snapshot.owner, "location": snapshot.location}


def days_of(world: World, end_s: int) -> list[Object]:
    """Give every row of `/dailyburstusage/` up to an instant."""
    days: defaultdict[tuple[str, str, str], list[LedgerLine]] = defaultdict(list)
    for (account, location), book in world.money.ledger.items():
        for line in book:
            if line.billing_cycle is not None and line.poll_s < end_s:
                days[account, location, date_text(line.poll_s)].append(line)
    return [
        burst_view(lines) | {"date": date, "account": account, "location": location}
        for (account, location, date), lines in sorted(days.items())
    ]


def _write(path: Path, rows: Iterable[Object]) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for count, row in enumerate(rows, start=1):  # noqa: B007 -- how many were there
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return count
