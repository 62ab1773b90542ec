"""Gaps filled from the provider's own samples: `GET /usage/`, one row an object and five-minute cycle.

A location's `/usage/` tells what is stored there, a collection lists what was taken at its endpoint; so all locations of an
account are asked, and each row goes to the collection that lists its snapshot. Only instants strictly between two polls that
are too far apart get a poll, so no poll of our own is ever overridden; what is filled enters like any other capture.

Both bounds of `/usage/` are strict. A window `[a, b)` is asked for from a second before to a second behind it, and rows outside
are dropped here: whatever the provider's rounding, no row is lost and none comes twice.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from metering.engine.duckdb import Engine
from metering.ingest.captures import Source, answer_line, capture_line, snapshot_key
from metering.ingest.client import EndpointClient, tls_context
from metering.ingest.credentials import find_login
from metering.ingest.cycle import Collection, Failure, collections_of
from metering.ingest.fact_models import BILLED_RESOURCE
from metering.ingest.failure import RequestFailure
from metering.ingest.listing import assert_list, complete_listing
from metering.ingest.service import Service
from metering.ingest.spool import Batch, Spool
from metering.ingest.spool_ingest import SpoolOutcome, ingest_waiting
from metering.ingest.targets import Targets
from metering.model.errors import InputError
from metering.model.period import Period, instant_seconds, instant_text

_WINDOW_S = 6 * 3_600
_MICROSECONDS = 1_000_000
Interval = tuple[int, int]


@dataclass(frozen=True, slots=True)
class UsageRow:
    """One object in one of the provider's samples."""

    location: str
    snapshot: str
    poll_s: int
    amount: int


@dataclass(slots=True)
class Backfilled:
    """What a backfill did: gaps found, polls made of the provider's samples, and what could not be had."""

    gaps: int = 0
    gap_seconds: int = 0
    polls: int = 0
    samples: int = 0
    failures: list[Failure] = field(default_factory=list)
    # The earliest poll that was made, by location.
    first_s: dict[str, int] = field(default_factory=dict)
    # Accounts of which the provider has no sample in a gap: nothing was stored, or nobody looked.
    silent: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Known:
    """What the store knows of one account: the gaps of each of its collections, and which endpoint lists which snapshot."""

    gaps: dict[str, list[Interval]]
    endpoint_of: dict[str, str]


def backfill(targets: Targets, service: Service, period: Period, cycle_s: int) -> Backfilled:
    """Fill the gaps of `period` in every collection that is configured; the clock's now is the latest that is asked for.

    Raises:
        StoreError: another collector holds the spool, or the store cannot be used.
        InputError: the spool cannot be written.
    """
    collections_of(targets)  # what is misconfigured leaves no trace
    spool = Spool(targets.collect.spool, clock=service.clock)
    with spool.held():
        # What is durable already is no gap.
        ingest_waiting(service.store(service.store_wait_s), spool, service.clock() // _MICROSECONDS)
        done = asyncio.run(_fill(targets, service, spool, period, cycle_s))
        _told(service, ingest_waiting(service.store(service.store_wait_s), spool, service.clock() // _MICROSECONDS))
        for name in sorted(done.silent):
            service.tell(f"{name}: the provider has no sample of it in a gap, which stays: nothing was stored, or nobody looked")
        if done.first_s:
            with service.store(service.store_wait_s).reading() as engine:
                _tell_unpriced(service, engine, done.first_s)
    return done


def _told(service: Service, outcome: SpoolOutcome) -> None:
    for text in (*outcome.set_aside, *outcome.left, *outcome.rejected):
        service.tell(f"not taken: {text}")


def _tell_unpriced(service: Service, engine: Engine, first_s: dict[str, int]) -> None:
    """Say where time was filled before any price of it is known: the provider tells its prices of now, and no older ones."""
    known_from_s = dict(engine.sql("select location, min(effective_from_s) from prices group by location"))
    unpriced: defaultdict[int | None, list[str]] = defaultdict(list)
    for location, filled_s in sorted(first_s.items()):
        begins_s = min((known_from_s[name] for name in ("", location) if name in known_from_s), default=None)
        if begins_s is None or filled_s < begins_s:
            unpriced[begins_s].append(location)
    for begins_s, locations in unpriced.items():
        before = "" if begins_s is None else f" before {instant_text(begins_s)}"
        filled = instant_text(min(first_s[location] for location in locations))
        service.tell(
            f"{', '.join(locations)}: no price is known{before}, and time was filled from {filled} on: burst in it is unpriced "
            "until you ingest prices (and burst_levels) with an effective_from of then"
        )


async def _fill(targets: Targets, service: Service, spool: Spool, period: Period, cycle_s: int) -> Backfilled:
    done = Backfilled()
    by_account: defaultdict[str, list[Collection]] = defaultdict(list)
    for collection in collections_of(targets):
        by_account[collection.source.account].append(collection)
    tls = tls_context(targets.endpoints.values())
    clients = {name: EndpointClient(endpoint, targets.collect, targets.limits, tls) for name, endpoint in targets.endpoints.items()}
    try:
        for account, collections in by_account.items():
            with service.store(service.store_wait_s).reading() as engine:
                known = _known(engine, account, [each.source.endpoint for each in collections], period, cycle_s)
            done.gaps += sum(map(len, known.gaps.values()))
            done.gap_seconds += sum(end_s - start_s for gaps in known.gaps.values() for start_s, end_s in gaps)
            for window in _windows(known.gaps.values()):
                await _fill_window(targets, clients, spool, collections, known, window, cycle_s, done)
    finally:
        for client in clients.values():
            await client.close()
    return done


def _known(engine: Engine, account: str, endpoints: list[str], period: Period, cycle_s: int) -> _Known:
    gaps = {}
    for endpoint in endpoints:
        rows = engine.sql(
            "select p.poll_s from polls as p inner join collections as c on p.collection_key = c.collection_key "
            "where c.endpoint = $endpoint and c.account = $account order by p.poll_s",
            {"endpoint": endpoint, "account": account},
        )
        gaps[endpoint] = list(gaps_between([row[0] for row in rows], period, cycle_s))
    listed = engine.sql(
        "select s.snapshot, min(c.endpoint) from series as s inner join collections as c on s.collection_key = c.collection_key "
        "where c.account = $account group by s.snapshot",
        {"account": account},
    )
    return _Known(gaps, dict(listed))


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


def _windows(gaps: Iterable[list[Interval]]) -> list[Interval]:
    """Cut the union of all gaps into windows of bounded length; adjoining ones share no second."""
    windows: list[Interval] = []
    reached_s = None
    for start_s, end_s in sorted(gap for several in gaps for gap in several):
        begin_s = start_s if reached_s is None else max(start_s, reached_s)
        windows += [(at_s, min(at_s + _WINDOW_S, end_s)) for at_s in range(begin_s, end_s, _WINDOW_S)]
        reached_s = end_s if reached_s is None else max(reached_s, end_s)
    return windows


async def _fill_window(
    targets: Targets, clients: dict[str, EndpointClient], spool: Spool, collections: list[Collection], known: _Known,
    window: Interval, cycle_s: int, done: Backfilled,
) -> None:  # fmt: skip
    batch = spool.batch()
    try:
        asking = (_usage(targets, clients[each.source.endpoint], each, batch, window, cycle_s) for each in collections)
        answers = await asyncio.gather(*asking, return_exceptions=True)
        both = zip(collections, answers, strict=True)
        failures = [_failure(each, said) for each, said in both if isinstance(said, BaseException)]
        if failures:
            batch.drop()
            half_s = (window[0] + window[1]) // 2
            if all(failure.cause == "too_large" for failure in failures) and half_s - window[0] > cycle_s:
                for part in ((window[0], half_s), (half_s, window[1])):
                    await _fill_window(targets, clients, spool, collections, known, part, cycle_s, done)
            else:
                # Without one location nobody knows all that was there: the gap stays.
                done.failures += failures
            return
        rows = [row for said in answers if not isinstance(said, BaseException) for row in said]
        if not rows:
            done.silent.add(collections[0].source.account_name or collections[0].source.account)
        for source, poll_s, listed in _polls(collections, known, rows, window, cycle_s):
            batch.append("capture", capture_line(source, poll_s * _MICROSECONDS, _response(source, listed), made_from="usage"))
            done.polls += 1
            done.samples += len(listed)
            for location in {source.location, *(row.location for row in listed)}:
                done.first_s[location] = min(poll_s, done.first_s.get(location, poll_s))
        batch.seal()
    except OSError as error:
        batch.drop()
        raise InputError(f"{spool.folder} cannot be written: {error.strerror}") from None


def _failure(collection: Collection, error: BaseException) -> Failure:
    source = collection.source
    if isinstance(error, RequestFailure):
        return Failure(source.endpoint, source.account, "usage", error.cause, error.detail, source.account_name)
    if isinstance(error, InputError):
        return Failure(source.endpoint, source.account, "usage", "credential", str(error), source.account_name)
    raise error


async def _usage(
    targets: Targets, client: EndpointClient, collection: Collection, batch: Batch, window: Interval, cycle_s: int
) -> list[UsageRow]:
    """Ask one location for its samples in a window, and those next to it, which tell whether the provider skipped one."""
    start_s, end_s = window
    bounds = {
        "poll_time_gt": instant_text(start_s - 2 * cycle_s - 1),
        "poll_time_lt": instant_text(end_s + 2 * cycle_s + 1),
    }
    login = find_login(collection.name, collection.account)
    listing = await complete_listing(
        lambda page: client.get("usage/", login, {**bounds, **page}, check=assert_list), _usage_key,
        limits=targets.limits,
    )  # fmt: skip
    batch.append("answer", answer_line(collection.source, "usage", listing.answered_us, listing.text))
    return [_usage_row(collection.source.location, each) for each in listing.objects if each["resource"] == BILLED_RESOURCE]


def _usage_key(row: dict[str, Any]) -> Hashable:
    return row["uuid"], row["poll_time"], row["resource"]


def _usage_row(location: str, row: dict[str, Any]) -> UsageRow:
    amount, poll_time = row.get("amount"), row["poll_time"]
    try:
        if isinstance(amount, str) and amount.isascii() and amount.isdigit() and int(amount) < 2**63:
            return UsageRow(location, snapshot_key(row), instant_seconds(poll_time.replace(" ", "T")), int(amount))
    except (ValueError, AttributeError):
        pass
    raise RequestFailure("malformed", "a row of usage has no amount of bytes, no poll_time or no uuid")


def _polls(
    collections: list[Collection], known: _Known, rows: list[UsageRow], window: Interval, cycle_s: int
) -> Iterator[tuple[Source, int, list[UsageRow]]]:
    """Put the provider's samples together to polls of the collections that have a gap there."""
    cycles: defaultdict[int, list[UsageRow]] = defaultdict(list)
    for row in rows:
        cycles[row.poll_s // cycle_s].append(row)
    sampled: defaultdict[str, set[int]] = defaultdict(set)
    for row in rows:
        sampled[row.location].add(row.poll_s // cycle_s)
    for cycle, seen in sorted(cycles.items()):
        poll_s = min(row.poll_s for row in seen)
        # A location that was sampled in the cycles before and after, but not in this one, was not empty: nobody looked.
        if any({cycle - 1, cycle + 1} <= at and cycle not in at for at in sampled.values()):
            continue
        here = [
            each.source
            for each in collections
            if window[0] <= poll_s < window[1] and any(a <= poll_s < b for a, b in known.gaps[each.source.endpoint])
        ]
        for source in here:
            listed = [row for row in _newest(seen) if _endpoint(row, known, here) == source.endpoint]
            yield source, poll_s, listed


def _newest(rows: list[UsageRow]) -> list[UsageRow]:
    """Keep one row a snapshot and cycle, its first."""
    first: dict[tuple[str, str], UsageRow] = {}
    for row in sorted(rows, key=lambda row: row.poll_s):
        first.setdefault((row.location, row.snapshot), row)
    return list(first.values())


def _endpoint(row: UsageRow, known: _Known, here: list[Source]) -> str:
    """Tell which collection lists a snapshot; one that nobody ever listed goes to a collection that had a gap while it was."""
    if row.snapshot in known.endpoint_of:
        return known.endpoint_of[row.snapshot]
    return next((source.endpoint for source in here if source.location == row.location), here[0].endpoint)


def _response(source: Source, rows: list[UsageRow]) -> str:
    objects = [
        {
            "uuid": row.snapshot, "location": row.location, "allocated_size": row.amount, "drive": None,
            "owner": {"uuid": source.account},
        }
        for row in rows
    ]  # fmt: skip
    return json.dumps({"meta": {"limit": 0, "offset": 0, "total_count": len(rows)}, "objects": objects})
