"""`/drives/` and `/jobs/`, in the measure that remote snapshots need them."""

from fastapi import APIRouter
from fastapi.responses import Response

from metering.sandbox.refusal import not_there
from metering.sandbox.server_bodies import DriveOrDrives, NewDrives, uuid_of
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
from metering.sandbox.server_views import View, drive_view, job_view
from metering.sandbox.world_things import Drive

router = APIRouter(prefix="/api/2.0")


def shown_drive(call: Call, drive: Drive) -> View:
    """Show a drive with those of its remote snapshots that this location lists."""
    snapshots = [s.uuid for s in call.world.listing(call.account, call.location) if s.drive is drive]
    return drive_view(call.base, drive, snapshots)


@router.get("/drives/", tags=["drives"])
@locked
def list_drives(
    call: Caller, limit: Limit = DEFAULT_LIMIT, offset: Offset = 0, fields: Fields = None, uuid: Text = None, name: Text = None,
    name_contains: NameContains = None,
) -> Response:  # fmt: skip
    """List the user's drives."""
    return _listed_drives(call, limit, offset, fields, uuid, name, name_contains)


@router.get("/drives/detail/", tags=["drives"])
@locked
def list_drives_in_detail(
    call: Caller, limit: Limit = DEFAULT_LIMIT, offset: Offset = 0, fields: Fields = None, uuid: Text = None, name: Text = None,
    name_contains: NameContains = None,
) -> Response:  # fmt: skip
    """List the user's drives in detail."""
    return _listed_drives(call, limit, offset, fields, uuid, name, name_contains)


def _listed_drives(
    call: Call, limit: int, offset: int, fields: str | None, uuid: str | None, name: str | None, name_contains: str | None
) -> Response:
    found = call.world.drives_of(call.account, call.location)
    if uuid is not None:
        found = [drive for drive in found if drive.uuid in alternatives(uuid)]
    if name is not None:
        found = [drive for drive in found if drive.name in alternatives(name)]
    if name_contains is not None:
        found = [drive for drive in found if contains_one(drive.name, name_contains)]
    return page(call, found, lambda drive: shown_drive(call, drive), limit, offset, fields)


@router.post("/drives/", tags=["drives"], status_code=201)
@locked
def create_drives(call: Caller, body: DriveOrDrives, avoid: Text = None) -> Response:
    """Create drives: one object, or several as `objects`."""
    del avoid  # there is one host
    wanted = body.objects if isinstance(body, NewDrives) else [body]
    drives = [
        call.world.create_drive(
            call.account, call.location, name=each.name, size=each.size, media=each.media, meta=each.meta,
            tags=[uuid_of(tag) for tag in each.tags or ()], affinities=each.affinities or (),
        )
        for each in wanted
    ]  # fmt: skip
    return reply({"objects": [shown_drive(call, drive) for drive in drives]}, 201)


@router.get("/drives/{uuid}/", tags=["drives"])
@locked
def get_drive(call: Caller, uuid: str, fields: Fields = None) -> Response:
    """Get a drive, with its remote snapshots."""
    return reply(picked(shown_drive(call, call.world.drive(call.account, call.location, uuid)), fields))


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
def get_job(call: Caller, uuid: str, fields: Fields = None) -> Response:
    """Get a job: how far a clone is."""
    job = call.world.jobs.get(uuid)
    if job is None or job.owner != call.account.uuid:
        raise not_there("job", uuid)
    return reply(picked(job_view(call.base, job), fields))
