"""One cycle of the collector: every account polled at every endpoint, at most once, all at the same time.

    collections ─> list (complete or nothing) ─> check ─> spool (durable) ─> counted as polled
                         └> failure with its cause ──────> spool (a note)  ─> counted as failed

After its own poll each collection is asked, when it is due, for what it bought; each endpoint for its prices, once a cycle.
Endpoints share nothing but the spool, so one that hangs delays no other; a cycle ends at its deadline, whatever still hangs.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Hashable
from functools import partial
from types import TracebackType
from typing import Any, Self

from metering.collector.client import EndpointClient, endpoint_clients, now_us
from metering.collector.cycle import Collection, CycleReport, Failure, collections_of
from metering.collector.keeper import Keeper
from metering.collector.listing import Listing, assert_list, complete_listing
from metering.collector.spool import Spool
from metering.collector.targets import Targets
from metering.ingest.answers import assert_rows
from metering.ingest.captures import (
    SNAPSHOTS,
    Source,
    answer_line,
    capture_line,
    checked_snapshots,
    note_line,
    snapshot_key,
)
from metering.ingest.failure import RequestFailure
from metering.model.period import instant_text

# With how many logins an endpoint is asked for what is the same for all accounts, where the first may not.
_LOGINS_TRIED = 3


class Collector:
    """Asks all endpoints for all accounts, cycle after cycle, into one spool, whose lease is held."""

    def __init__(self, targets: Targets, spool: Spool, *, clock: Callable[[], int] = now_us) -> None:
        self._targets = targets
        self._settings = targets.collect
        self._spool = spool
        self._clock = clock
        self._keeper = Keeper(spool)
        self._clients: dict[str, EndpointClient] = {}
        self._closing = contextlib.AsyncExitStack()
        self._asked_s = spool.read_state()

    async def __aenter__(self) -> Self:
        self._clients = await self._closing.enter_async_context(endpoint_clients(self._targets, clock=self._clock))
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._keeper.flush()
        await self._closing.aclose()

    async def cycle(self, deadline_s: int, stop: asyncio.Event) -> CycleReport:
        """Poll every collection once; what has not answered after `deadline_s` seconds has failed.

        Once `stop` is set, nobody is waited for any more: what came is made durable, and the cycle ends.
        """
        report = CycleReport(self._clock())
        begun = time.monotonic_ns()
        self._keeper.begin()
        until = asyncio.get_running_loop().time() + deadline_s
        collections = collections_of(self._targets)
        tasks = [asyncio.create_task(self._collect(collection, until, report)) for collection in collections]
        for endpoint in self._targets.endpoints:
            here = [collection for collection in collections if collection.source.endpoint == endpoint]
            tasks.append(asyncio.create_task(self._collect_prices(here, until, report)))
        stopped = asyncio.create_task(stop.wait())
        answered = asyncio.create_task(asyncio.wait(tasks))
        try:
            await asyncio.wait((stopped, answered), return_when=asyncio.FIRST_COMPLETED)
        finally:
            # What came is made durable first, and whoever waited for that counts it.
            await self._keeper.end()
            for task in (stopped, answered, *tasks):
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
        # What may go wrong is a failure in the report; anything else is a defect of ours, and must not go by unseen.
        for end in ends:
            if isinstance(end, BaseException) and not isinstance(end, asyncio.CancelledError):
                raise end
        with contextlib.suppress(OSError):
            self._spool.write_state(self._asked_s)
        report.elapsed_ms = (time.monotonic_ns() - begun) // 1_000_000
        return report

    async def _collect(self, collection: Collection, until: float, report: CycleReport) -> None:
        source = collection.source
        if await self._failed(collection, SNAPSHOTS, report, self._poll(collection, until, report)):
            return
        if self._is_due(source, "subscriptions"):
            asking = self._keep_answer(collection, "subscriptions", until, report, {"status": "all"})
            await self._failed(collection, "subscriptions", report, asking)
        is_home = source.endpoint == self._targets.endpoints_of(collection.account)[0]
        if is_home and self._is_due(source, "balance"):
            await self._failed(collection, "balance", report, self._keep_answer(collection, "balance", until, report))

    async def _collect_prices(self, here: list[Collection], until: float, report: CycleReport) -> None:
        """Ask an endpoint for what is the same for all accounts, with the first login that may; it failed if none of them may."""
        asked = [("pricing", 0), ("discount", self._settings.money_every)]
        if here and here[0].source.endpoint == next(iter(self._targets.endpoints)):
            asked.append(("locations", self._settings.money_every))
        for resource, every_s in asked:
            if not here or not self._is_due(Source(here[0].source.endpoint, "", ""), resource, every_s):
                continue
            failed: tuple[Collection, RequestFailure] | None = None
            for collection in here[:_LOGINS_TRIED]:
                failure = await _failure_of(self._keep_answer(collection, resource, until, report, shared=True))
                failed = None if failure is None else (collection, failure)
                if failure is None or failure.cause != "credential":
                    break
            if failed is not None:
                await self._record(*failed, resource, report)

    async def _poll(self, collection: Collection, until: float, report: CycleReport) -> None:
        source = collection.source
        listing = await self._list(
            collection, f"{SNAPSHOTS}/detail/", snapshot_key, until,
            check=lambda document: checked_snapshots(document["objects"], source.account),
        )  # fmt: skip
        own, shared = checked_snapshots(listing.objects, source.account)
        date = {} if listing.date_s is None else {"date": instant_text(listing.date_s)}
        line = capture_line(source, listing.answered_us, listing.text, **date)
        listing.text, listing.objects = "", []  # what waits to be durable is held once
        await self._keeper.keep("capture", line)
        report.polls += 1
        report.samples += own
        report.shared += shared
        report.polled[source.endpoint] += 1
        report.sampled[source.endpoint] += own
        self._count(report, source, listing)
        for cause, flag in listing.flags + self._foreign_only(source, own, shared):
            report.flags.append(Failure(source.endpoint, source.account, SNAPSHOTS, cause, flag, source.account_name))
            note = note_line(source, SNAPSHOTS, listing.answered_us, "flagged", cause, flag)
            await self._keeper.keep("answer", note)

    def _foreign_only(self, source: Source, own: int, shared: int) -> list[tuple[str, str]]:
        """Tell that a listing shows other accounts' snapshots only, where the one before showed own ones too.

        That is so when the last own one was deleted, or when the provider took the login for somebody else's. Nothing in the
        listing tells which, so it counts as it is, and somebody may look.
        """
        name = _asked(source, f"{SNAPSHOTS}-owned")
        if own:
            self._asked_s[name] = self._clock() // 1_000_000
        elif self._asked_s.pop(name, None) is not None and shared:
            return [("foreign_only", f"none of its own snapshots is listed any more, only {shared} of other accounts")]
        return []

    async def _keep_answer(
        self, collection: Collection, resource: str, until: float, report: CycleReport, params: dict[str, str] | None = None,
        *, shared: bool = False,
    ) -> None:  # fmt: skip
        source = collection.source
        check = partial(assert_rows, source, resource)
        if resource == "balance":
            async with self._in_time(until):
                answer = await self._client(collection).get(f"{resource}/", collection.login(), until=until, check=check)
            text, read_us, received = answer.text, answer.answered_us, answer.received_bytes
        else:
            listing = await self._list(collection, f"{resource}/", _identity, until, params=params, check=check)
            text, read_us, received = listing.text, listing.answered_us, listing.received_bytes
        await self._keeper.keep("answer", answer_line(source, resource, read_us, text))
        report.received_bytes += received
        self._asked_s[_asked(Source(source.endpoint, "", "") if shared else source, resource)] = self._clock() // 1_000_000

    async def _list(
        self, collection: Collection, path: str, key: Callable[[dict[str, Any]], Hashable], until: float, *,
        params: dict[str, str] | None = None, check: Callable[[dict[str, Any]], object] = lambda _: None,
    ) -> Listing:  # fmt: skip
        client, login = self._client(collection), collection.login()

        def checked(document: dict[str, Any]) -> None:
            assert_list(document)
            check(document)

        async with self._in_time(until):
            return await complete_listing(
                lambda page: client.get(path, login, {**(params or {}), **page}, until=until, check=checked),
                key, limits=self._targets.limits,
            )  # fmt: skip

    @contextlib.asynccontextmanager
    async def _in_time(self, until: float) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout_at(until):
                await self._keeper.room()
                yield
        except TimeoutError:
            raise RequestFailure("timeout", "the cycle's time was up") from None

    async def _failed(
        self, collection: Collection, resource: str, report: CycleReport, asking: Coroutine[Any, Any, None]
    ) -> bool:  # fmt: skip
        """Wait for an answer to be durable; tell whether it failed, which is recorded."""
        failure = await _failure_of(asking)
        if failure is not None:
            await self._record(collection, failure, resource, report)
        return failure is not None

    async def _record(self, collection: Collection, failure: RequestFailure, resource: str, report: CycleReport) -> None:
        """Count a failure, and keep a note of it."""
        source = collection.source
        report.failures.append(collection.failed(resource, failure))
        with contextlib.suppress(RequestFailure):
            note = note_line(source, resource, self._noted_us(source.endpoint), "failed", failure.cause, failure.detail)
            await self._keeper.keep("answer", note)

    def _noted_us(self, endpoint: str) -> int:
        """Give the clock that dates polls: ours, or the provider's, as far as it is known from any endpoint."""
        ahead = [self._clients[name].ahead_us for name in (endpoint, *self._clients)]
        is_ours = self._settings.clock == "ours"
        return self._clock() + (0 if is_ours else next((each for each in ahead if each is not None), 0))

    def _count(self, report: CycleReport, source: Source, listing: Listing) -> None:
        report.received_bytes += listing.received_bytes
        if listing.date_s is not None and self._settings.clock == "ours":
            report.skews[source.endpoint] = listing.date_s - listing.answered_us // 1_000_000

    def _client(self, collection: Collection) -> EndpointClient:
        return self._clients[collection.source.endpoint]

    def _is_due(self, source: Source, resource: str, every_s: int | None = None) -> bool:
        last_s = self._asked_s.get(_asked(source, resource))
        wanted_s = self._settings.money_every if every_s is None else every_s
        return last_s is None or not 0 <= self._clock() // 1_000_000 - last_s < wanted_s


async def _failure_of(asking: Coroutine[Any, Any, None]) -> RequestFailure | None:
    """Wait for an answer to be durable; give why there is none, None where there is one."""
    try:
        await asking
    except RequestFailure as failure:
        return failure
    return None


def _asked(source: Source, resource: str) -> str:
    return f"{source.endpoint} {resource} {source.account}"


def _identity(found: dict[str, Any]) -> Hashable:
    """Tell things apart that have an id; a discount has none, and is what it says. What is no object has no identity."""
    if not isinstance(found, dict):
        raise TypeError
    if found.get("id") is not None:
        return str(found["id"])
    return json.dumps(found, sort_keys=True)
