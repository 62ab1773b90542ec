"""How the collector treats an endpoint: so many requests at once and a minute, connections used again, gzip, patience when told."""

import asyncio
import contextlib
import gzip
import itertools
import json
import os
import signal
import time
from dataclasses import dataclass, field
from email.utils import formatdate
from itertools import pairwise

import pytest
import stamina
from collect_help import Rig, causes
from sandbox_help import running, small_world, with_snapshots

from metering.collector.client import EndpointClient, now_us, tls_context
from metering.collector.credentials import Login
from metering.collector.targets import CollectSettings, EndpointSettings
from metering.ingest.failure import RequestFailure
from metering.model.errors import MisuseError
from metering.model.limits import ReadingLimits

LISTING = json.dumps({"meta": {"limit": 0, "offset": 0, "total_count": 0}, "objects": [], "filling": "x" * 5_000}).encode()
LOGIN = Login("somebody", "something")


@dataclass
class Endpoint:
    """An HTTP server in the loop of the test that keeps what it saw; `answer_when` holds all answers back until it is set."""

    refusals: list[str] = field(default_factory=list)
    answer_when: asyncio.Event = field(default_factory=asyncio.Event)
    connections: int = 0
    waiting: int = 0
    most_waiting: int = 0
    asked_ns: list[int] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    serving: set[asyncio.Task] = field(default_factory=set)
    url: str = ""

    async def serve(self, reader, writer):
        self.connections += 1
        self.serving.add(asyncio.current_task())
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
                self.asked_ns.append(time.monotonic_ns())
                self.waiting += 1
                self.most_waiting = max(self.waiting, self.most_waiting)
                await self.answer_when.wait()
                self.waiting -= 1
                body = gzip.compress(LISTING)
                head = self.refusals.pop(0) if self.refusals else "200 OK\r\nContent-Encoding: gzip"
                writer.write(f"HTTP/1.1 {head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
                await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@contextlib.asynccontextmanager
async def asking(*refusals, limits=None, clock=now_us, **settings):
    """Run an endpoint that refuses the first requests so, and a client of it."""
    endpoint = Endpoint(list(refusals))
    server = await asyncio.start_server(endpoint.serve, "127.0.0.1", 0)
    endpoint.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/api/2.0/"
    named = EndpointSettings(url=endpoint.url, requests_per_minute=limits)
    client = EndpointClient(named, CollectSettings(**settings), ReadingLimits(), tls_context([named.url]), clock=clock)
    try:
        yield endpoint, client
    finally:
        await client.close()
        endpoint.answer_when.set()
        await asyncio.gather(*endpoint.serving)
        server.close()


async def until(condition):
    while not condition():  # noqa: ASYNC110 -- what is waited for is told by counts
        await asyncio.sleep(0.005)


def test_no_more_requests_are_under_way_than_allowed_and_their_connections_are_used_again():
    async def run():
        async with asking(concurrency=3) as (endpoint, client):
            for _ in range(2):
                tasks = [asyncio.create_task(client.get("remotesnapshots/", LOGIN)) for _ in range(20)]
                await until(lambda: endpoint.waiting == 3)
                await asyncio.sleep(0.05)  # a fourth would come now
                endpoint.answer_when.set()
                await asyncio.gather(*tasks)
                endpoint.answer_when.clear()
            return endpoint

    endpoint = asyncio.run(run())
    assert (len(endpoint.heads), endpoint.most_waiting, endpoint.connections) == (40, 3, 3)


def test_gzip_is_asked_for_and_what_travelled_is_counted():
    async def run():
        async with asking() as (endpoint, client):
            endpoint.answer_when.set()
            return endpoint, await client.get("remotesnapshots/", LOGIN, {"limit": 0})

    endpoint, answer = asyncio.run(run())
    assert answer.text.encode() == LISTING
    assert answer.received_bytes == len(gzip.compress(LISTING)) < len(LISTING) // 10
    (head,) = endpoint.heads
    assert head.startswith("GET /api/2.0/remotesnapshots/?limit=0 HTTP/1.1\r\n")
    assert "accept-encoding: gzip\r\n" in head.lower()
    assert "authorization: basic c29tzwjvzhk6c29tzxroaw5n\r\n" in head.lower()


def test_an_endpoint_is_asked_no_more_often_a_minute_than_allowed_and_each_has_its_own_limit():
    async def run():
        async with (
            asking(requests_per_minute=6_000, limits=2) as (slow, slow_client),
            asking(requests_per_minute=6_000) as (fast, fast_client),
        ):
            slow.answer_when.set()
            fast.answer_when.set()
            held_back = [asyncio.create_task(slow_client.get("pricing/", LOGIN)) for _ in range(3)]
            await asyncio.gather(*(fast_client.get("pricing/", LOGIN) for _ in range(30)))
            await until(lambda: sum(task.done() for task in held_back) == 2)
            counts = len(slow.heads), len(fast.heads), sum(task.done() for task in held_back)
            for task in held_back:
                task.cancel()
            return counts

    # The third would be let through after half a minute.
    assert asyncio.run(run()) == (2, 30, 2)


@pytest.mark.parametrize("as_date", [False, True])
def test_who_is_told_to_wait_waits(as_date):
    async def run():
        # A date has whole seconds: two from now is at least one.
        asks = formatdate(time.time() + 2, usegmt=True) if as_date else "1"
        begun_ns = time.monotonic_ns()
        async with asking(f"429 Too Many Requests\r\nRetry-After: {asks}") as (endpoint, client):
            endpoint.answer_when.set()
            await client.get("remotesnapshots/", LOGIN)
            return begun_ns, endpoint.asked_ns

    begun_ns, (first_ns, second_ns) = asyncio.run(run())
    assert second_ns - (begun_ns if as_date else first_ns) >= 1_000_000_000


def tries(*refusals):
    """Give what came of asking an endpoint that refuses so at first, and how often it was asked."""

    async def run():
        async with asking(*refusals, attempts=2) as (endpoint, client):
            endpoint.answer_when.set()
            try:
                return await client.get("remotesnapshots/", LOGIN, until=asyncio.get_running_loop().time() + 240), endpoint
            except RequestFailure as failure:
                return failure, endpoint

    with stamina.set_testing(True, attempts=2, cap=True):
        came, endpoint = asyncio.run(run())
    return came, len(endpoint.asked_ns)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_refusal_that_may_pass_is_asked_again_within_the_cycle(status):
    answer, count = tries(f"{status} Some Reason")
    assert (answer.text.encode(), count) == (LISTING, 2)


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 406, 410, 501, 505])
def test_a_refusal_that_stays_is_not_asked_again(status):
    failure, count = tries(f"{status} Some Reason")
    assert (failure.cause in ("refused", "credential"), count) == (True, 1)


def test_that_nothing_was_modified_is_no_redirect_but_what_a_cache_says():
    failure, count = tries("304 Not Modified")
    assert (failure.cause, count) == ("refused", 1)
    assert failure.detail == "HTTP 304, which only a cache says, for nothing was asked if changed: take it away"


PAST, NEXT_YEAR = "Sun, 06 Nov 1994 08:49:37 GMT", formatdate(time.time() + 365 * 86_400, usegmt=True)


@pytest.mark.parametrize("said", ["-5", "-86400", "1e3", "0.5", "soon", "", "0x10", "\xb2", "Fri, 32 Foo 2026", PAST])
def test_a_retry_after_that_says_nothing_does_not_end_the_tries(said):
    answer, count = tries(f"503 Service Unavailable\r\nRetry-After: {said}")
    assert (answer.text.encode(), count) == (LISTING, 2)


@pytest.mark.parametrize("said", ["31536000", "9" * 40, NEXT_YEAR], ids=["seconds", "digits", "date"])
def test_a_retry_after_of_a_year_ends_the_tries(said):
    failure, count = tries(f"429 Too Many Requests\r\nRetry-After: {said}")
    assert (str(failure), count) == ("refused: HTTP 429, asks to wait 86400 s", 1)


@pytest.mark.parametrize("apart_s", [-7_200, 7_200])
def test_a_retry_after_is_a_date_of_the_providers_clock(apart_s):
    """By our own, which may be apart, the wait would be none, or longer than the cycle."""
    now_s = time.time() + apart_s
    date, after = (formatdate(moment, usegmt=True) for moment in (now_s, now_s + 2))

    async def run():
        async with asking(f"429 Too Many Requests\r\nDate: {date}\r\nRetry-After: {after}") as (endpoint, client):
            endpoint.answer_when.set()
            await client.get("remotesnapshots/", LOGIN, until=asyncio.get_running_loop().time() + 240)
            return endpoint.asked_ns

    first_ns, second_ns = asyncio.run(run())
    assert 1_000_000_000 <= second_ns - first_ns < 200_000_000_000


@pytest.mark.parametrize("refusal", ["503 Service Unavailable", "429 Too Many Requests\r\nRetry-After: 0"])
def test_all_who_were_refused_at_once_do_not_come_back_at_once(refusal):
    async def run():
        async with asking(*[refusal] * 12, concurrency=12) as (endpoint, client):
            tasks = [asyncio.create_task(client.get("remotesnapshots/", LOGIN)) for _ in range(12)]
            await until(lambda: endpoint.waiting == 12)
            endpoint.answer_when.set()
            await asyncio.gather(*tasks)
            return sorted(endpoint.asked_ns)[12:]

    again_ns = asyncio.run(run())
    assert len(again_ns) == 12
    assert again_ns[-1] - again_ns[0] > 150_000_000


def test_an_answer_from_before_the_machine_slept_is_none_of_now():
    """What counts the seconds until a timeout stands still while a machine sleeps; the clock that dates a poll does not."""
    night_us = 8 * 3_600 * 1_000_000
    clock = itertools.chain((0,), itertools.count(night_us))

    async def run():
        async with asking(clock=lambda: next(clock)) as (endpoint, client):
            endpoint.answer_when.set()
            return endpoint, await client.get("remotesnapshots/", LOGIN)

    with stamina.set_testing(True, attempts=2, cap=True):
        endpoint, answer = asyncio.run(run())
    assert len(endpoint.heads) == 2
    assert answer.answered_us > night_us
    clock = itertools.cycle((0, night_us))
    with stamina.set_testing(True, attempts=1, cap=True), pytest.raises(RequestFailure, match="clock went on by 28800 s") as failed:
        asyncio.run(run())
    assert failed.value.cause == "timeout"


@pytest.mark.parametrize("date", ["Fri, 31 Dec 9999 23:59:59 -0100", "Fri, 31 Dec 9999 23:59:60 GMT", "Sat, 00 Foo 2026", "²", ""])
def test_a_date_that_is_none_of_the_calendar_tells_nothing(date):
    async def run():
        async with asking(f"200 OK\r\nContent-Encoding: gzip\r\nDate: {date}") as (endpoint, client):
            endpoint.answer_when.set()
            return (await client.get("remotesnapshots/", LOGIN)).date_s

    assert asyncio.run(run()) is None


def test_the_last_second_of_the_calendar_is_a_date():
    async def run():
        async with asking("200 OK\r\nContent-Encoding: gzip\r\nDate: Fri, 31 Dec 9999 23:59:59 GMT") as (endpoint, client):
            endpoint.answer_when.set()
            return (await client.get("remotesnapshots/", LOGIN)).date_s

    assert asyncio.run(run()) == 253_402_300_799


@pytest.mark.parametrize("host", ["xn--a.example", "-ä.example", "exa\tmple.com", "\u200b.example", "999.999.999.999"])
def test_an_address_that_no_request_can_be_sent_to_is_misuse(host):
    named = EndpointSettings(url=f"https://{host}/api/2.0/")
    with pytest.raises(MisuseError, match=r"in \[endpoints.\*\] is no address that can be asked"):
        EndpointClient(named, CollectSettings(), ReadingLimits(), tls_context([]))


@pytest.mark.parametrize("scheme", ["https", "HTTPS", "Https"])
def test_an_address_is_verified_however_its_scheme_is_written(scheme):
    named = EndpointSettings(url=f"{scheme}://zrh.example/api/2.0/")
    assert tls_context(["http://127.0.0.1/api/2.0/", named.url]).cert_store_stats()["x509_ca"] > 0


def test_nobody_waits_a_day_because_a_server_says_so():
    async def run():
        async with asking("429 Too Many Requests\r\nRetry-After: 86400") as (endpoint, client):
            endpoint.answer_when.set()
            await client.get("usage/", LOGIN)

    with pytest.raises(RequestFailure, match="asks to wait 86400 s"):
        asyncio.run(run())


@pytest.fixture
def rig(tmp_path):
    world = small_world(locations=("ZRH", "GVA"))
    with_snapshots(world, 2)
    with running(world) as served:
        yield Rig(tmp_path, served, attempts=3, timeout=30)


def test_no_two_cycles_overlap_although_a_location_hangs_longer_than_one(rig):
    rig.sandbox.faults.add("hang", location="GVA")
    cycles = []

    def told(report):
        cycles.append((report.started_us, report.started_us + report.elapsed_ms * 1_000, causes(report), report.polls))
        rig.sandbox.advance(300)
        if len(cycles) == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    # A connection that the sandbox has closed meanwhile is made anew at once. Three seconds do for the other location.
    with stamina.set_testing(True, attempts=10, cap=True), rig.meter() as meter:
        meter.collect(every_s=3, tell_cycle=told)
    assert [(found, polls) for _, _, found, polls in cycles] == [({("GVA", "timeout")}, 2)] * 3
    assert all(ended_us <= begun_us for (_, ended_us, *_), (begun_us, *_) in pairwise(cycles))
    assert {len(times) for key, times in rig.polls().items() if key[0] == "ZRH"} == {3}
