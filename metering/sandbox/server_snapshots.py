"""`/remotesnapshots/`: list, get, take, edit, delete, clone."""

from typing import Annotated

from fastapi import APIRouter, Body, Query
from fastapi.responses import Response

from metering.sandbox.refusal import not_valid
from metering.sandbox.server_bodies import CloneWish, NewSnapshots, References, SnapshotChanges, SnapshotOrSnapshots, uuid_of
from metering.sandbox.server_call import (
    DEFAULT_LIMIT,
    Call,
    Caller,
    Fields,
    Limit,
    NameContains,
    Offset,
    Text,
    alternatives,
    contains_one,
    locked,
    no_content,
    page,
    picked,
    reply,
)
from metering.sandbox.server_drives import shown_drive
from metering.sandbox.server_views import View, snapshot_view
from metering.sandbox.world_things import Snapshot

router = APIRouter(prefix="/api/2.0")


def _listed(
    call: Call,
    limit: int,
    offset: int,
    fields: str | None,
    drive: str | None,
    uuid: str | None,
    name: str | None,
    name_contains: str | None,
    tag: str | None,
) -> Response:
    world, faults = call.world, call.sandbox.faults
    found = world.listing(call.account, call.location)
    if fault := faults.strikes(call.strike, "foreign"):
        others = [s for s in world.snapshots.values() if call.location in world.endpoints_of(s) and s not in found]
        found += sorted(others, key=lambda s: s.uuid)[: int(fault.value or 1)]
    if drive is not None:
        found = [snapshot for snapshot in found if snapshot.drive_meta["src_uuid"] in alternatives(drive)]
    if uuid is not None:
        found = [snapshot for snapshot in found if snapshot.uuid in alternatives(uuid)]
    if name is not None:
        found = [snapshot for snapshot in found if snapshot.name in alternatives(name)]
    if name_contains is not None:
        found = [snapshot for snapshot in found if contains_one(snapshot.name, name_contains)]
    if tag is not None:
        tags = alternatives(tag)
        found = [snapshot for snapshot in found if any(each in tags for each in snapshot.tags)]
    has_no_drives = faults.strikes(call.strike, "drive_null") is not None

    def show(snapshot: Snapshot) -> View:
        view = snapshot_view(call.base, snapshot, call.account)
        return view | {"drive": None} if has_no_drives else view

    return page(call, found, show, limit, offset, fields)


@router.get("/remotesnapshots/", tags=["remotesnapshots"])
@locked
def list_snapshots(
    call: Caller, limit: Limit = DEFAULT_LIMIT, offset: Offset = 0, fields: Fields = None, drive: Text = None, uuid: Text = None,
    name: Text = None, name_contains: NameContains = None, tag: Text = None,
) -> Response:  # fmt: skip
    """List the remote snapshots that the user may see."""
    return _listed(call, limit, offset, fields, drive, uuid, name, name_contains, tag)


@router.get("/remotesnapshots/detail/", tags=["remotesnapshots"])
@locked
def list_snapshots_in_detail(
    call: Caller, limit: Limit = DEFAULT_LIMIT, offset: Offset = 0, fields: Fields = None, drive: Text = None, uuid: Text = None,
    name: Text = None, name_contains: NameContains = None, tag: Text = None,
) -> Response:  # fmt: skip
    """List the remote snapshots that the user may see, in detail."""
    return _listed(call, limit, offset, fields, drive, uuid, name, name_contains, tag)


@router.post("/remotesnapshots/", tags=["remotesnapshots"], status_code=201)
@locked
def create_snapshots(call: Caller, body: SnapshotOrSnapshots) -> Response:
    """Take remote snapshots: one object, or several as `objects`."""
    wanted = body.objects if isinstance(body, NewSnapshots) else [body]
    taken = call.world.create_snapshots(
        call.account,
        call.location,
        [
            each.model_dump() | {"drive": uuid_of(each.drive), "tags": [uuid_of(tag) for tag in each.tags or ()]}
            for each in wanted
        ],
    )  # fmt: skip
    return reply({"objects": [snapshot_view(call.base, snapshot, call.account) for snapshot in taken]}, 201)


@router.delete("/remotesnapshots/", tags=["remotesnapshots"], status_code=204)
@locked
def delete_snapshots(call: Caller, body: References) -> Response:
    """Begin to delete several remote snapshots, all or none."""
    doomed = [call.world.snapshot(call.account, call.location, each.uuid) for each in body.objects]
    call.world.delete_snapshots(call.account, doomed)
    return no_content()


@router.get("/remotesnapshots/{uuid}/", tags=["remotesnapshots"])
@locked
def get_snapshot(call: Caller, uuid: str, fields: Fields = None) -> Response:
    """Get a remote snapshot."""
    snapshot = call.world.snapshot(call.account, call.location, uuid)
    return reply(picked(snapshot_view(call.base, snapshot, call.account), fields))


@router.put("/remotesnapshots/{uuid}/", tags=["remotesnapshots"])
@locked
def edit_snapshot(call: Caller, uuid: str, body: SnapshotChanges) -> Response:
    """Edit a remote snapshot; `meta` is replaced whole, readonly fields are ignored."""
    snapshot = call.world.snapshot(call.account, call.location, uuid)
    tags = None if body.tags is None else [uuid_of(tag) for tag in body.tags]
    call.world.edit_snapshot(call.account, snapshot, body.model_dump() | {"tags": tags})
    return reply(snapshot_view(call.base, snapshot, call.account))


@router.delete("/remotesnapshots/{uuid}/", tags=["remotesnapshots"], status_code=204)
@locked
def delete_snapshot(call: Caller, uuid: str) -> Response:
    """Begin to delete a remote snapshot."""
    call.world.delete_snapshots(call.account, [call.world.snapshot(call.account, call.location, uuid)])
    return no_content()


@router.post("/remotesnapshots/{uuid}/action/", tags=["remotesnapshots"], status_code=202)
@locked
def act_on_snapshot(
    call: Caller,
    uuid: str,
    do: Annotated[str, Query(description="`clone`, the one action there is.")],
    avoid: Annotated[str | None, Query(description="UUIDs of drives and servers whose hosts to avoid.")] = None,
    body: Annotated[CloneWish | None, Body()] = None,
) -> Response:
    """Clone a remote snapshot into a drive."""
    del avoid  # there is one host
    if do != "clone":
        raise not_valid(f"{do!r} is no action of remote snapshots; `clone` is", "do")
    wish = body or CloneWish()
    snapshot = call.world.snapshot(call.account, call.location, uuid)
    drive = call.world.clone_snapshot(
        call.account, snapshot, name=wish.name, media=wish.media, affinities=wish.affinities or ()
    )  # fmt: skip
    return reply(shown_drive(call, drive), 202)
