"""The provider's own lists of money and usage, asked for now: of every account at every endpoint that is configured.

The bounds of the provider's filters are strict, and a line's `time` may come after what it is about; so a window is asked for
from well before to well behind it, and what lies outside is for the reader to drop. Nothing is kept.
"""

import asyncio
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from metering.collector.client import EndpointClient, Params, endpoint_clients
from metering.collector.credentials import Login
from metering.collector.cycle import Collection, Failure, collections_of
from metering.collector.listing import assert_list, complete_listing
from metering.collector.loops import run_to_end
from metering.collector.targets import Targets
from metering.ingest.failure import RequestFailure
from metering.ingest.provider_lists import Listed
from metering.model.errors import MisuseError
from metering.model.limits import ReadingLimits
from metering.model.period import SECONDS_PER_DAY, Period, date_text, instant_text

_MARGIN_S = 3_600
# A window that is shorter is not halved: the margins are what is asked for by then.
_SHORTEST_S = 900
_WINDOWS_S = {"ledger": 31 * SECONDS_PER_DAY, "usage": SECONDS_PER_DAY // 4, "dailyburst": 366 * SECONDS_PER_DAY}
_PATHS = {"ledger": "ledger/", "usage": "usage/", "dailyburst": "dailyburstusage/"}
_KEYS = {"ledger": ("id",), "usage": ("uuid", "poll_time", "resource"), "dailyburst": ("date", "resource_type")}


@dataclass(frozen=True, slots=True)
class LiveList:
    """What one account's list in one location says, or why it could not be had."""

    account: str
    location: str
    objects: list[Listed]
    failure: Failure | None = None


def fetch_lists(targets: Targets, kind: str, period: Period, account: str | None, location: str | None) -> list[LiveList]:
    """Ask for the `ledger`, `usage` or `dailyburst` of a period, of each account in each location, or of those named.

    Raises:
        MisuseError: the settings name nothing to ask, or nothing of that account and location.
    """
    wanted = [
        each for each in collections_of(targets)
        if account in (None, each.source.account) and location in (None, each.source.location)
    ]  # fmt: skip
    if not wanted:
        raise MisuseError("the settings name no such account and location: see [accounts.*] and [endpoints.*]")
    return run_to_end(_fetch(targets, kind, period, wanted))


async def _fetch(targets: Targets, kind: str, period: Period, wanted: list[Collection]) -> list[LiveList]:
    async with endpoint_clients(targets) as clients:
        asking = (_one(targets, clients[each.source.endpoint], each, kind, period) for each in wanted)
        return list(await asyncio.gather(*asking))


async def _one(targets: Targets, client: EndpointClient, collection: Collection, kind: str, period: Period) -> LiveList:
    source = collection.source
    found: dict[Hashable, dict[str, Any]] = {}
    try:
        login = collection.login()
        for start_s in range(period.start_s, period.end_s, _WINDOWS_S[kind]):
            window = Period(start_s, min(start_s + _WINDOWS_S[kind], period.end_s))
            for row in await _rows(client, login, kind, window, targets.limits):
                found.setdefault(_key(kind, row), row)
    except RequestFailure as failure:
        return LiveList(source.account, source.location, [], collection.failed(kind, failure))
    named = {"account": source.account, "location": source.location}
    place = f"{source.endpoint} {kind} of {source.account}"
    return LiveList(
        source.account, source.location, [Listed(f"{place}, {row[_KEYS[kind][0]]}", row | named) for row in found.values()]
    )


async def _rows(client: EndpointClient, login: Login, kind: str, window: Period, limits: ReadingLimits) -> list[dict[str, Any]]:
    """Give the rows of a window, which is halved where they are too many for one answer; some then come twice."""
    bounds = _bounds(kind, window.start_s, window.end_s)
    try:
        listing = await complete_listing(
            lambda page: client.get(_PATHS[kind], login, {**bounds, **page}, check=assert_list), lambda row: _key(kind, row),
            limits=limits,
        )  # fmt: skip
    except RequestFailure as failure:
        half_s = (window.start_s + window.end_s) // 2
        if failure.cause != "too_large" or half_s - window.start_s < _SHORTEST_S:
            raise
        halves = (Period(window.start_s, half_s), Period(half_s, window.end_s))
        return [row for half in halves for row in await _rows(client, login, kind, half, limits)]
    return listing.objects


def _bounds(kind: str, start_s: int, end_s: int) -> Params:
    if kind == "dailyburst":
        return {"date__gte": date_text(start_s), "date__lte": date_text(end_s - 1)}
    name = "poll_time_{}" if kind == "usage" else "time__{}"
    return {name.format("gt"): instant_text(start_s - _MARGIN_S), name.format("lt"): instant_text(end_s + _MARGIN_S)}


def _key(kind: str, row: dict[str, Any]) -> Hashable:
    return tuple(row[name] for name in _KEYS[kind])
