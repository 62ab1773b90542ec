"""`metering collect --check`: every endpoint and login tried once, and what works."""

import asyncio
from dataclasses import dataclass

from metering.collector.client import Answer, EndpointClient, endpoint_clients
from metering.collector.cycle import Collection, collections_of
from metering.collector.listing import REPEATS_LOGIN, assert_list
from metering.collector.loops import run_to_end
from metering.collector.targets import Targets
from metering.ingest.failure import RequestFailure


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One account at one endpoint: how many snapshots it sees there, or why it sees none."""

    endpoint: str
    account: str
    name: str
    result: str
    snapshots: int | None
    clock_skew_seconds: int | None
    detail: str


def check_targets(targets: Targets) -> list[CheckRow]:
    """Ask every endpoint with every login for the first snapshot and for who is asking; nothing is kept.

    Raises:
        MisuseError: the settings name nothing to ask.
    """
    collections = collections_of(targets)
    return run_to_end(_check(targets, collections))


async def _check(targets: Targets, collections: list[Collection]) -> list[CheckRow]:
    one_try = targets.collect.model_copy(update={"attempts": 1, "clock": "ours"})
    async with endpoint_clients(targets, one_try) as clients:
        return list(await asyncio.gather(*(_row(clients[each.source.endpoint], each, targets) for each in collections)))


async def _row(client: EndpointClient, collection: Collection, targets: Targets) -> CheckRow:
    source = collection.source
    snapshots = skew_s = None
    try:
        login = collection.login()
        answer = await client.get("remotesnapshots/detail/", login, {"limit": 1}, check=assert_list)
        snapshots = int(answer.document["meta"]["total_count"])
        skew_s = None if answer.date_s is None else answer.date_s - answer.answered_us // 1_000_000
        # Where the provider's clock dates the polls, ours may be wherever it is.
        tolerance_s = targets.collect.clock_tolerance if targets.collect.clock == "ours" else None
        profile = await client.get("profile/", login)
        doubt = _doubt(collection, profile, skew_s, tolerance_s)
        if not doubt and (answer.repeats_login or profile.repeats_login):
            doubt = f"{REPEATS_LOGIN}: tell whoever runs the provider, or a proxy before it"
        result, detail = ("doubtful", doubt) if doubt else ("works", "")
    except RequestFailure as failure:
        result, detail = failure.cause, failure.detail
    return CheckRow(source.endpoint, source.account, source.account_name or collection.name, result, snapshots, skew_s, detail)


def _doubt(collection: Collection, profile: Answer, skew_s: int | None, tolerance_s: int | None) -> str:
    """Tell what is odd about a login that works: it is somebody else's, or the clocks are apart."""
    who = profile.document.get("uuid")
    if isinstance(who, str) and who != collection.source.account:
        return f"the login is that of another account than [accounts.{collection.name}] says: nothing of it would be billed"
    if skew_s is not None and tolerance_s is not None and abs(skew_s) > tolerance_s:
        return f'the clocks are {abs(skew_s)} s apart: set ours, or clock = "provider" in [collect]'
    return ""
