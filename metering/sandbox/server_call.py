"""What every call of the API shares: who asks, where, lists and their pages, answers as JSON."""

import base64
import binascii
import functools
import json
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Concatenate, ParamSpec, TypeVar

from fastapi import Depends, Query, Request
from fastapi.responses import Response
from fastapi.security import HTTPBasic, HTTPBasicCredentials

from metering.model.period import instant_seconds
from metering.sandbox.refusal import Refusal, not_valid
from metering.sandbox.server_faults import Faults, Strike
from metering.sandbox.world import World
from metering.sandbox.world_things import Account

DEFAULT_LIMIT = 20
JSON_TYPE = "application/json; charset=utf-8"
_NS = 1_000_000_000

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(slots=True)
class Sandbox:
    """What a server serves: a world, its faults, and how fast the world's clock runs (0: only when it is stepped)."""

    world: World
    faults: Faults = field(default_factory=Faults)
    speed: int = 0
    default_location: str = "ZRH"
    limit_per_minute: int = 10_000
    deletes_per_minute: int = 1_000
    _set_ns: int = field(default_factory=time.monotonic_ns)
    _set_s: int = -1
    _asked: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)

    def set_speed(self, speed: int) -> None:
        """Let the clock run `speed` virtual seconds a real second, from now on."""
        self.catch_up()
        self.speed, self._set_ns, self._set_s = speed, time.monotonic_ns(), self.world.now_s

    def catch_up(self) -> None:
        """Bring the world to where its clock is."""
        if self.speed:
            if self._set_s < 0:
                self._set_s = self.world.now_s
            self.world.advance_to(self._set_s + (time.monotonic_ns() - self._set_ns) * self.speed // _NS)

    def account_of(self, authorization: str) -> Account | None:
        """Find who sends an `Authorization` header."""
        scheme, _, encoded = authorization.partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            email, _, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError, ValueError):
            return None
        account = self.world.account_by_email(email)
        return account if account is not None and account.password == password else None

    def count(self, account: Account, method: str) -> None:
        """Count a request against the account's limits by real time; refuse what passes them."""
        minute = time.monotonic_ns() // (60 * _NS)
        for kind, limit in (("all", self.limit_per_minute), ("DELETE", self.deletes_per_minute)):
            if kind in ("all", method):
                since, asked = self._asked.get((account.uuid, kind), (minute, 0))
                asked = asked + 1 if since == minute else 1
                self._asked[account.uuid, kind] = (minute, asked)
                if asked > limit:
                    raise Refusal(429, "permission", f"more than {limit} requests in a minute: wait")


@dataclass(frozen=True, slots=True)
class Call:
    """One call: who asks, at which location, and how its URLs begin."""

    sandbox: Sandbox
    account: Account
    location: str
    base: str
    strike: Strike

    @property
    def world(self) -> World:
        """The world that is asked."""
        return self.sandbox.world


_BASIC = HTTPBasic(auto_error=False)


async def current_call(request: Request, _basic: Annotated[HTTPBasicCredentials | None, Depends(_BASIC)]) -> Call:
    """Authenticate: the front has read the header already, FastAPI's dependency only writes it into the OpenAPI page."""
    state = request.scope["state"]
    account: Account | None = state["account"]
    if account is None:
        raise Refusal(401, "permission", "authentication is required: HTTP Basic with e-mail and password")
    sandbox: Sandbox = state["sandbox"]
    sandbox.count(account, request.method)
    return Call(sandbox, account, state["location"], state["base"], state["strike"])


Caller = Annotated[Call, Depends(current_call)]
Limit = Annotated[int, Query(ge=0, description="How many objects to give; 0 is all of them.")]
Offset = Annotated[int, Query(ge=0, description="How many objects to pass over.")]
Fields = Annotated[str | None, Query(description="The fields to give, with commas between.")]
Text = Annotated[str | None, Query()]
NameContains = Annotated[str | None, Query(alias="name__contains", description="A part of the name, whatever its case.")]


def locked(handler: Callable[Concatenate[Call, P], T]) -> Callable[..., Awaitable[T]]:
    """Answer with the world held still; its clock is brought up to now first."""

    @functools.wraps(handler)
    async def run(call: Call, *args: P.args, **kwargs: P.kwargs) -> T:
        with call.world.lock:
            return handler(call, *args, **kwargs)

    return run


def reply(document: Any, status: int = 200) -> Response:
    """Answer with JSON."""
    return Response(json.dumps(document, sort_keys=True), status, media_type=JSON_TYPE)


def no_content() -> Response:
    """Answer that something has begun, with nothing more to say."""
    return Response(status_code=204)


def alternatives(text: str) -> list[str]:
    r"""Split a filter: a comma is OR, `\,` is a literal comma.

    >>> alternatives(r"a,b\,c")
    ['a', 'b,c']
    """
    parts, part, escaped = [], "", False
    for character in text:
        if escaped:
            part += character if character == "," else "\\" + character
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == ",":
            parts.append(part)
            part = ""
        else:
            part += character
    return [*parts, part + "\\" * escaped]


def contains_one(name: str, text: str) -> bool:
    """Tell whether a name contains one of the alternatives of a filter, whatever their case."""
    return any(part.casefold() in name.casefold() for part in alternatives(text))


def picked(view: dict[str, Any], fields: str | None) -> dict[str, Any]:
    """Pick the fields asked for."""
    if fields is None:
        return view
    wanted = alternatives(fields)
    return {name: value for name, value in view.items() if name in wanted}


def page(
    call: Call,
    objects: Sequence[T],
    show: Callable[[T], dict[str, Any]],
    limit: int,
    offset: int,
    fields: str | None = None,
    **more: Any,
) -> Response:
    """Answer with a page of a list, as faulty as the switches say."""
    objects, limit, offset = _disturbed(call, list(objects), limit, offset)
    shown = objects[offset : offset + limit] if limit else objects[offset:]
    faults, strike = call.sandbox.faults, call.strike
    if offset and shown and faults.strikes(strike, "repeat_object"):
        shown = [objects[offset - 1], *shown[:-1]]
    if shown and faults.strikes(strike, "twice"):
        shown = [shown[0], *shown]
    total_count = len(objects)
    if fault := faults.strikes(strike, "total_count"):
        total_count = int(fault.value or 0)
    views = [picked(show(each), fields) for each in shown]
    return reply({"meta": {"limit": limit, "offset": offset, "total_count": total_count}, "objects": views, **more})


def _disturbed(call: Call, objects: list[T], limit: int, offset: int) -> tuple[list[T], int, int]:
    faults, strike = call.sandbox.faults, call.strike
    if fault := faults.strikes(strike, "page_cap"):
        cap = int(fault.value or DEFAULT_LIMIT)
        limit = min(limit or cap, cap)
    if faults.strikes(strike, "shuffle"):
        random.Random(repr((strike, offset))).shuffle(objects)  # noqa: S311 -- an unstable order, no secret
    if offset and objects and (fault := faults.strikes(strike, "list_changes")):
        objects = objects[1:] if fault.value != "insert" else [objects[0], *objects]
    return objects, limit, offset


def instant_of(text: str | None, point: str) -> int | None:
    """Read an instant as the API takes it: ISO 8601, UTC where it has no offset."""
    if text is None:
        return None
    try:
        return instant_seconds(text)
    except ValueError:
        try:
            return instant_seconds(text + "Z")
        except ValueError as error:
            raise not_valid(f"{text[:64]!r} {error}", point) from None


def instant_or(text: str | None, point: str, default: int) -> int:
    """Read an instant, or take another where none is given."""
    found = instant_of(text, point)
    return default if found is None else found
