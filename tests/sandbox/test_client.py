"""The provider's own Python client, unchanged, goes through every call of the `/remotesnapshots/` table, refusals included."""

import json
import warnings

import pytest
from sandbox_help import MIB, START_S, account_of, ready_drive, running, small_world, taken

with warnings.catch_warnings():
    # It supports Python 2 still, through a library that warns.
    warnings.simplefilter("ignore")
    from cloudsigma import errors, resource

ANN = {"username": "ann@example.com", "password": "ann's secret"}
BEN = {"username": "ben@example.com", "password": "ben's secret"}


@pytest.fixture
def api(sandbox):
    """Give a client of a resource for somebody, at a location."""

    def client(name, who=ANN, location="ZRH"):
        return getattr(resource, name)(api_endpoint=sandbox.endpoint(location), **who)

    return client


@pytest.fixture
def snapshots(api):
    return api("RemoteSnapshot")


@pytest.fixture
def drive(sandbox):
    return ready_drive(sandbox.world, name="db")


def refused(status, kind, call, *arguments, **named):
    with pytest.raises(errors.ApiClientError) as caught:
        call(*arguments, **named)
    assert caught.value.status_code == status
    (error,) = json.loads(caught.value.message)
    assert error.keys() == {"error_type", "error_message", "error_point"}
    assert error["error_type"] == kind
    return error


def test_the_acceptance_flow_create_snapshot_edit_list_clone_delete(sandbox, api, snapshots):
    drives = api("Drive")
    drive = drives.create({"name": "test_drive_snapshot", "size": 1_024_000_000, "media": "disk"})
    assert drive["status"] == "creating"
    sandbox.advance(5)
    assert drives.get(drive["uuid"])["status"] == "unmounted"
    assert drive["remote_snapshots"] == []

    first = snapshots.create({"drive": drive["uuid"], "location": "ZRH", "name": "first", "meta": {"key": "val"}})
    assert (first["status"], first["allocated_size"], first["drive"]["uuid"]) == ("creating", 0, drive["uuid"])
    sandbox.advance(20)
    assert snapshots.get(first["uuid"])["status"] == "transferring"
    sandbox.advance(100)
    assert snapshots.get(first["uuid"])["status"] == "available"

    sandbox.advance(1_800)
    second = snapshots.create({"drive": drive["uuid"], "location": "ZRH"})
    assert second["name"] == "test_drive_snapshot"
    sandbox.advance(120)
    second["name"] = "another"
    edited = snapshots.update(second["uuid"], second)
    assert edited["name"] == snapshots.get(second["uuid"])["name"] == "another"

    both = [first["uuid"], second["uuid"]]
    assert [each["uuid"] for each in snapshots.list()] == [each["uuid"] for each in snapshots.list_detail()] == both
    assert [each["uuid"] for each in snapshots.list({"drive": drive["uuid"]})] == both
    assert [each["uuid"] for each in drives.get(drive["uuid"])["remote_snapshots"]] == both

    clone = snapshots.clone(first["uuid"], avoid=drive["uuid"])
    assert (clone["status"], clone["name"], clone["size"], clone["media"]) == ("cloning_dst", "first", 1_024_000_000, "disk")
    job = api("Jobs").get(clone["jobs"][0]["uuid"])
    assert (job["state"], job["progress"]) == ("started", 0)
    sandbox.advance(60)
    assert drives.get(clone["uuid"])["status"] == "unmounted"
    assert api("Jobs").get(job["uuid"])["state"] == "success"
    named = snapshots.clone(first["uuid"], data={"media": "cdrom", "name": "restored"}, avoid=[drive["uuid"], clone["uuid"]])
    assert (named["media"], named["name"]) == ("cdrom", "restored")

    snapshots.delete(first["uuid"])
    assert snapshots.get(first["uuid"])["status"] == "deleting"
    sandbox.advance(30)
    refused(404, "notexist", snapshots.get, first["uuid"])
    drives.delete(drive["uuid"])
    sandbox.advance(30)
    refused(404, "notexist", drives.get, drive["uuid"])
    left = snapshots.get(second["uuid"])
    assert (left["drive"], left["drive_meta"]["src_uuid"], left["status"]) == (None, drive["uuid"], "available")


def test_several_are_created_at_once_or_none(sandbox, snapshots, drive):
    other = ready_drive(sandbox.world)
    refused(403, "permission", snapshots.create, [{"drive": drive.uuid}, {"drive": drive.uuid, "name": "twice"}])
    assert snapshots.list() == []
    created = snapshots.create([{"drive": drive.uuid, "location": "GVA"}, {"drive": other.uuid, "location": "ZRH"}])
    assert [each["location"] for each in created] == ["GVA", "ZRH"]


def test_a_drive_has_one_snapshot_in_30_minutes(sandbox, snapshots, drive):
    snapshots.create({"drive": drive.uuid, "location": "ZRH"})
    sandbox.advance(1_799)
    assert "30 minutes" in refused(403, "permission", snapshots.create, {"drive": drive.uuid, "location": "ZRH"})["error_message"]
    sandbox.advance(1)
    snapshots.create({"drive": drive.uuid, "location": "ZRH"})


def test_a_second_snapshot_waits_for_the_first_to_arrive():
    world = small_world()
    world.timing = type(world.timing)(creating_s=1_000, transferring_s=2_000)
    with running(world) as sandbox:
        drive = ready_drive(world)
        snapshots = resource.RemoteSnapshot(api_endpoint=sandbox.endpoint("ZRH"), **ANN)
        snapshots.create({"drive": drive.uuid, "location": "ZRH"})
        sandbox.advance(2_000)
        error = refused(403, "permission", snapshots.create, {"drive": drive.uuid, "location": "ZRH"})
        assert "transferring" in error["error_message"]
        sandbox.advance(1_000)
        snapshots.create({"drive": drive.uuid, "location": "ZRH"})


@pytest.mark.parametrize("status", ["creating", "transferring"])
def test_a_snapshot_on_its_way_is_not_edited_deleted_or_cloned(sandbox, snapshots, drive, status):
    uuid = snapshots.create({"drive": drive.uuid, "location": "ZRH"})["uuid"]
    sandbox.advance(0 if status == "creating" else 20)
    assert snapshots.get(uuid)["status"] == status
    for call, arguments in ((snapshots.update, (uuid, {"name": "x"})), (snapshots.delete, (uuid,)), (snapshots.clone, (uuid,))):
        assert status in refused(403, "permission", call, *arguments)["error_message"]
    assert snapshots.get(uuid)["name"] == "db"


def test_unknown_drives_locations_and_snapshots_are_refused(api, snapshots, drive):
    refused(404, "notexist", snapshots.create, {"drive": "00000000-0000-4000-8000-000000000000", "location": "ZRH"})
    error = refused(400, "validation", snapshots.create, {"drive": drive.uuid, "location": "XXX"})
    assert error["error_point"] == "location"
    for call, arguments in (
        (snapshots.get, ()),
        (snapshots.update, ({"name": "x"},)),
        (snapshots.delete, ()),
        (snapshots.clone, ()),
    ):
        refused(404, "notexist", call, "no-such-uuid", *arguments)
    refused(404, "notexist", api("RemoteSnapshot", BEN).create, {"drive": drive.uuid, "location": "ZRH"})


def test_meta_is_replaced_whole_and_readonly_fields_are_ignored(sandbox, snapshots, drive):
    snapshot = taken(sandbox.world, drive, meta={"a": "1", "b": "2"}, tags=["00000000-0000-4000-8000-00000000000a"])
    world_before = snapshot.size, snapshot.created_s
    sent = snapshots.get(snapshot.uuid) | {"meta": {"c": "3"}, "allocated_size": 5, "status": "deleting", "owner": {"uuid": "me"}}
    answer = snapshots.update(snapshot.uuid, sent)
    assert answer["meta"] == {"c": "3"}
    assert (answer["allocated_size"], answer["status"], answer["tags"][0]["uuid"][-1]) == (0, "available", "a")
    assert (snapshot.size, snapshot.created_s) == world_before
    assert snapshots.update(snapshot.uuid, {"meta": {"k" * 32: "fits"}})["meta"] == {"k" * 32: "fits"}
    for meta in ({"k" * 33: "too long"}, {"number": 1}, {"nothing": None}):
        assert refused(400, "validation", snapshots.update, snapshot.uuid, {"meta": meta})["error_point"] == "meta"


def test_lists_are_filtered_by_drive_uuid_name_part_of_name_and_tag(sandbox, snapshots):
    tag = "00000000-0000-4000-8000-00000000000b"
    world = sandbox.world
    names = ("Alpha, first", "beta", "Gamma")
    made = [taken(world, ready_drive(world), name=name, tags=[tag] if name == "beta" else []) for name in names]

    def found(**filters):
        return [names.index(each["name"]) for each in snapshots.list(filters)]

    assert found() == [0, 1, 2]
    assert found(drive=made[1].drive.uuid) == [1]
    assert found(uuid=f"{made[0].uuid},{made[2].uuid}") == [0, 2]
    assert found(name="beta,Gamma") == [1, 2]
    assert found(name=r"Alpha\, first") == [0]
    assert found(name__contains="MA") == [2]
    assert found(name__contains="BET,alp") == [0, 1]
    assert found(tag=tag) == [1]
    assert found(name="beta,Gamma", name__contains="gam") == [2]
    assert [each.keys() for each in snapshots.list({"fields": "uuid,allocated_size"})] == [{"uuid", "allocated_size"}] * 3
    assert len(snapshots.list({"limit": 2, "offset": 1})) == 2


@pytest.mark.parametrize(
    ("strategy", "name", "cloned"),
    [
        ("NONE", "x", "x"),
        ("COUNTER", "x", "x_1"),
        ("COUNTER", "x_1", "x_2"),
        ("DATE", "x", "x_2026-10-01"),
        ("DATE", "x_2026-09-30", "x_2026-10-01"),
        ("DATE", "x_2026-10-01", "x_2026-10-01_1"),
        ("DATE", "x_2026-10-01_1", "x_2026-10-01_2"),
        ("TIMESTAMP", "x", "x_2026-10-01_00:02:05"),
        ("TIMESTAMP", "x_2026-09-30_01:02:03", "x_2026-10-01_00:02:05"),
        ("TIMESTAMP", "x_2026-10-01_00:02:05", "x_2026-10-01_00:02:05_1"),
    ],
)
def test_a_clone_is_named_by_the_strategy_of_the_profile(sandbox, api, snapshots, strategy, name, cloned):
    assert api("Profile").update({"clone_naming": strategy})["clone_naming"] == strategy
    snapshot = taken(sandbox.world, ready_drive(sandbox.world), name=name)
    assert snapshots.clone(snapshot.uuid)["name"] == cloned
    assert snapshots.clone(snapshot.uuid, {"name": "given"})["name"] == "given"


def test_what_is_shared_is_seen_with_its_owner_and_not_touched(sandbox, api, snapshots, drive):
    world = sandbox.world
    snapshot = taken(world, drive)
    world.write(drive, range(3))
    ben = account_of(world, "ben@example.com")
    theirs = api("RemoteSnapshot", BEN)
    refused(404, "notexist", theirs.get, snapshot.uuid)
    world.share(snapshot, ben)
    (seen,) = theirs.list()
    assert (seen["owner"]["uuid"], seen["permissions"], seen["grantees"]) == (drive.owner, ["LIST"], [])
    assert seen["allocated_size"] == 3 * MIB
    assert snapshots.get(snapshot.uuid)["grantees"][0]["user"]["uuid"] == ben.uuid
    for call, arguments in ((theirs.update, ({"name": "mine"},)), (theirs.delete, ()), (theirs.clone, ())):
        refused(403, "permission", call, snapshot.uuid, *arguments)
    world.share(snapshot, ben, ("LIST", "CLONE"))
    assert theirs.clone(snapshot.uuid)["owner"]["uuid"] == ben.uuid
    snapshots.delete(snapshot.uuid)
    sandbox.advance(30)
    assert theirs.list() == []


def test_a_wrong_password_is_refused(api):
    with pytest.raises(errors.AuthError) as caught:
        api("RemoteSnapshot", {"username": "ann@example.com", "password": "guess"}).list()
    assert caught.value.status_code == 401


def test_every_resource_says_what_it_is(api):
    schema = api("RemoteSnapshot").get_schema()
    assert schema["allowed_list_http_methods"] == ["get", "post", "delete"]
    assert (schema["fields"]["allocated_size"]["type"], schema["fields"]["allocated_size"]["readonly"]) == ("integer", True)
    assert (schema["fields"]["drive"]["required"], schema["fields"]["meta"]["readonly"]) == (True, False)
    assert "name__contains" in schema["filtering"]
    for name in ("Drive", "Jobs", "Subscriptions", "SubscriptionCalculator", "Pricing", "Discount", "Balance", "CurrentUsage",
                 "BurstUsage", "Ledger", "Locations", "Profile"):  # fmt: skip
        assert api(name).get_schema()["fields"], name


def test_locations_say_where_their_apis_are(sandbox, api):
    found = {each["id"]: each for each in api("Locations").list()}
    assert list(found) == ["GVA", "ZRH", "FRA", "CWL", "LON", "DUB"]
    assert found["DUB"]["api_endpoint"] == sandbox.endpoint("DUB")
    assert (found["LON"]["display_name"], found["LON"]["country_code"]) == ("London", "GB")


def test_each_location_has_drives_and_snapshots_of_its_own(api, snapshots, drive):
    snapshots.create({"drive": drive.uuid, "location": "FRA"})
    assert len(snapshots.list()) == 1
    for location in ("GVA", "FRA"):
        assert api("RemoteSnapshot", location=location).list() == []
    refused(404, "notexist", api("Drive", location="GVA").get, drive.uuid)


def test_the_money_side_by_the_client(sandbox, api, drive):
    world = sandbox.world
    bought = api("Subscriptions").create({"resource": "backup", "amount": 2 * MIB, "period": "1 month"})
    assert (bought["amount"], bought["status"], bought["period"]) == (str(2 * MIB), "active", "31 days, 11:59:55")
    extended = api("Subscriptions").extend(bought["id"])
    assert (extended["start_time"], extended["end_time"]) == ("2026-11-01T12:00:00+00:00", "2026-12-01T12:00:00+00:00")
    assert api("SubscriptionCalculator").get_price(str(10**9), "1 month", "backup").startswith("0.101")
    assert len(api("Subscriptions").list()) == 2
    taken(world, drive)
    world.write(drive, range(6))
    world.advance_to(START_S + 900)
    usage = api("CurrentUsage").get()
    assert usage["usage"]["backup"] == {"burst": 4 * MIB, "subscribed": 2 * MIB, "using": 6 * MIB}
    assert api("Balance").get()["currency"] == "CHF"
    assert [each["value"] for each in api("Discount").list()] == [
        "0.0300000000", "0.1000000000", "0.2500000000", "0.3500000000", "0.4500000000",
    ]  # fmt: skip
    assert len(api("Pricing").list()) == 6
    lines = [line for line in api("Ledger").list() if line["billing_cycle"] is not None]
    assert [line["resource_amount"] for line in lines] == [str(4 * MIB)] * 3
    assert api("BurstUsage").list()[0]["usage"] == 4 * MIB
