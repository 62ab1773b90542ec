"""One endpoint's API over HTTPS: bounded, patient and distrustful.

A response is taken only if it is whole: 200, no redirect, not cut off inside gzip, not larger or deeper than allowed, strict
JSON. Anything else is a `RequestFailure` with its cause. Credentials go with each request to the one host of the endpoint and
nowhere else: no redirect is followed, no cookie kept, neither `.netrc` nor a proxy of the environment is heeded. An answer that
repeats them is taken without them, and no library logs its head.
"""

import asyncio
import contextlib
import logging
import random
import ssl
import time
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import httpx
import stamina
from aiolimiter import AsyncLimiter

from metering.collector.connections import tls_context, trouble_of_connecting, unlogged
from metering.collector.credentials import Login
from metering.collector.targets import CollectSettings, EndpointSettings, Targets
from metering.ingest.failure import RequestFailure
from metering.ingest.strict_json import NestingError, loads_object
from metering.model.errors import MisuseError
from metering.model.limits import ReadingLimits
from metering.model.period import CALENDAR_END_S, CALENDAR_START_S

# Another try is no news: what failed in the end is reported. Whoever configures logging still sees each.
logging.getLogger("stamina").addHandler(logging.NullHandler())

_ERROR_TYPES = ("validation", "notexist", "backend", "permission", "database", "concurrency", "billing", "payment")
# An age of more digits is beyond all patience.
_MOST_DIGITS = 9
_LARGE_BYTES = 2**20
_FIRST_PAUSE, _LONGEST_PAUSE, _JITTER = timedelta(milliseconds=500), timedelta(seconds=15), timedelta(seconds=1)
# Who asks outside a cycle has no deadline, but does not wait as long as a server pleases.
_LONGEST_ASKED_S = 300
# Statuses that are worth another try: the provider asks for one, or is being restarted.
_PASSING = (408, 425, 429, 500, 502, 503, 504)

Params = Mapping[str, str | int]
Check = Callable[[dict[str, Any]], object]


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response: its text as it came, what that says, when by our clock and by the provider's, and what travelled."""

    text: str
    document: dict[str, Any]
    answered_us: int
    date_s: int | None
    received_bytes: int
    # Whether it repeated the login that asked, which was then withheld from both.
    repeats_login: bool = False


def now_us() -> int:
    """Give our clock in microseconds since 1970."""
    return time.time_ns() // 1_000


class EndpointClient:
    """The API of one endpoint; connections are kept and used again, for all its accounts."""

    def __init__(
        self, endpoint: EndpointSettings, collect: CollectSettings, limits: ReadingLimits, tls: ssl.SSLContext, *,
        clock: Callable[[], int] = now_us,
    ) -> None:  # fmt: skip
        self._collect = collect
        self._limits = limits
        self._clock = clock
        self._host = _asked_host(endpoint.url)
        # How far its clock was ahead of ours when it last answered, whatever it said; None where that is not known.
        self.ahead_us: int | None = None
        self._slots = asyncio.Semaphore(collect.concurrency)
        self._limiter = AsyncLimiter(endpoint.requests_per_minute or collect.requests_per_minute, 60)
        # The provider's session cookies would outrank the login of the next account: none is ever kept.
        cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
        self._http = httpx.AsyncClient(
            base_url=endpoint.url,
            verify=tls,
            trust_env=False,
            follow_redirects=False,
            cookies=cookies,
            headers={
                "Accept": "application/json",
                "Accept-Encoding": "gzip",
                "Cache-Control": "no-cache",
                "User-Agent": "metering",
            },
            timeout=httpx.Timeout(collect.request_timeout, connect=collect.connect_timeout),
            limits=httpx.Limits(max_connections=collect.concurrency, max_keepalive_connections=collect.concurrency),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def get(
        self, path: str, login: Login, params: Params | None = None, *, until: float | None = None, check: Check | None = None
    ) -> Answer:
        """Ask until there is a whole answer, with jittered backoff, as long as `until` (of the loop's clock) and attempts allow.

        Args:
            path: behind the endpoint's address.
            login: who asks.
            params: what the query says.
            until: when there is no time left for another try.
            check: looks at what came and raises RequestFailure where it is of no use.

        Raises:
            RequestFailure: there is none; it says why the last attempt gave nothing.
        """
        context = stamina.retry_context(
            on=lambda error: self._wait(error, until), attempts=self._collect.attempts, timeout=None,
            wait_initial=_FIRST_PAUSE, wait_max=_LONGEST_PAUSE, wait_jitter=_JITTER,
        )  # fmt: skip
        async for attempt in context:
            with attempt:
                # A slot is held while bytes travel, not while we wait for another try.
                async with self._limiter, self._slots:
                    answer = await self._ask(path, login, params)
                if check is not None:
                    check(answer.document)
                return answer
        raise AssertionError("stamina raises the last error")

    def _wait(self, error: Exception, until: float | None) -> bool | timedelta:
        """Decide on another try: False for none, True for our own backoff, else the time that the provider asked for."""
        if not isinstance(error, RequestFailure) or not error.again:
            return False
        pause_s = error.after_s or 0
        left_s = _LONGEST_ASKED_S if until is None else until - asyncio.get_running_loop().time()
        if pause_s >= left_s:
            return False
        # All who were told the same second must not come back in the same instant.
        return True if error.after_s is None else timedelta(seconds=pause_s, milliseconds=random.randrange(100, 1_000))  # noqa: S311

    async def _ask(self, path: str, login: Login, params: Params | None) -> Answer:
        auth = httpx.BasicAuth(login.username, login.password)
        asked_us = self._clock()
        try:
            async with (
                asyncio.timeout(self._collect.request_timeout),
                self._http.stream("GET", path, params=params, auth=auth) as response,
            ):
                answered_us, date_s = self._dated(response)
                if response.status_code != 200:  # noqa: PLR2004
                    await self._refuse(response)
                self._assert_fresh(response)
                body, received = await self._body(response)
        except (TimeoutError, httpx.HTTPError) as error:
            raise self._failure(error) from None
        if len(body) < _LARGE_BYTES:
            text, document, repeats_login = _read(body, self._limits.depth, login)
        else:
            text, document, repeats_login = await asyncio.to_thread(_read, body, self._limits.depth, login)
        if self._collect.clock == "provider":
            if date_s is None:
                raise RequestFailure("malformed", "the answer has no Date that can be read, and the clock is to be the provider's")
            answered_us = date_s * 1_000_000
        else:
            self._assert_dated_by_now(asked_us, answered_us)
        return Answer(text, document, answered_us, date_s, received, repeats_login)

    def _failure(self, error: Exception) -> RequestFailure:
        """Say why there is no answer; what libraries say of it may repeat what came, and is not told."""
        if isinstance(error, httpx.ConnectTimeout):
            said = f"no connection to {self._host} within {self._collect.connect_timeout} s (connect_timeout)"
            return RequestFailure("timeout", said, again=True)
        if isinstance(error, (TimeoutError, httpx.TimeoutException)):
            return RequestFailure("timeout", f"no whole answer within {self._collect.request_timeout} s", again=True)
        if isinstance(error, httpx.ConnectError):
            said = f"no connection to {self._host} ({trouble_of_connecting(error)})"
            return RequestFailure("unreachable", said, again=True)
        if isinstance(error, httpx.RemoteProtocolError):
            return RequestFailure("malformed", "the answer was cut off, or is no HTTP", again=True)
        if isinstance(error, httpx.TransportError):
            return RequestFailure("unreachable", f"the connection broke ({type(error).__name__})", again=True)
        return RequestFailure("malformed", f"no answer that HTTP knows ({type(error).__name__})", again=True)

    def _assert_fresh(self, response: httpx.Response) -> None:
        """Refuse what a cache kept: it says what was stored then, and would be billed as what is stored now."""
        age = response.headers.get("age", "0").strip()
        if age.isascii() and age.isdigit() and (len(age) > _MOST_DIGITS or int(age) > self._collect.clock_tolerance):
            raise RequestFailure(
                "malformed", f"the answer is {age[:_MOST_DIGITS]} s old: a cache stands before {self._host}; take it away",
                again=True,
            )  # fmt: skip

    def _assert_dated_by_now(self, asked_us: int, answered_us: int) -> None:
        """Refuse what was answered at nobody knows which second, such as before this machine slept: timeouts sleep with it."""
        went_on_s = (answered_us - asked_us) // 1_000_000
        if went_on_s > self._collect.request_timeout + self._collect.clock_tolerance:
            said = f"the clock went on by {went_on_s} s during the request: this machine slept, or its clock was set"
            raise RequestFailure("timeout", said, again=True)

    def _dated(self, response: httpx.Response) -> tuple[int, int | None]:
        """Tell when an answer came: by our clock in microseconds, and by the provider's in whole seconds, if it says so."""
        answered_us, date_s = self._clock(), _date_seconds(response.headers.get("date"))
        if date_s is not None:
            self.ahead_us = date_s * 1_000_000 - answered_us
        return answered_us, date_s

    async def _refuse(self, response: httpx.Response) -> None:
        status = response.status_code
        kind = await self._error_type(response)
        said = f"HTTP {status}{kind}"
        if status == 401:  # noqa: PLR2004
            raise RequestFailure("credential", f"{said}: the login was refused: are its username and password right?")
        if status == 403:  # noqa: PLR2004
            raise RequestFailure("credential", f"{said}: the login may not (or no longer) ask this")
        if status == 304:  # noqa: PLR2004
            raise RequestFailure("refused", f"{said}, which only a cache says, for nothing was asked if changed: take it away")
        if 300 <= status < 400:  # noqa: PLR2004
            raise RequestFailure("refused", f"{said}: a redirect is never followed; correct the endpoint's url if it moved")
        # A date is one of the provider's clock, as far as that is known.
        after_s = _retry_after(response.headers.get("retry-after"), (self._clock() + (self.ahead_us or 0)) // 1_000_000)
        wait = "" if after_s is None else f", asks to wait {after_s} s"
        if status == 404:  # noqa: PLR2004
            raise RequestFailure(
                "refused", f"{said}: there is no such thing at this address: is the endpoint's url right, to its /api/2.0/?"
            )
        raise RequestFailure("refused", said + wait, again=status in _PASSING, after_s=after_s)

    async def _error_type(self, response: httpx.Response) -> str:
        """Name the provider's error type, if it is one that we know; nothing else of an error is repeated."""
        try:
            body, _ = await self._body(response, 16_384)
            text = body.decode("utf-8", errors="replace")
        except (RequestFailure, httpx.HTTPError):
            return ""
        found = next((name for name in _ERROR_TYPES if f'"error_type": "{name}"' in text or f'"error_type":"{name}"' in text), "")
        return f" {found}" if found else ""

    async def _body(self, response: httpx.Response, most_bytes: int | None = None) -> tuple[bytes, int]:
        """Read and unfold a body, never past the bound; a gzip stream must come to its own end."""
        most_bytes = most_bytes or self._limits.response_bytes
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("identity", "", "gzip", "x-gzip"):
            raise RequestFailure("malformed", "the answer is packed in a way that was not asked for")
        unfold = _Unfolder(most_bytes, packed=encoding.endswith("gzip"))
        async for raw in response.aiter_raw():
            unfold.feed(raw)
        return unfold.end(), unfold.received


@contextlib.asynccontextmanager
async def endpoint_clients(
    targets: Targets, collect: CollectSettings | None = None, *, clock: Callable[[], int] = now_us
) -> AsyncIterator[dict[str, EndpointClient]]:
    """Give a client for each endpoint, by its name, and close their connections afterwards.

    Args:
        targets: what is asked, and how.
        collect: how hard to ask and how long to wait, where that is otherwise than for collecting.
        clock: ours, in microseconds since 1970.
    """
    tls = tls_context(endpoint.url for endpoint in targets.endpoints.values())
    asking = collect or targets.collect
    clients = {name: EndpointClient(each, asking, targets.limits, tls, clock=clock) for name, each in targets.endpoints.items()}
    with unlogged():
        try:
            yield clients
        finally:
            for client in clients.values():
                await client.close()


class _Unfolder:
    """Collects a body's bytes, unfolding gzip, up to a bound on what comes out, and on what goes in: that may unfold to nothing."""

    def __init__(self, most_bytes: int, *, packed: bool) -> None:
        self._most_bytes = most_bytes
        self._parts: list[bytes] = []
        self._size = 0
        self.received = 0
        self._gzip = zlib.decompressobj(wbits=31) if packed else None

    def feed(self, raw: bytes) -> None:
        self.received += len(raw)
        self._assert_within(self.received)
        while raw:
            if self._gzip is None:
                part, raw = raw, b""
            else:
                if self._gzip.eof:
                    self._gzip = zlib.decompressobj(wbits=31)
                try:
                    part = self._gzip.decompress(raw, self._most_bytes - self._size + 1)
                except zlib.error:
                    raise RequestFailure("malformed", "the answer's gzip is damaged", again=True) from None
                raw = self._gzip.unconsumed_tail or self._gzip.unused_data
            self._size += len(part)
            self._assert_within(self._size)
            self._parts.append(part)

    def _assert_within(self, size: int) -> None:
        if size > self._most_bytes:
            raise RequestFailure("too_large", f"the answer is larger than {self._most_bytes} bytes (limits.response_bytes)")

    def end(self) -> bytes:
        if self._gzip is not None and not self._gzip.eof:
            raise RequestFailure("malformed", "the answer was cut off inside gzip", again=True)
        return b"".join(self._parts)


def _asked_host(url: str) -> str:
    """Give the host of an address, as it is told.

    Raises:
        MisuseError: no request can be sent to it.
    """
    try:
        httpx.URL(url).host  # noqa: B018 -- names of other alphabets are looked at only now
    except (httpx.InvalidURL, ValueError):
        raise MisuseError(f"the url {url!r} in [endpoints.*] is no address that can be asked: correct it") from None
    return urlsplit(url).netloc


def _read(body: bytes, max_depth: int, login: Login) -> tuple[str, dict[str, Any], bool]:
    """Give the text and the document of an answer, both without the login, and whether it was repeated there."""
    text, document = _parsed(body, max_depth)
    kept = login.withheld_from(text, document)
    if kept == text:
        return text, document, False
    return *_parsed(kept.encode(), max_depth), True


def _parsed(body: bytes, max_depth: int) -> tuple[str, dict[str, Any]]:
    try:
        text = body.decode("utf-8")
        document = loads_object(text, max_depth)
    except UnicodeError:
        raise RequestFailure("malformed", "the answer is no UTF-8 text", again=True) from None
    except NestingError:
        raise RequestFailure("malformed", "the answer is nested too deeply (limits.depth)", again=True) from None
    except ValueError:
        # What the parser says may quote what it read, which is not repeated.
        raise RequestFailure("malformed", "the answer is no strict JSON object", again=True) from None
    return text, document


def _date_seconds(value: str | None) -> int | None:
    """Read an HTTP date as whole seconds; None where there is none that can be read, or it is none of the calendar in UTC."""
    if not value:
        return None
    try:
        moment = parsedate_to_datetime(value)
        seconds = int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp())
    except (ValueError, TypeError, OverflowError):
        return None
    return seconds if CALENDAR_START_S <= seconds < CALENDAR_END_S else None


def _retry_after(value: str | None, now_s: int) -> int | None:
    """Read `Retry-After`: seconds or an HTTP date; None where it says nothing that can be read."""
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(int(value[:9]), 86_400)
    date_s = _date_seconds(value)
    return None if date_s is None else min(max(0, date_s - now_s), 86_400)
