"""Gaps filled from the provider's own samples: `GET /usage/`, one row an object and five-minute cycle.

A location's `/usage/` tells what is stored there, a collection lists what was taken at its endpoint; so all locations of an
account are asked, and each row goes to the collection that lists its snapshot (`usage_polls` tells how). Only instants strictly
between two polls that are too far apart get a poll, so no poll of our own is ever overridden; what is filled enters like any other
capture.

Both bounds of `/usage/` are strict. A window `[a, b)` is asked for from a second before to a second behind it, and rows outside
are dropped here: whatever the provider's rounding, no row is lost and none comes twice.
"""

import asyncio
import contextlib
import json
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from metering.collector.account_gaps import gaps_between, gaps_of
from metering.collector.client import EndpointClient, endpoint_clients
from metering.collector.cycle import Collection, Failure, collections_of
from metering.collector.listing import assert_list, complete_listing
from metering.collector.loops import run_to_end
from metering.collector.service import Service
from metering.collector.spool import Batch, Spool
from metering.collector.spool_ingest import SpoolOutcome, ingest_waiting
from metering.collector.targets import Targets
from metering.collector.usage_polls import AccountGaps, Interval, UsagePoll, UsageRow, gaps_in
from metering.engine.duckdb import Engine
from metering.ingest.captures import Source, answer_line, capture_line, snapshot_key
from metering.ingest.fact_models import BILLED_RESOURCE
from metering.ingest.failure import RequestFailure
from metering.model.errors import InputError
from metering.model.period import Period, instant_seconds, instant_text

_WINDOW_S = 6 * 3_600
# So many cycles before and behind a window are asked for too: they tell whether the provider skipped one.
_BESIDE_CYCLES = 2
_MICROSECONDS = 1_000_000


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
    # Whose gaps the provider's samples left, by name and endpoint: nothing was stored, or nobody looked.
    silent: set[tuple[str, str]] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Filling:
    """The filling of one account's gaps: its collections, what is known of it, and what was done for all."""

    collections: list[Collection]
    known: AccountGaps
    cycle_s: int
    done: Backfilled


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
        now_s = service.clock() // _MICROSECONDS
        done = Backfilled()
        if period.start_s < now_s:
            done = run_to_end(_fill(targets, service, spool, Period(period.start_s, min(period.end_s, now_s)), cycle_s))
        _told(service, ingest_waiting(service.store(service.store_wait_s), spool, service.clock() // _MICROSECONDS))
        _tell_silent(service, done.silent)
        if done.first_s:
            with service.store(service.store_wait_s).reading() as engine:
                _tell_unpriced(service, engine, done.first_s)
    return done


def _told(service: Service, outcome: SpoolOutcome) -> None:
    for text in (*outcome.set_aside, *outcome.left, *outcome.rejected):
        service.tell(f"not taken: {text}")


def _tell_silent(service: Service, silent: set[tuple[str, str]]) -> None:
    endpoints: defaultdict[str, list[str]] = defaultdict(list)
    for name, endpoint in sorted(silent):
        endpoints[name].append(endpoint)
    for name, several in endpoints.items():
        service.tell(
            f"{name} at {', '.join(several)}: the provider has no sample of it in a gap, which stays: nothing was stored, or "
            "nobody looked"
        )


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
    async with endpoint_clients(targets) as clients:
        for account, collections in by_account.items():
            with service.store(service.store_wait_s).reading() as engine:
                known = gaps_of(engine, account, [each.source for each in collections], period, cycle_s)
            filling = _Filling(collections, known, cycle_s, done)
            gaps = [(gap.start_s, gap.end_s) for several in known.gaps.values() for gap in several]
            done.gaps += len(gaps)
            done.gap_seconds += sum(end_s - start_s for start_s, end_s in gaps)
            for window in windows_of(gaps, cycle_s):
                await _fill_window(targets, clients, spool, filling, window)
            with _sealed(spool) as batch:
                _keep(batch, filling, known.rest())
            done.silent |= {(_shown(each.source), each.source.endpoint) for each in collections if _is_left(filling, each, period)}
    return done


def _shown(source: Source) -> str:
    return source.account_name or source.account


def _is_left(filling: _Filling, collection: Collection, period: Period) -> bool:
    """Whether a collection still has a gap of a cycle or more in which everybody answered."""
    endpoint = collection.source.endpoint
    polls = sorted(filling.known.polled[endpoint])
    gaps = filling.known.gaps[endpoint]
    return any(
        end_s - start_s >= filling.cycle_s and all(gap.is_answered for gap in gaps_in(gaps, (start_s, end_s)))
        for start_s, end_s in gaps_between(polls, period, filling.cycle_s)
    )


def windows_of(gaps: Iterable[Interval], cycle_s: int) -> list[Interval]:
    """Cut the time of all gaps into windows of bounded length, which share no second.

    Gaps that are so near each other that what is asked for beside them would overlap are asked for together: a collector that
    polled too seldom leaves as many gaps as polls.

    >>> windows_of([(1, 900), (901, 1800), (50_000, 90_000)], 300)
    [(1, 1800), (50000, 71600), (71600, 90000)]
    """
    joined: list[Interval] = []
    for start_s, end_s in sorted(gaps):
        if joined and start_s - joined[-1][1] <= 2 * _BESIDE_CYCLES * cycle_s:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end_s))
        else:
            joined.append((start_s, end_s))
    return [(at_s, min(at_s + _WINDOW_S, end_s)) for start_s, end_s in joined for at_s in range(start_s, end_s, _WINDOW_S)]


async def _fill_window(
    targets: Targets, clients: dict[str, EndpointClient], spool: Spool, filling: _Filling, window: Interval
) -> None:
    halves: list[Interval] = []
    with _sealed(spool) as batch:
        answers = await asyncio.gather(
            *(_usage(targets, clients[each.source.endpoint], each, batch, window, filling.cycle_s) for each in filling.collections),
            return_exceptions=True,
        )
        both = zip(filling.collections, answers, strict=True)
        failures = [_failure(each, said) for each, said in both if isinstance(said, BaseException)]
        if failures:
            batch.drop()
            half_s = (window[0] + window[1]) // 2
            if all(failure.cause == "too_large" for failure in failures) and half_s - window[0] > filling.cycle_s:
                halves = [(window[0], half_s), (half_s, window[1])]
            else:
                # Without one location nobody knows all that was there: the gap stays.
                filling.known.give_up(window)
                filling.done.failures += failures
        else:
            rows = [row for said in answers if not isinstance(said, BaseException) for row in said]
            sources = [each.source for each in filling.collections]
            _keep(batch, filling, filling.known.polls_of(sources, rows, window, filling.cycle_s))
    for half in halves:
        await _fill_window(targets, clients, spool, filling, half)


@contextlib.contextmanager
def _sealed(spool: Spool) -> Iterator[Batch]:
    """Give a batch that becomes durable at the end.

    Raises:
        InputError: it cannot be written.
    """
    batch = spool.batch()
    try:
        yield batch
        batch.seal()
    except OSError as error:
        batch.drop()
        raise InputError(f"{spool.folder} cannot be written: {error.strerror}") from None


def _keep(batch: Batch, filling: _Filling, polls: Iterable[UsagePoll]) -> None:
    """Write polls that were made of the provider's samples as captures."""
    done = filling.done
    for poll in polls:
        line = capture_line(poll.source, poll.poll_s * _MICROSECONDS, _response(poll.source, poll.listed), made_from="usage")
        batch.append("capture", line)
        filling.known.polled[poll.source.endpoint].append(poll.poll_s)
        done.polls += 1
        done.samples += len(poll.listed)
        for location in {poll.source.location, *(row.location for row in poll.listed)}:
            done.first_s[location] = min(poll.poll_s, done.first_s.get(location, poll.poll_s))


def _failure(collection: Collection, error: BaseException) -> Failure:
    if isinstance(error, RequestFailure):
        return collection.failed("usage", error)
    raise error


async def _usage(
    targets: Targets, client: EndpointClient, collection: Collection, batch: Batch, window: Interval, cycle_s: int
) -> list[UsageRow]:
    """Ask one location for its samples in a window, and those next to it."""
    start_s, end_s = window
    beside_s = _BESIDE_CYCLES * cycle_s
    bounds = {"poll_time_gt": instant_text(start_s - beside_s - 1), "poll_time_lt": instant_text(end_s + beside_s + 1)}
    login = collection.login()
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


def _response(source: Source, rows: list[UsageRow]) -> str:
    objects = [
        {
            "uuid": row.snapshot, "location": row.location, "allocated_size": row.amount, "drive": None,
            "owner": {"uuid": source.account},
        }
        for row in rows
    ]  # fmt: skip
    return json.dumps({"meta": {"limit": 0, "offset": 0, "total_count": len(rows)}, "objects": objects})
