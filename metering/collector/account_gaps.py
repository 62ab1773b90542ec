"""Where the polls of an account's collections are too far apart, as the store knows them, and what they say beside it."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from metering.collector.usage_polls import AccountGaps, Gap, Interval
from metering.engine.duckdb import Engine
from metering.ingest.captures import Source
from metering.model.period import Period


@dataclass(frozen=True, slots=True)
class _Polls:
    """The polls in force of one collection, by time: their instants, and their keys."""

    times: list[int]
    keys: list[int]


_NONE = _Polls([], [])


def gaps_of(engine: Engine, account: str, sources: list[Source], period: Period, cycle_s: int) -> AccountGaps:
    """Find the gaps of `period` in the collections of an account."""
    polls = _polls_in_force(engine, account)
    endpoint_of: dict[str, str] = {}
    locations = {source.endpoint: {source.location} for source in sources}
    ever_listed = set()
    for snapshot, endpoint, location in engine.sql(
        "select s.snapshot, c.endpoint, s.location from series as s inner join collections as c "
        "on s.collection_key = c.collection_key where c.account = $account",
        {"account": account},
    ):
        endpoint_of[snapshot] = min(endpoint, endpoint_of.get(snapshot, endpoint))
        locations.setdefault(endpoint, set()).add(location)
        ever_listed.add(location)
    gaps: dict[str, list[Gap]] = {source.endpoint: [] for source in sources}
    beside: list[tuple[Gap, list[int]]] = []
    for endpoint, several in gaps.items():
        own = polls.get(endpoint, _NONE).times
        for start_s, end_s in gaps_between(own, period, cycle_s):
            gap = Gap(start_s, end_s, None)
            several.append(gap)
            before, after = bisect_left(own, start_s) - 1, bisect_left(own, end_s)
            if after == len(own):
                continue  # the next poll will tell
            if before < 0:
                # No poll will ever tell; but where none listed anything ever since, nothing says that something was.
                gap.stored = frozenset(ever_listed)
            else:
                beside.append((gap, _keys_beside(polls, own[before], own[after])))
    listed = _locations_listed(engine, account, {key for _, keys in beside for key in keys})
    for gap, keys in beside:
        gap.stored = frozenset(location for key in keys for location in listed.get(key, ()))
    return AccountGaps(gaps, endpoint_of, locations, {name: polls.get(name, _NONE).times for name in gaps})


def gaps_between(polls: list[int], period: Period, cycle_s: int) -> Iterator[Interval]:
    """Give the open intervals `(a, b)` of a period, as `[a + 1, b)`, in which a collection's polls are too far apart.

    Polls up to 1.5 cycles apart leave no gap (ACCOUNTING.md §3).

    >>> list(gaps_between([0, 300, 1200], Period(0, 1500), 300))
    [(301, 1200)]
    """
    edges = [min([*polls, period.start_s]) - cycle_s * 2, *polls, max([*polls, period.end_s])]
    for before_s, after_s in pairwise(edges):
        if 2 * (after_s - before_s) <= 3 * cycle_s:
            continue
        start_s, end_s = max(before_s + 1, period.start_s), min(after_s, period.end_s)
        if start_s < end_s:
            yield start_s, end_s


def _polls_in_force(engine: Engine, account: str) -> dict[str, _Polls]:
    polls: dict[str, _Polls] = {}
    for endpoint, poll_s, poll_key in engine.sql(
        "select c.endpoint, p.poll_s, p.poll_key from polls as p "
        "inner join collections as c on p.collection_key = c.collection_key "
        "left join superseded_polls as s on p.poll_key = s.poll_key "
        "where c.account = $account and s.poll_key is null order by p.poll_s",
        {"account": account},
    ):
        several = polls.setdefault(endpoint, _Polls([], []))
        several.times.append(poll_s)
        several.keys.append(poll_key)
    return polls


def _keys_beside(polls: dict[str, _Polls], before_s: int, after_s: int) -> list[int]:
    """Give the last poll of each collection up to an instant, and the first of each from another on."""
    keys = []
    for each in polls.values():
        before, after = bisect_right(each.times, before_s), bisect_left(each.times, after_s)
        keys += each.keys[max(0, before - 1) : before] + each.keys[after : after + 1]
    return keys


def _locations_listed(engine: Engine, account: str, poll_keys: set[int]) -> dict[int, set[str]]:
    """Tell by poll in which locations it lists a snapshot."""
    engine.load("polls_beside_gaps", {"poll_key": "bigint"}, [(key,) for key in sorted(poll_keys)])
    listed: defaultdict[int, set[str]] = defaultdict(set)
    for poll_key, location in engine.sql(
        "select distinct b.poll_key, s.location from series as s "
        "inner join collections as c on s.collection_key = c.collection_key and c.account = $account "
        "inner join sample_runs as r on s.series_key = r.series_key "
        "inner join polls_beside_gaps as b on b.poll_key >= r.first_poll_key and b.poll_key <= r.last_poll_key",
        {"account": account},
    ):
        listed[poll_key].add(location)
    engine.drop("polls_beside_gaps")
    return listed
