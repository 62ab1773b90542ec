"""Each fault switch does what it says, where it says, and nowhere else."""

import gzip
import json
import threading
from email.utils import parsedate_to_datetime
from itertools import accumulate

import httpx
import pytest
from sandbox_help import START_S, client_of, running, small_world, with_snapshots


@pytest.fixture
def sandbox():
    world = small_world()
    with_snapshots(world, 25)
    with running(world) as served:
        yield served


def uuids(answer):
    return [each["uuid"] for each in answer.json()["objects"]]


def test_without_faults_a_list_gives_20_and_all_when_asked(client):
    answer = client.get("remotesnapshots/")
    assert (len(uuids(answer)), answer.json()["meta"]) == (20, {"limit": 20, "offset": 0, "total_count": 25})
    assert len(set(uuids(client.get("remotesnapshots/?limit=0")))) == 25
    rest = client.get("remotesnapshots/?offset=20")
    assert uuids(answer) + uuids(rest) == uuids(client.get("remotesnapshots/?limit=0"))


def test_the_server_caps_the_page_size_whatever_is_asked_for(sandbox, client):
    sandbox.faults.add("page_cap", value=7)
    answer = client.get("remotesnapshots/?limit=0")
    assert (len(uuids(answer)), answer.json()["meta"]["limit"], answer.json()["meta"]["total_count"]) == (7, 7, 25)


def test_the_list_changes_between_two_pages(sandbox, client):
    whole = uuids(client.get("remotesnapshots/?limit=0"))
    sandbox.faults.add("list_changes", value="delete", times=1)
    first, second = client.get("remotesnapshots/"), client.get("remotesnapshots/?offset=20")
    assert uuids(first) + uuids(second) == whole[:20] + whole[21:]
    assert second.json()["meta"]["total_count"] == 24
    sandbox.faults.add("list_changes", value="insert", times=1)
    assert uuids(client.get("remotesnapshots/?offset=20")) == whole[19:]
    assert uuids(client.get("remotesnapshots/?offset=20")) == whole[20:]


def test_the_same_object_is_on_two_pages(sandbox, client):
    whole = uuids(client.get("remotesnapshots/?limit=0"))
    sandbox.faults.add("repeat_object")
    assert uuids(client.get("remotesnapshots/?limit=10")) == whole[:10]
    assert uuids(client.get("remotesnapshots/?limit=10&offset=10")) == whole[9:19]


def test_every_page_is_cut_from_another_order(sandbox, client):
    sandbox.faults.add("shuffle")
    first, second = uuids(client.get("remotesnapshots/?limit=20")), uuids(client.get("remotesnapshots/?limit=20&offset=20"))
    assert len({*first, *second}) < 25


@pytest.mark.parametrize("count", [0, 26])
def test_the_total_count_is_wrong(sandbox, client, count):
    sandbox.faults.add("total_count", value=count)
    answer = client.get("remotesnapshots/?limit=0")
    assert (answer.json()["meta"]["total_count"], len(uuids(answer))) == (count, 25)


def test_snapshots_of_others_are_listed_as_if_they_were_shared(sandbox):
    sandbox.faults.add("foreign", value=3, account="ben@example.com")
    with client_of(sandbox, "ben@example.com") as ben:
        seen = ben.get("remotesnapshots/").json()["objects"]
    assert len(seen) == 3
    assert {each["owner"]["uuid"] for each in seen} == {sandbox.world.account_by_email("ann@example.com").uuid}
    assert all(each["permissions"] for each in seen)


def test_no_drive_is_shown_where_all_are_gone(sandbox, client):
    sandbox.faults.add("drive_null")
    seen = client.get("remotesnapshots/").json()["objects"]
    assert {each["drive"] for each in seen} == {None}
    assert all(each["drive_meta"]["src_uuid"] for each in seen)


def test_one_location_hangs_while_the_others_answer(sandbox, client):
    sandbox.faults.add("hang", location="GVA", path=None)
    with client_of(sandbox, location="GVA") as geneva, pytest.raises(httpx.ReadTimeout):
        geneva.get("remotesnapshots/", timeout=0.3)
    assert client.get("remotesnapshots/").status_code == 200
    assert [hit.location for hit in sandbox.faults.hits] == ["GVA"]


def test_a_hang_ends_in_no_answer_at_all(sandbox, client):
    sandbox.faults.add("hang", value=1, times=1)
    with pytest.raises(httpx.RemoteProtocolError):
        client.get("remotesnapshots/")


def test_what_hangs_is_let_go_when_the_fault_is_switched_off(sandbox, client):
    sandbox.faults.add("hang")
    threading.Timer(0.2, sandbox.faults.clear).start()
    with pytest.raises(httpx.RemoteProtocolError):
        client.get("remotesnapshots/")
    assert client.get("remotesnapshots/").status_code == 200


def test_the_body_ends_inside_gzip_and_the_framing_says_nothing(sandbox, client):
    sandbox.faults.add("cut_gzip")
    with client.stream("GET", "remotesnapshots/") as answer:
        raw = b"".join(answer.iter_raw())
    assert (answer.headers["content-encoding"], int(answer.headers["content-length"])) == ("gzip", len(raw))
    with pytest.raises(EOFError):
        gzip.decompress(raw)


@pytest.mark.parametrize("kind", ["cut", "lost"])
def test_the_connection_breaks(sandbox, client, kind):
    sandbox.faults.add(kind, times=1)
    with pytest.raises(httpx.RemoteProtocolError):
        client.get("remotesnapshots/")
    assert client.get("remotesnapshots/").status_code == 200


def test_a_lost_answer_was_carried_out_all_the_same(sandbox, client):
    sandbox.faults.add("lost", path="/drives/", method="POST", times=1)
    with pytest.raises(httpx.RemoteProtocolError):
        client.post("drives/", json={"name": "lost and found", "size": 2**30})
    assert client.get("drives/", params={"name": "lost and found"}).json()["meta"]["total_count"] == 1


@pytest.mark.parametrize(
    ("kind", "begins"), [("html", "<!DOCTYPE html>"), ("xml", "<?xml"), ("error_object", '[{"error_type"'), ("empty", "")]
)
def test_200_with_something_that_is_no_listing(sandbox, client, kind, begins):
    sandbox.faults.add(kind)
    answer = client.get("remotesnapshots/")
    assert answer.status_code == 200
    assert answer.text.startswith(begins)


def test_json_that_is_nested_too_deep(sandbox, client):
    sandbox.faults.add("deep", value=50_000)
    text = client.get("remotesnapshots/").text
    # How deep a parser goes before it gives up is its own matter; this is as deep as that.
    assert max(accumulate((character in "[{") - (character in "]}") for character in text)) > 50_000


def test_401_begins_in_mid_month_for_one_account(sandbox, client):
    sandbox.faults.add("status", value=401, account="ann@example.com", path=None, from_s=sandbox.world.now_s + 300)
    assert client.get("remotesnapshots/").status_code == 200
    sandbox.advance(300)
    assert client.get("remotesnapshots/").status_code == 401
    with client_of(sandbox, "ben@example.com") as ben:
        assert ben.get("remotesnapshots/").status_code == 200


def test_429_and_503_come_in_bursts_with_retry_after_or_without(sandbox, client):
    sandbox.faults.add("status", value=429, retry_after=7, times=1)
    sandbox.faults.add("status", value=503, times=1)
    answers = [client.get("remotesnapshots/") for _ in range(3)]
    assert [(each.status_code, each.headers.get("retry-after")) for each in answers] == [(429, "7"), (503, None), (200, None)]


def test_a_redirect_to_another_host(sandbox, client):
    sandbox.faults.add("redirect", value="http://elsewhere.example/api/2.0/")
    answer = client.get("remotesnapshots/")
    assert (answer.status_code, answer.headers["location"]) == (302, "http://elsewhere.example/api/2.0/")


def test_a_body_of_gigabytes_flows_until_the_reader_has_enough(sandbox, client):
    sandbox.faults.add("flood")
    read = 0
    with client.stream("GET", "remotesnapshots/", headers={"accept-encoding": "identity"}) as answer:
        assert int(answer.headers["content-length"]) == 5 * 2**30
        for chunk in answer.iter_raw():
            read += len(chunk)
            if read > 8 * 2**20:
                break
    assert client.get("balance/").status_code == 200


def test_a_gzip_bomb_is_small_on_the_wire(sandbox, client):
    sandbox.faults.add("bomb", value=64 * 2**20)
    with client.stream("GET", "remotesnapshots/") as answer:
        raw = b"".join(answer.iter_raw())
    assert len(raw) < 2**20
    assert len(gzip.decompress(raw)) == 64 * 2**20


@pytest.mark.parametrize("raw", ["NaN", "1e400", "true", '"12.0"', "-1"])
def test_a_size_that_is_none(sandbox, client, raw):
    sandbox.faults.add("bad_size", value=raw)
    text = client.get("remotesnapshots/").text
    assert text.count(f'"allocated_size": {raw}') == 1


def test_a_key_stands_twice_in_the_json(sandbox, client):
    sandbox.faults.add("duplicate_keys")
    pairs = []
    json.loads(client.get("remotesnapshots/").text, object_pairs_hook=lambda found: pairs.append([name for name, _ in found]))
    (twice,) = [names for names in pairs if len(names) != len(set(names))]
    assert twice.count("allocated_size") == 2


def test_the_json_ends_half_way(sandbox, client):
    sandbox.faults.add("cut_json")
    with pytest.raises(json.JSONDecodeError):
        client.get("remotesnapshots/").json()


def test_the_date_header_is_the_virtual_clock_unless_it_is_off(sandbox, client):
    sandbox.faults.add("skew", value=-600, times=1, path=None)
    now_s = sandbox.world.now_s
    dates = [parsedate_to_datetime(client.get("balance/").headers["date"]).timestamp() for _ in range(2)]
    assert dates == [now_s - 600, now_s]
    assert now_s > START_S


def test_lots_are_drawn_by_the_seed():
    def drawn(seed):
        world = small_world()
        with running(world) as other:
            other.faults.seed = seed
            other.faults.add("status", percent=50)
            with client_of(other) as asking:
                statuses = []
                for _ in range(24):
                    other.advance(300)
                    statuses.append(asking.get("remotesnapshots/").status_code)
                return statuses

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
    assert {*drawn(1)} == {200, 503}


def test_faults_are_switched_over_http_too(sandbox, client):
    control = sandbox.url
    listed = httpx.get(f"{control}/_faults").json()
    assert listed["faults"] == []
    assert {"hang", "page_cap"} <= listed["kinds"].keys()
    fault = {"kind": "status", "value": 503, "times": 1, "from_time": "2026-10-01T00:00:00Z"}
    answer = httpx.post(f"{control}/_faults", json=[fault])
    assert (answer.status_code, answer.json()["faults"][0]["value"]) == (201, 503)
    assert [client.get("remotesnapshots/").status_code for _ in range(2)] == [503, 200]
    assert [hit["kind"] for hit in httpx.get(f"{control}/_faults").json()["hits"]] == ["status"]
    assert httpx.post(f"{control}/_faults", json={"kind": "earthquake"}).status_code == 400
    httpx.delete(f"{control}/_faults")
    assert httpx.get(f"{control}/_faults").json()["faults"] == []


@pytest.mark.parametrize(
    "wish",
    [
        {"kind": "page_cap", "value": "many"},
        {"kind": "hang", "value": 1.5},
        {"kind": "skew", "value": 10**30},
        {"kind": "status", "value": 999},
        {"kind": "status", "value": True},
        {"kind": "status", "retry_after": "1\r\nX: y"},
        {"kind": "redirect", "value": "http://127.0.0.2/\r\nX: y"},
    ],
)
def test_a_fault_that_could_not_be_played_is_refused(sandbox, client, wish):
    answer = httpx.post(f"{sandbox.url}/_faults/", json=[{"kind": "html"}, wish])
    assert (answer.status_code, answer.json()[0]["error_type"]) == (400, "validation")
    assert sandbox.faults.switches == []
    assert client.get("remotesnapshots/").status_code == 200


@pytest.mark.parametrize("step", [{"advance": 10**12}, {"to": "9999-01-01T00:00:00Z"}, {"speed": 10**23}])
def test_a_clock_that_would_run_for_ever_is_refused(sandbox, client, step):
    assert httpx.post(f"{sandbox.url}/_clock/", json=step).status_code == 400
    assert client.get("remotesnapshots/").status_code == 200
