"""`/remotesnapshots/`, and `/drives/` and `/jobs/` in the measure that snapshots need them."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Query
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from metering.sandbox.refusal import not_there, not_valid
from metering.sandbox.server_call import (
    DEFAULT_LIMIT,
    Call,
    Caller,
    Fields,
    Limit,
    Offset,
    Text,
    alternatives,
    locked,
    no_content,
    page,
    picked,
    reply,
)
from metering.sandbox.server_views import View, drive_view, job_view, snapshot_view
from metering.sandbox.world_things import Drive, Snapshot

router = APIRouter(prefix="/api/2.0")


class Body_(BaseModel):  # noqa: N801 -- `Body` is FastAPI's
    """What is sent: what is not known is ignored, as the provider does."""

    model_config = ConfigDict(extra="ignore")


class Reference(Body_):
    """An object by its UUID."""

    uuid: str


class NewSnapshot(Body_):
    """A remote snapshot to take."""

    drive: str | Reference = Field(description="The drive's UUID.")
    location: str | None = Field(default=None, description="Where it is stored and billed; where the API is unless given.")
    name: Annotated[str, Field(max_length=255)] | None = None
    meta: dict[str, Any] | None = None
    tags: list[str | Reference] | None = None


class NewSnapshots(Body_):
    """Remote snapshots to take, all or none."""

    objects: list[NewSnapshot] = Field(min_length=1, max_length=500)


class SnapshotChanges(Body_):
    """What can be edited; the other fields of a snapshot may stand beside it and are ignored."""

    name: Annotated[str, Field(max_length=255)] | None = None
    meta: dict[str, Any] | None = None
    tags: list[str | Reference] | None = None


class References(Body_):
    """Objects by their UUIDs."""

    objects: list[Reference] = Field(min_length=1, max_length=500)


class CloneWish(Body_):
    """How the drive that a clone makes should be; all of it is optional."""

    name: Annotated[str, Field(max_length=255)] | None = None
    media: str | None = None
    affinities: list[str] | None = None


class NewDrive(Body_):
    """A drive to create."""

    name: Annotated[str, Field(max_length=255)]
    size: Annotated[int, Field(strict=True)]
    media: str = "disk"
    meta: dict[str, Any] | None = None
    tags: list[str | Reference] | None = None
    affinities: list[str] | None = None


class NewDrives(Body_):
    """Drives to create."""

    objects: list[NewDrive] = Field(min_length=1, max_length=500)


def _uuid(given: str | Reference) -> str:
    return given if isinstance(given, str) else given.uuid


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
        parts = [part.casefold() for part in alternatives(name_contains)]
        found = [snapshot for snapshot in found if any(part in snapshot.name.casefold() for part in parts)]
    if tag is not None:
        tags = alternatives(tag)
        found = [snapshot for snapshot in found if any(each in tags for each in snapshot.tags)]
    has_no_drives = faults.strikes(call.strike, "drive_null") is not None

    def show(snapshot: Snapshot) -> View:
        view = snapshot_view(call.base, snapshot, call.account)
        return view | {"drive": None} if has_no_drives else view

    return page(call, found, show, limit, offset, fields)


NameContains = Annotated[str | None, Query(alias="name__contains", description="A part of the name, whatever its case.")]


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
def create_snapshots(call: Caller, body: NewSnapshots | NewSnapshot) -> Response:
    """Take remote snapshots: one object, or several as `objects`."""
    wanted = body.objects if isinstance(body, NewSnapshots) else [body]
    taken = call.world.create_snapshots(
        call.account,
        call.location,
        [
            each.model_dump() | {"drive": _uuid(each.drive), "tags": [_uuid(tag) for tag in each.tags or ()]}
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
    tags = None if body.tags is None else [_uuid(tag) for tag in body.tags]
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
    return reply(_drive(call, drive), 202)


def _drive(call: Call, drive: Drive) -> View:
    snapshots = [s.uuid for s in call.world.listing(call.account, call.location) if s.drive is drive]
    return drive_view(call.base, drive, snapshots)


@router.get("/drives/", tags=["drives"])
@locked
def list_drives(
    call: Caller, limit: Limit = DEFAULT_LIMIT, offset: Offset = 0, fields: Fields = None, uuid: Text = None, name: Text = None
) -> Response:  # fmt: skip
    """List the user's drives."""
    return _listed_drives(call, limit, offset, fields, uuid, name)


@router.get("/drives/detail/", tags=["drives"])
@locked
def list_drives_in_detail(
    call: Caller, limit: Limit = DEFAULT_LIMIT, offset: Offset = 0, fields: Fields = None, uuid: Text = None, name: Text = None
) -> Response:  # fmt: skip
    """List the user's drives in detail."""
    return _listed_drives(call, limit, offset, fields, uuid, name)


def _listed_drives(call: Call, limit: int, offset: int, fields: str | None, uuid: str | None, name: str | None) -> Response:
    found = call.world.drives_of(call.account, call.location)
    if uuid is not None:
        found = [drive for drive in found if drive.uuid in alternatives(uuid)]
    if name is not None:
        found = [drive for drive in found if drive.name in alternatives(name)]
    return page(call, found, lambda drive: _drive(call, drive), limit, offset, fields)


@router.post("/drives/", tags=["drives"], status_code=201)
@locked
def create_drives(call: Caller, body: NewDrives | NewDrive, avoid: Text = None) -> Response:
    """Create drives: one object, or several as `objects`."""
    del avoid  # there is one host
    wanted = body.objects if isinstance(body, NewDrives) else [body]
    drives = [
        call.world.create_drive(
            call.account, call.location, name=each.name, size=each.size, media=each.media, meta=each.meta,
            tags=[_uuid(tag) for tag in each.tags or ()], affinities=each.affinities or (),
        )
        for each in wanted
    ]  # fmt: skip
    return reply({"objects": [_drive(call, drive) for drive in drives]}, 201)


@router.get("/drives/{uuid}/", tags=["drives"])
@locked
def get_drive(call: Caller, uuid: str, fields: Fields = None) -> Response:
    """Get a drive, with its remote snapshots."""
    return reply(picked(_drive(call, call.world.drive(call.account, call.location, uuid)), fields))


@router.delete("/drives/{uuid}/", tags=["drives"], status_code=204)
@locked
def delete_drive(call: Caller, uuid: str) -> Response:
    """Begin to delete a drive; its remote snapshots stay."""
    call.world.delete_drive(call.world.drive(call.account, call.location, uuid))
    return no_content()


@router.get("/jobs/", tags=["jobs"])
@locked
def list_jobs(call: Caller, limit: Limit = DEFAULT_LIMIT, offset: Offset = 0, fields: Fields = None) -> Response:
    """List the user's jobs."""
    jobs = [job for job in call.world.jobs.values() if job.owner == call.account.uuid]
    return page(call, jobs, lambda job: job_view(call.base, job), limit, offset, fields)


@router.get("/jobs/{uuid}/", tags=["jobs"])
@locked
def get_job(call: Caller, uuid: str) -> Response:
    """Get a job: how far a clone is."""
    job = call.world.jobs.get(uuid)
    if job is None or job.owner != call.account.uuid:
        raise not_there("job", uuid)
    return reply(job_view(call.base, job))
