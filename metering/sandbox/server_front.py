"""What stands before the API: it finds the location and the account, plays the faults, sends the answer.

    request ─> location, last slash, who asks ─> transport faults ─> the API ─> text faults ─> gzip ─> cuts ─> answer

Every answer carries `Date` by the virtual clock.
"""

import asyncio
import gzip
import re
import time
import zlib
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass
from email.utils import format_datetime
from http import HTTPStatus
from typing import Any, ClassVar

from metering.model.period import moment
from metering.sandbox.refusal import ErrorType, Refusal
from metering.sandbox.server_api import create_api
from metering.sandbox.server_call import JSON_TYPE, Sandbox, reply
from metering.sandbox.server_faults import Fault, Strike

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Any]
Send = Callable[[Message], Any]

API_PATH = "/api/2.0"
_JSON = ("application/json", "application/*", "*/*")
_SIZE = re.compile(rb'"allocated_size": ([0-9]+)')
_BEFORE = ("hang", "status", "redirect", "html", "xml", "error_object", "empty", "flood", "bomb", "deep")
_TEXT = ("bad_size", "duplicate_keys", "cut_json")
_FRAMING = ("cut_gzip", "cut", "lost")
_STATUS_TYPES: dict[int, ErrorType] = {
    400: "validation", 401: "permission", 402: "payment", 403: "permission", 404: "notexist", 429: "permission", 503: "concurrency",
}  # fmt: skip
_CHUNK = 2**20
_GZIP_LEVEL = 1


class Front:
    """What stands before the API: it finds the location and the account, plays the faults, sends the answer."""

    def __init__(self, sandbox: Sandbox, location: str | None = None) -> None:
        self.sandbox = sandbox
        self.location = location or sandbox.default_location
        self.api = create_api()
        self.release = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request (ASGI)."""
        if scope["type"] != "http":
            await self.api(scope, receive, send)
            return
        with self.sandbox.world.lock:
            self.sandbox.catch_up()
        await Answer(self, scope, receive, send).give()


@dataclass(slots=True)
class _Body:
    status: int
    headers: list[tuple[bytes, bytes]]
    content: bytes


class Answer:
    """One request on its way through the front."""

    _HEADERS: ClassVar[tuple[bytes, ...]] = (b"content-length", b"date", b"content-encoding")

    def __init__(self, front: Front, scope: Scope, receive: Receive, send: Send) -> None:
        self.front, self.sandbox, self.receive, self.send = front, front.sandbox, receive, send
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        self.accept, self.accept_encoding = headers.get("accept", "*/*"), headers.get("accept-encoding", "")
        path, location, base = scope["path"], front.location, API_PATH
        first, _, rest = path[1:].partition("/")
        if f"/{rest}".startswith(f"{API_PATH}/"):
            location, path, base = first, f"/{rest}", f"/{first}{API_PATH}"
        if path.startswith((f"{API_PATH}/", "/_")) and not path.endswith("/"):
            path += "/"
        account = self.sandbox.account_of(headers.get("authorization", ""))
        self.strike = Strike(
            location, account.uuid if account else None, account.email if account else None, path, scope["method"],
            self.sandbox.world.now_s,
        )  # fmt: skip
        state = {
            "sandbox": self.sandbox, "account": account, "location": location, "base": base, "strike": self.strike,
        }  # fmt: skip
        self.scope = {**scope, "path": path, "raw_path": path.encode(), "state": {**scope.get("state", {}), **state}}

    async def give(self) -> None:
        """Answer, or do not."""
        faults = self.sandbox.faults
        if self.strike.path.startswith(f"{API_PATH}/"):
            fault = faults.strikes(self.strike, *_BEFORE)
            if fault is not None:
                await self._misbehave(fault)
                return
        body = await self._ask()
        if fault := faults.strikes(self.strike, *_TEXT):
            body.content = _garbled(body.content, fault)
        await self._send(body, faults.strikes(self.strike, *_FRAMING))

    async def _ask(self) -> _Body:
        if self.strike.path.startswith(f"{API_PATH}/"):
            if self.strike.location not in self.sandbox.world.locations:
                return _refusal(Refusal(404, "notexist", f"there is no location {self.strike.location!r}"))
            if not any(kind in self.accept for kind in _JSON):
                return _refusal(Refusal(406, "validation", "only application/json can be given"))
        body = _Body(500, [], b"")

        async def keep(message: Message) -> None:
            if message["type"] == "http.response.start":
                body.status, body.headers = message["status"], list(message["headers"])
            elif message["type"] == "http.response.body":
                body.content += message.get("body", b"")

        await self.front.api(self.scope, self.receive, keep)
        return body

    async def _send(self, body: _Body, fault: Fault | None = None) -> None:
        kind = fault.kind if fault else ""
        headers = [(name, value) for name, value in body.headers if name.lower() not in self._HEADERS]
        content = body.content
        if kind == "cut_gzip" or (content and "gzip" in self.accept_encoding):
            content = gzip.compress(content, _GZIP_LEVEL, mtime=0)
            headers += [(b"content-encoding", b"gzip"), (b"vary", b"accept-encoding")]
        if kind == "cut_gzip":
            content = content[: len(content) // 2]
        if body.status != HTTPStatus.NO_CONTENT:
            headers.append((b"content-length", str(len(content)).encode()))
        if kind == "lost":
            await self._break()
        await self._start(body.status, headers)
        if kind == "cut":
            await self.send({"type": "http.response.body", "body": content[: len(content) // 2], "more_body": True})
            await self._break()
        await self.send({"type": "http.response.body", "body": content})

    async def _start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        skew = self.sandbox.faults.strikes(self.strike, "skew")
        date_s = self.sandbox.world.now_s + (int(skew.value) if skew else 0)
        date = (b"date", format_datetime(moment(date_s), usegmt=True).encode())
        await self.send({"type": "http.response.start", "status": status, "headers": [*headers, date]})

    async def _break(self) -> None:
        """Break the connection. ASGI has no word for that, so uvicorn's own transport is told; then nobody is there to answer."""
        transport = getattr(getattr(self.send, "__self__", None), "transport", None)
        if transport is not None:
            transport.abort()
            await self._gone()
        raise ConnectionAbortedError

    async def _misbehave(self, fault: Fault) -> None:
        value = fault.value
        if fault.kind == "hang":
            await self._hang(fault, int(value or 3_600))
        elif fault.kind == "flood":
            await self._flood(int(value or 5 * 2**30))
        elif fault.kind == "bomb":
            await self._bomb(int(value or 2**30))
        elif fault.kind == "status":
            status = int(value or 503)
            body = _refusal(Refusal(status, _STATUS_TYPES.get(status, "backend"), "scripted"))
            if fault.retry_after is not None:
                body.headers.append((b"retry-after", str(fault.retry_after).encode()))
            await self._send(body)
        elif fault.kind == "redirect":
            await self._send(_Body(302, [(b"location", str(value or "http://127.0.0.2/").encode())], b""))
        else:
            await self._send(_strange(fault))

    async def _hang(self, fault: Fault, seconds: int) -> None:
        """Say nothing until time is over, the asker is gone, the fault is off or the server stops; then break the connection."""
        gone = asyncio.create_task(self._gone())
        ends_ns = time.monotonic_ns() + seconds * 10**9
        while time.monotonic_ns() < ends_ns and fault in self.sandbox.faults.switches and not self.front.release.is_set():
            done, _ = await asyncio.wait({gone}, timeout=0.05)
            if done:
                break
        gone.cancel()
        await self._break()

    async def _gone(self) -> None:
        while (await self.receive())["type"] != "http.disconnect":
            pass

    async def _flood(self, size: int) -> None:
        head = b'{"meta": {"limit": 0, "offset": 0, "total_count": 1}, "objects": ['
        await self._stream(_padded(head, size), [(b"content-length", str(size).encode())])

    async def _bomb(self, size: int) -> None:
        packer = zlib.compressobj(9, zlib.DEFLATED, 31)

        def packed() -> Iterator[bytes]:
            for chunk in _padded(b'{"objects": [', size):
                yield packer.compress(chunk)
            yield packer.flush()

        await self._stream(packed(), [(b"content-encoding", b"gzip")])

    async def _stream(self, chunks: Iterator[bytes], headers: list[tuple[bytes, bytes]]) -> None:
        gone = asyncio.create_task(self._gone())
        await self._start(200, [(b"content-type", JSON_TYPE.encode()), *headers])
        for chunk in chunks:
            await asyncio.sleep(0)
            if gone.done() or self.front.release.is_set():
                await self._break()
            if chunk:
                await self.send({"type": "http.response.body", "body": chunk, "more_body": True})
        gone.cancel()
        await self.send({"type": "http.response.body", "body": b""})


def _padded(head: bytes, size: int) -> Iterator[bytes]:
    """Give `size` bytes that begin like JSON and go on as blanks."""
    yield head[:size]
    left = size - len(head)
    blank = b" " * _CHUNK
    while left > 0:
        yield blank[:left]
        left -= _CHUNK


def _refusal(refusal: Refusal) -> _Body:
    response = reply(refusal.errors, refusal.status)
    return _Body(refusal.status, [(b"content-type", JSON_TYPE.encode())], bytes(response.body))


def _strange(fault: Fault) -> _Body:
    """Give what should be a listing but is none, under status 200."""
    depth = int(fault.value or 100_000) if fault.kind == "deep" else 0
    kind, content = {
        "html": ("text/html; charset=utf-8", "<!DOCTYPE html><html><body><h1>Maintenance</h1></body></html>"),
        "xml": ("application/xml", '<?xml version="1.0"?><error>maintenance</error>'),
        "error_object": (JSON_TYPE, '[{"error_type": "backend", "error_message": "scripted", "error_point": null}]'),
        "empty": (JSON_TYPE, ""),
        "deep": (JSON_TYPE, '{"objects": ' + "[" * depth + "]" * depth + "}"),
    }[fault.kind]
    return _Body(200, [(b"content-type", kind.encode())], content.encode())


def _garbled(content: bytes, fault: Fault) -> bytes:
    if fault.kind == "cut_json":
        return content[: len(content) // 2]
    if fault.kind == "duplicate_keys":
        return _SIZE.sub(rb'"allocated_size": 0, "allocated_size": \1', content, count=1)
    raw = str(fault.value or "NaN").encode()
    return _SIZE.sub(lambda _match: b'"allocated_size": ' + raw, content, count=1)
