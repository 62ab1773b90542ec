"""What must always hold (ACCOUNTING §9), as changes of a world and as checks of bills: whichever engine made them."""

import itertools
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from fact_files import Row, Tables
from oracle_facts import DAY, bounds, sample_of, shown
from worlds import World, written

Document = dict[str, list[Row]]
QUANTITIES = ("occupied_byte_seconds", "entitled_byte_seconds", "burst_byte_seconds", "unused_byte_seconds")
SECONDS = ("measured_seconds", "held_seconds", "partial_seconds", "missing_seconds")


def where(row: Row) -> tuple[str, str]:
    """Name the unit that a row is of."""
    return row["account"], row["location"]


def quantities(document: Document, names: Sequence[str] = QUANTITIES) -> dict[tuple[str, str], tuple[int, ...]]:
    """Give the usage of each unit."""
    return {where(row): tuple(int(row[name]) for name in names) for row in document["usage"]}


# --- changes of a world ---


def spread(world: World, chance: random.Random) -> World:
    """The same facts in several commands, in another order, some of them twice: no result changes (1)."""
    rows = list(world.tables["samples"])
    poll_of = {id(row): sample_of(row)[0] for row in rows}
    batch_of = {key: chance.randrange(3) for key in sorted(set(poll_of.values()))}
    batches = defaultdict(list)
    for row in rows:
        batches[batch_of[poll_of[id(row)]]].append(row)
    again = [chance.choice(rows) for _ in range(2)]
    whole_polls_again = [row for row in rows if poll_of[id(row)] in {poll_of[id(one)] for one in again}]
    commands: list[Tables] = [{"samples": batch + batch[:2]} for batch in batches.values()] + [{"samples": whole_polls_again}]
    for table in ("subscriptions", "prices", "burst_levels", "accounts"):
        for row in world.tables[table]:
            for command in chance.sample(commands, chance.choice([1, 2])) if len(commands) > 1 else commands:
                command.setdefault(table, []).append(row)
    chance.shuffle(commands)
    for tables in commands:
        for table_rows in tables.values():
            chance.shuffle(table_rows)
    return replace(world, commands=tuple(commands), supersede=frozenset(), known_at=None)


def more_entitled(world: World, units: Sequence[tuple[str, str]], chance: random.Random) -> World:
    """The same facts and more subscriptions of some units: burst does not rise (4)."""
    subscriptions = [dict(row) for row in world.tables["subscriptions"]]
    start, end = bounds(world.period)
    for account, location in units:
        at = chance.randint(start, end)
        more = {"id": f"more {location} {account}"[:128], "account": account, "location": location, "amount": "4831838208"}
        subscriptions.append(more | {"start_time": shown(at), "end_time": shown(at + chance.choice([1, 3_600, 30 * DAY]))})
    return world.having(subscriptions=subscriptions)


def larger(world: World, chance: random.Random) -> World:
    """The same facts, some snapshots of which are larger: occupied does not fall (4)."""
    samples = [dict(row) for row in world.tables["samples"]]
    for row in samples:
        if row["snapshot"] and chance.random() < 0.5:
            row["allocated_size"] = str(min(2**63 - 1, int(row["allocated_size"]) + chance.choice([1, 2**40])))
    return world.having(samples=samples)


def refined(world: World, chance: random.Random) -> World:
    """The same facts, and polls that repeat them where they are measured or held: only the state of the time changes (6)."""
    polls = defaultdict(list)
    for row in world.tables["samples"]:
        polls[sample_of(row)[0]].append(row)
    extra = []
    for key, following in itertools.pairwise(sorted(polls)):
        if key[:2] == following[:2] and 1 < following.second - key.second <= world.max_hold and chance.random() < 0.5:
            at = chance.randrange(key.second + 1, following.second)
            extra += [row | {"poll_time": written(at, chance), "endpoint": key.endpoint} for row in polls[key]]
    return world.having(samples=world.tables["samples"] + extra)


# --- checks of bills ---


def assert_parts_add_up(whole: Document, parts: Sequence[Document], cut: int) -> None:
    """Two parts of a period give the whole, to the last byte-second (2)."""
    names = (*QUANTITIES, *SECONDS)
    added: Counter[Any] = Counter()
    for row in itertools.chain(*(part["usage"] for part in parts)):
        added.update({(where(row), name): int(row[name]) for name in names})
    assert +added == +Counter({(where(row), name): int(row[name]) for row in whole["usage"] for name in names})
    for row in whole["usage"]:
        peaks = [int(one["peak_occupied_bytes"]) for part in parts for one in part["usage"] if where(one) == where(row)]
        assert int(row["peak_occupied_bytes"]) == max(peaks)
    assert _lines_added(parts) == _lines_added([whole])
    assert _episodes_joined(parts[0]["episodes"] + parts[1]["episodes"], cut) == _episodes_joined(whole["episodes"], None)


def _lines_added(documents: Sequence[Document]) -> dict[Any, list[int]]:
    sums: dict[Any, list[int]] = defaultdict(lambda: [0, 0, 0])
    for row in itertools.chain(*(document["lines"] for document in documents)):
        price = None if row["price"] is None else Fraction(row["price"])
        into = sums[where(row), row["date"], row["level"], price, row["unit"]]
        into[0] += int(row["burst_byte_seconds"])
        into[1] += row["burst_seconds"]
        into[2] = max(into[2], int(row["peak_burst_bytes"]))
    return dict(sums)


def _episodes_joined(episodes: list[Row], cut: int | None) -> dict[Any, tuple[Any, ...]]:
    joined: dict[Any, tuple[Any, ...]] = {}
    for row in sorted(episodes, key=lambda row: (where(row), row["start"])):
        found = (row["end"], int(row["peak_burst_bytes"]), int(row["burst_byte_seconds"]))
        before = next((key for key, value in joined.items() if key[0] == where(row) and value[0] == row["start"]), None)
        if before and cut is not None and row["start"] == shown(cut):
            _, peak, byte_seconds = joined[before]
            joined[before] = (found[0], max(peak, found[1]), byte_seconds + found[2])
        else:
            joined[where(row), row["start"]] = found
    return joined


def assert_statements_add_up(document: Document) -> None:
    """The lines of an account are its statement (3)."""
    for row in document["statements"]:
        lines = [line["amount"] for line in document["lines"] if line["account"] == row["account"]]
        assert Fraction(row["burst_amount"]) == sum(Fraction(amount) for amount in lines if amount is not None)
        assert (row["amount_due"] is None) == (row["state"] == "parked")


def assert_balanced(document: Document) -> None:
    """Burst lies between its bounds, and the balance is exact (5)."""
    for occupied, entitled, burst, unused in quantities(document).values():
        assert occupied - entitled == burst - unused
        assert max(0, occupied - entitled) <= burst <= occupied
        assert unused <= entitled
    by_unit, by_episode, by_line = Counter(), Counter(), Counter()
    for into, rows in ((by_unit, document["usage"]), (by_episode, document["episodes"]), (by_line, document["lines"])):
        for row in rows:
            into[where(row)] += int(row["burst_byte_seconds"])
    assert +by_unit == +by_line == +by_episode


def assert_more_entitled(before: Document, after: Document) -> None:
    """More entitlement never raises burst (4)."""
    more = quantities(after)
    for key, (occupied, entitled, burst, unused) in quantities(before).items():
        assert more[key][0] == occupied
        assert more[key][1] >= entitled
        assert more[key][2] <= burst
        assert more[key][3] >= unused


def assert_larger(before: Document, after: Document) -> None:
    """A larger snapshot never lowers occupied (4)."""
    more = quantities(after)
    for key, (occupied, entitled, burst, _) in quantities(before).items():
        assert more[key][0] >= occupied
        assert more[key][1] == entitled
        assert more[key][2] >= burst


def assert_alike_but_for_states(before: Document, after: Document) -> None:
    """All is the same but how well the seconds are known (6)."""
    assert _without_states(after) == _without_states(before)


def _without_states(document: Document) -> Document:
    usage = [
        {name: value for name, value in row.items() if name not in ("measured_seconds", "held_seconds")}
        | {"observed_seconds": row["measured_seconds"] + row["held_seconds"]}
        for row in document["usage"]
    ]
    return document | {"usage": usage}
