"""The manners of the API: generated requests never break it, paths, gzip, statuses, limits, the clock's levers."""

import os

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from sandbox_help import START_S, client_of, ready_drive, running, small_world, taken, with_snapshots
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

from metering.sandbox.server_api import create_api

AUTH = ("ann@example.com", "ann's secret")
EXAMPLES = min(200, int(os.environ.get("METERING_EXAMPLES", "10")))

schema = schemathesis.openapi.from_dict(create_api().openapi())


@pytest.fixture(scope="module")
def fuzzed():
    world = small_world()
    with_snapshots(world, 3)
    with running(world) as sandbox:
        sandbox.sandbox.limit_per_minute = sandbox.sandbox.deletes_per_minute = 10**9
        yield sandbox


@schema.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, phases=(Phase.explicit, Phase.generate), suppress_health_check=list(HealthCheck))
def test_generated_requests_find_no_500_and_no_answer_that_is_not_described(fuzzed, case):
    answer = case.call(base_url=f"{fuzzed.url}", auth=AUTH, headers={"connection": "close"})
    # What is answered is also what the OpenAPI page says: the statuses, the type, the refusals as lists of errors.
    checks = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
    case.validate_response(answer, checks=checks)


@pytest.mark.parametrize(
    "path", ["remotesnapshots", "drives", "drives/detail", "subscriptions", "balance", "remotesnapshots/schema"]
)
def test_a_path_works_with_and_without_its_last_slash(client, path):
    answers = [client.get(f"{path}{slash}") for slash in ("", "/")]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()


def test_gzip_is_given_when_it_is_asked_for(client):
    plain = client.get("locations/", headers={"accept-encoding": "identity"})
    packed = client.get("locations/", headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.json() == plain.json()
    assert packed.num_bytes_downloaded < plain.num_bytes_downloaded


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "kind"),
    [
        ("GET", "nothing/", {}, 404, "notexist"),
        ("PATCH", "remotesnapshots/", {}, 405, "validation"),
        ("GET", "remotesnapshots/", {"headers": {"accept": "text/xml"}}, 406, "validation"),
        ("GET", "remotesnapshots/?limit=-1", {}, 400, "validation"),
        ("GET", "remotesnapshots/?offset=x", {}, 400, "validation"),
        ("GET", "remotesnapshots/", {"auth": ("ann@example.com", "wrong")}, 401, "permission"),
        ("POST", "remotesnapshots/", {"content": "{", "headers": {"content-type": "application/json"}}, 400, "validation"),
        ("POST", "remotesnapshots/", {"json": {"objects": []}}, 400, "validation"),
        ("POST", "drives/", {"json": {"name": "d", "size": 1}}, 400, "validation"),
        ("POST", "drives/", {"json": {"name": "d", "size": "12.0"}}, 400, "validation"),
        ("POST", "drives/", {"json": {"name": "d", "size": 2**30, "media": "tape"}}, 400, "validation"),
        ("PUT", "profile/", {"json": {"clone_naming": "POETIC"}}, 400, "validation"),
        ("GET", "subscriptions/?status=lost", {}, 400, "validation"),
        ("GET", "jobs/none/", {}, 404, "notexist"),
        ("GET", "usage/?poll_time_gt=yesterday", {}, 400, "validation"),
    ],
)
def test_a_refusal_is_a_list_of_errors_with_the_right_status(client, method, path, options, status, kind):
    answer = client.request(method, path, **options)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert {each["error_type"] for each in answer.json()} == {kind}
    assert all(each.keys() == {"error_type", "error_message", "error_point"} for each in answer.json())
    assert ("www-authenticate" in answer.headers) == (status == 401)


def test_a_refusal_points_at_the_field_that_is_to_blame(client):
    def points(path, body):
        return [each["error_point"] for each in client.post(path, json=body).json()]

    assert points("remotesnapshots/", {"location": "ZRH"}) == ["drive"]
    assert points("remotesnapshots/", {"objects": [{"drive": "x"}, {"location": "ZRH"}]}) == ["objects.1.drive"]
    assert points("remotesnapshots/", {"drive": "x", "name": 7}) == ["name"]
    assert points("drives/", {"name": "x", "size": "12.0"}) == ["size"]
    assert points("drives/", {"size": True}) == ["name", "size"]
    assert points("subscriptions/", {"resource": "backup", "amount": "-1", "period": "1 day"})[0] == "amount"


def test_a_location_that_is_none_is_not_found(sandbox):
    answer = httpx.get(f"{sandbox.url}/XXX/api/2.0/locations/", auth=AUTH)
    assert (answer.status_code, answer.json()[0]["error_type"]) == (404, "notexist")


def test_several_are_deleted_at_once_or_none(sandbox, client):
    world = sandbox.world
    gone = [each.uuid for each in with_snapshots(world, 3)]
    body = {"objects": [{"uuid": gone[0]}, {"uuid": "unknown"}]}
    assert client.request("DELETE", "remotesnapshots/", json=body).status_code == 404
    fresh = world.create_snapshots(world.account_by_email(AUTH[0]), "ZRH", [{"drive": ready_drive(world).uuid}])[0]
    body["objects"][1]["uuid"] = fresh.uuid
    assert client.request("DELETE", "remotesnapshots/", json=body).status_code == 403
    assert world.snapshots[gone[0]].status == "available"
    answer = client.request("DELETE", "remotesnapshots/", json={"objects": [{"uuid": uuid} for uuid in gone]})
    assert (answer.status_code, answer.content) == (204, b"")
    sandbox.advance(30)
    assert client.get("remotesnapshots/").json()["meta"]["total_count"] == 1


def test_more_requests_than_the_limit_are_refused_for_a_while(sandbox, client):
    sandbox.sandbox.deletes_per_minute = 2
    statuses = [client.delete("drives/none/").status_code for _ in range(4)]
    assert statuses[:2] == [404, 404]
    assert 429 in statuses[2:]
    assert client.get("drives/").status_code == 200


def test_the_clock_is_read_stepped_and_set_going(sandbox, client):
    clock = f"{sandbox.url}/_clock"
    assert httpx.get(clock).json() == {"now": "2026-10-01T00:00:00Z", "speed": 0}
    assert httpx.post(clock, json={"advance": 90}).json()["now"] == "2026-10-01T00:01:30Z"
    assert httpx.post(clock, json={"to": "2026-10-01T06:00:00Z"}).json()["now"] == "2026-10-01T06:00:00Z"
    assert httpx.post(clock, json={"to": "2026-10-01T05:00:00Z"}).json()["now"] == "2026-10-01T06:00:00Z"
    assert client.get("balance/").headers["date"] == "Thu, 01 Oct 2026 06:00:00 GMT"
    assert httpx.post(clock, json={"to": "tomorrow"}).status_code == 400
    assert httpx.post(clock, json={"advance": -1}).status_code == 400
    httpx.post(clock, json={"speed": 86_400})
    while httpx.get(clock).json()["now"] < "2026-10-01T07:00:00Z":
        pass
    assert sandbox.world.now_s > START_S + 7 * 3_600


def test_a_test_writes_and_shares_over_http_too(sandbox, client):
    drive = ready_drive(sandbox.world)
    snapshot = taken(sandbox.world, drive)
    answer = httpx.post(f"{sandbox.url}/_world/write", json={"drive": drive.uuid, "blocks": [0, 1, 2]})
    assert answer.json() == {"drive": drive.uuid, "blocks": 64, "block_bytes": 2**20}
    assert client.get(f"remotesnapshots/{snapshot.uuid}").json()["allocated_size"] == 3 * 2**20
    ben = sandbox.world.account_by_email("ben@example.com").uuid
    assert httpx.post(f"{sandbox.url}/_world/share", json={"snapshot": snapshot.uuid, "account": ben}).status_code == 200
    with client_of(sandbox, "ben@example.com") as theirs:
        assert [each["uuid"] for each in theirs.get("remotesnapshots/").json()["objects"]] == [snapshot.uuid]
    assert httpx.post(f"{sandbox.url}/_world/write", json={"drive": drive.uuid, "blocks": [64]}).status_code == 400
    assert httpx.post(f"{sandbox.url}/_world/write", json={"drive": "none", "blocks": []}).status_code == 404


def test_what_is_stored_elsewhere_may_be_listed_there_too():
    for is_listed in (False, True):
        world = small_world(list_stored=is_listed)
        taken(world, ready_drive(world), location="GVA")
        with running(world) as sandbox:
            counts = []
            for location in ("ZRH", "GVA", "FRA"):
                with client_of(sandbox, location=location) as asking:
                    counts.append(asking.get("remotesnapshots/").json()["meta"]["total_count"])
        assert counts == [1, int(is_listed), 0]


def test_the_openapi_page_is_kept(sandbox):
    document = httpx.get(f"{sandbox.url}/openapi.json").json()
    assert "/api/2.0/remotesnapshots/{uuid}/action/" in document["paths"]
    assert not [path for path in document["paths"] if path.startswith("/_")]
    assert httpx.get(f"{sandbox.url}/docs").status_code == 200
