"""The sandbox's own levers, beside the provider's API: `/_clock`, `/_faults`, `/_world`. No authentication, loopback only."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Body, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict

from metering.model.period import SECONDS_PER_DAY, instant_seconds, instant_text
from metering.sandbox.refusal import not_there, not_valid
from metering.sandbox.server_call import Sandbox, reply
from metering.sandbox.server_faults import COUNTED, KINDS

router = APIRouter(include_in_schema=False)


# A world is lived through second by second: who sends it farther waits for ever, and everybody else with him.
_FARTHEST_S = 400 * SECONDS_PER_DAY
_FASTEST = 86_400
_MOST = 2**40
_STATUSES_END = 600


class ClockStep(BaseModel):
    """How to move the clock: by seconds, or to an instant; and how fast it runs on."""

    model_config = ConfigDict(extra="forbid")

    advance: Annotated[int, Body(ge=0, le=_FARTHEST_S)] = 0
    to: str | None = None
    speed: Annotated[int, Body(ge=0, le=_FASTEST)] | None = None


class FaultWish(BaseModel):
    """A fault to switch on: see `metering.sandbox.server_faults`."""

    model_config = ConfigDict(extra="forbid")

    kind: str
    location: str | None = None
    account: str | None = None
    path: str | None = "/remotesnapshots/"
    method: str | None = "GET"
    from_time: str | None = None
    until_time: str | None = None
    percent: int = 100
    times: int | None = None
    value: Any = None
    retry_after: int | str | None = None


class WriteWish(BaseModel):
    """Blocks of a drive to overwrite."""

    model_config = ConfigDict(extra="forbid")

    drive: str
    blocks: list[int]


class ShareWish(BaseModel):
    """A snapshot to share with another account."""

    model_config = ConfigDict(extra="forbid")

    snapshot: str
    account: str
    permissions: list[str] = ["LIST"]


def _sandbox(request: Request) -> Sandbox:
    sandbox: Sandbox = request.scope["state"]["sandbox"]
    return sandbox


def _seconds(text: str | None, point: str) -> int | None:
    try:
        return None if text is None else instant_seconds(text)
    except ValueError as error:
        raise not_valid(f"{text!r} {error}", point) from None


def _assert_played(wish: FaultWish) -> None:
    """Refuse a fault that could not be played when it is to strike."""
    value = wish.value
    if wish.kind in COUNTED and value is not None and (type(value) is not int or abs(value) > _MOST):
        raise not_valid(f"the value of {wish.kind} is a whole number", "value")
    if wish.kind == "status" and value is not None and not HTTPStatus.OK <= value < _STATUSES_END:
        raise not_valid("the value of status is from 200 to 599", "value")
    for name, said in (("value", value if wish.kind == "redirect" else None), ("retry_after", wish.retry_after)):
        if said is not None and not str(said).isprintable():
            raise not_valid(f"{name} is sent in a header, and has a character that none can carry", name)


def _clock(sandbox: Sandbox) -> Response:
    return reply({"now": instant_text(sandbox.world.now_s), "speed": sandbox.speed})


@router.get("/_clock/")
async def read_clock(request: Request) -> Response:
    """Read the virtual clock."""
    return _clock(_sandbox(request))


@router.post("/_clock/")
async def move_clock(request: Request, body: ClockStep) -> Response:
    """Step the virtual clock, or set its speed."""
    sandbox = _sandbox(request)
    to_s = _seconds(body.to, "to")
    if to_s is not None and to_s - sandbox.world.now_s > _FARTHEST_S:
        raise not_valid(f"{body.to!r} is more than 400 days ahead", "to")
    sandbox.world.advance_to(max(sandbox.world.now_s + body.advance, to_s or 0))
    sandbox.set_speed(sandbox.speed if body.speed is None else body.speed)
    return _clock(sandbox)


@router.get("/_faults/")
async def list_faults(request: Request) -> Response:
    """List what is switched on, what struck, and what there is."""
    faults = _sandbox(request).faults
    hits = [
        {"kind": h.kind, "location": h.location, "account": h.account, "path": h.path, "time": instant_text(h.now_s)}
        for h in faults.hits
    ]
    return reply({"faults": faults.documents(), "hits": hits, "kinds": KINDS})


@router.post("/_faults/")
async def switch_faults_on(request: Request, body: FaultWish | list[FaultWish]) -> Response:
    """Switch one fault on, or several."""
    faults = _sandbox(request).faults
    wishes = body if isinstance(body, list) else [body]
    unknown = next((wish.kind for wish in wishes if wish.kind not in KINDS), None)
    if unknown is not None:
        raise not_valid(f"{unknown!r} is no fault; choose from {', '.join(KINDS)}", "kind")
    for wish in wishes:
        _assert_played(wish)
    for wish in wishes:
        where = wish.model_dump(exclude={"kind", "from_time", "until_time"})
        where |= {"from_s": _seconds(wish.from_time, "from_time"), "until_s": _seconds(wish.until_time, "until_time")}
        faults.add(wish.kind, **where)
    return reply({"faults": faults.documents()}, 201)


@router.delete("/_faults/")
async def switch_faults_off(request: Request) -> Response:
    """Switch all faults off."""
    _sandbox(request).faults.clear()
    return reply({"faults": []})


@router.post("/_world/write/")
async def write_blocks(request: Request, body: WriteWish) -> Response:
    """Overwrite blocks of a drive, as its server would."""
    world = _sandbox(request).world
    drive = world.drives.get(body.drive)
    if drive is None:
        raise not_there("drive", body.drive)
    with world.lock:
        if any(not 0 <= block < drive.blocks.count for block in body.blocks):
            raise not_valid(f"the drive has blocks 0 to {drive.blocks.count - 1}", "blocks")
        world.write(drive, body.blocks)
    return reply({"drive": drive.uuid, "blocks": drive.blocks.count, "block_bytes": drive.blocks.block_bytes})


@router.post("/_world/share/")
async def share_snapshot(request: Request, body: ShareWish) -> Response:
    """Share a snapshot with another account."""
    world = _sandbox(request).world
    snapshot, account = world.snapshots.get(body.snapshot), world.accounts.get(body.account)
    if snapshot is None or account is None:
        raise not_there("snapshot or account", body.snapshot if snapshot is None else body.account)
    with world.lock:
        world.share(snapshot, account, tuple(body.permissions))
    return reply({"snapshot": snapshot.uuid, "grantees": sorted(snapshot.grantees)})
