"""What somebody who polls the world can know of it: levels between polls, and how well each second was observed.

This is the world's own reading of ACCOUNTING.md §3 and §4, taken from its history and from nothing that the pipeline computes.
All intervals are half open, all instants whole seconds, all levels bytes.
"""

import random
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from metering.sandbox.world import World
from metering.sandbox.world_things import Snapshot

Polls = Mapping[tuple[str, str], Sequence[int]]
"""The instants at which an (endpoint, account) was listed completely."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """`[start_s, end_s)` with one state and one level; a level of missing time says nothing."""

    start_s: int
    end_s: int
    state: str
    level: int


def every_cycle(world: World, start_s: int, end_s: int) -> dict[tuple[str, str], list[int]]:
    """Give the polls of somebody who lists everything at the begin of every cycle in `[start_s, end_s)`."""
    instants = list(range(start_s + -start_s % world.cycle_s, end_s, world.cycle_s))
    return {(location, account): instants for location in world.locations for account in world.accounts}


class Watcher:
    """Reads the world's history through polls, those at or after `as_of_s` left out.

    A snapshot is counted at one endpoint only: the one whose code is its location if it was ever seen there, else the smallest.
    """

    def __init__(self, world: World, polls: Polls, as_of_s: int, *, cycle_s: int = 300, max_hold_s: int = 900) -> None:
        self._polls = {key: sorted({instant for instant in times if instant < as_of_s}) for key, times in polls.items()}
        self._cycle_s, self._max_hold_s = cycle_s, max_hold_s
        self._counted: defaultdict[tuple[str, str, str], list[Snapshot]] = defaultdict(list)
        for snapshot in world.history():
            seen = [e for e in world.endpoints_of(snapshot) if self._is_seen(snapshot, e)]
            if seen:
                endpoint = snapshot.location if snapshot.location in seen else min(seen)
                self._counted[endpoint, snapshot.owner, snapshot.location].append(snapshot)

    def _is_seen(self, snapshot: Snapshot, endpoint: str) -> bool:
        times = self._polls.get((endpoint, snapshot.owner), [])
        index = bisect_right(times, snapshot.created_s - 1)
        return index < len(times) and (snapshot.gone_s is None or times[index] < snapshot.gone_s)

    def units(self) -> list[tuple[str, str]]:
        """Give every (account, location) of which anything is known."""
        polled = {(account, endpoint) for (endpoint, account), times in self._polls.items() if times}
        return sorted(polled | {(account, location) for _, account, location in self._counted})

    def stretches(self, account: str, location: str, start_s: int, stop_s: int) -> list[Stretch]:
        """Give what is known of an account in a location during `[start_s, stop_s)`, feed by feed, then together."""
        endpoints = {location} | {e for e, owner, place in self._counted if (owner, place) == (account, location)}
        feeds = [
            self._feed(self._polls[endpoint, account], self._counted[endpoint, account, location], stop_s)
            for endpoint in sorted(endpoints)
            if self._polls.get((endpoint, account))
        ]
        return _together([_clipped(feed, start_s, stop_s) for feed in feeds])

    def _feed(self, times: Sequence[int], counted: Sequence[Snapshot], stop_s: int) -> list[Stretch]:
        levels = _levels(counted)
        instants = [instant for instant, _ in levels]
        found: list[Stretch] = []
        for number, poll_s in enumerate(times):
            index = bisect_right(instants, poll_s)
            level = levels[index - 1][1] if index else 0
            next_s = times[number + 1] if number + 1 < len(times) else max(stop_s, poll_s)
            is_measured = number + 1 < len(times) and 2 * (next_s - poll_s) <= 3 * self._cycle_s
            measured_s = next_s if is_measured else min(poll_s + self._cycle_s, next_s)
            held_s = next_s if is_measured else min(poll_s + self._max_hold_s, next_s)
            for state, from_s, to_s in (
                ("measured", poll_s, measured_s),
                ("held", measured_s, held_s),
                ("missing", held_s, next_s),
            ):
                _append(found, Stretch(from_s, to_s, state, level if state != "missing" else 0))
        return found


def _levels(snapshots: Sequence[Snapshot]) -> list[tuple[int, int]]:
    """Add up sizes over time: from each instant on, so many bytes."""
    deltas: defaultdict[int, int] = defaultdict(int)
    for snapshot in snapshots:
        size = 0
        for instant, after in snapshot.changes:
            deltas[instant] += after - size
            size = after
        if snapshot.gone_s is not None:
            deltas[snapshot.gone_s] -= size
    level, found = 0, []
    for instant in sorted(deltas):
        level += deltas[instant]
        found.append((instant, level))
    return found


def _append(stretches: list[Stretch], new: Stretch) -> None:
    """Append a stretch that is not empty, to the one before if they say the same."""
    if new.end_s <= new.start_s:
        return
    last = stretches[-1] if stretches else None
    if last and (last.end_s, last.state, last.level) == (new.start_s, new.state, new.level):
        stretches[-1] = Stretch(last.start_s, new.end_s, new.state, new.level)
    else:
        stretches.append(new)


def _clipped(stretches: Sequence[Stretch], start_s: int, stop_s: int) -> list[Stretch]:
    clipped = (Stretch(max(each.start_s, start_s), min(each.end_s, stop_s), each.state, each.level) for each in stretches)
    return [each for each in clipped if each.start_s < each.end_s]


def _together(feeds: Sequence[Sequence[Stretch]]) -> list[Stretch]:
    """Lay feeds over each other: missing if all that are known are, partial if some are; levels of the others add up."""
    instants = sorted({instant for feed in feeds for each in feed for instant in (each.start_s, each.end_s)})
    places = [0] * len(feeds)
    found: list[Stretch] = []
    for from_s, to_s in pairwise(instants):
        known = []
        for number, feed in enumerate(feeds):
            while places[number] < len(feed) and feed[places[number]].end_s <= from_s:
                places[number] += 1
            if places[number] < len(feed) and feed[places[number]].start_s <= from_s:
                known.append(feed[places[number]])
        observed = [each for each in known if each.state != "missing"]
        if not known:
            continue
        if not observed:
            state = "missing"
        elif len(observed) < len(known):
            state = "partial"
        else:
            state = "held" if any(each.state == "held" for each in known) else "measured"
        _append(found, Stretch(from_s, to_s, state, sum(each.level for each in observed)))
    return found


def with_misses(polls: Polls, percent: int, seed: int) -> dict[tuple[str, str], list[int]]:
    """Leave polls out, `percent` of them alone and about as many again in rows of up to 3 hours, as the seed says."""
    kept: dict[tuple[str, str], list[int]] = {}
    for key, times in sorted(polls.items()):
        chance = random.Random(f"misses {seed} {key}")  # noqa: S311 -- seeded, no secret
        gone_until_s = 0
        kept[key] = []
        for instant in times:
            if instant >= gone_until_s and chance.randrange(2_000) < percent:
                gone_until_s = instant + chance.randint(600, 10_800)
            if instant >= gone_until_s and chance.randrange(100) >= percent:
                kept[key].append(instant)
    return kept
