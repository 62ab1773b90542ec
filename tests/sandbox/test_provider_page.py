"""PROVIDER.md sentence by sentence: what the page says of a call is what the call does, as plain HTTP."""

import re
from fractions import Fraction

import pytest
from sandbox_help import MIB, START_S, account_of, client_of, ready_drive, running, small_world, taken, with_snapshots

from metering.sandbox.server_call import Sandbox
from metering.sandbox.world_money import Order

DAY_S = 86_400
MANY = 22
LISTS = (
    "remotesnapshots", "remotesnapshots/detail", "drives", "drives/detail", "jobs", "subscriptions", "groupedsubscriptions",
    "pricing", "discount", "usage", "burstusage", "dailyburstusage", "ledger", "locations",
)  # fmt: skip
RESOURCES = (*(name for name in LISTS if "/" not in name), "subscriptioncalculator", "balance", "currentusage", "profile")
# All samples of all days would be many.
MORE = {"usage": {"poll_time_gt": "2026-10-22T20:00:00Z"}}
SNAPSHOT_FIELDS = {
    "uuid", "name", "status", "timestamp", "last_state_change", "location", "allocated_size", "drive", "drive_meta", "owner",
    "grantees", "permissions", "meta", "tags", "resource_uri",
}  # fmt: skip
SUBSCRIPTION_FIELDS = {
    "id", "uuid", "resource", "amount", "start_time", "end_time", "period", "price", "discount_percent", "discount_amount",
    "discounts", "free_tier", "remaining", "status", "auto_renew", "descendants", "subscribed_object", "was_billed", "resource_uri",
}  # fmt: skip
LEDGER_FIELDS = {
    "id", "time", "poll_time", "billing_cycle", "amount", "initial", "end", "interval", "human_interval", "resource_amount",
    "reason",
}  # fmt: skip


@pytest.fixture(scope="module")
def full():
    """Give a client of a world of three days with more than a page of nearly everything; nothing in it is changed."""
    world = small_world()
    ann = account_of(world, "ann@example.com")
    for level in range(3, MANY):
        world.money.set_price("0.3", "CHF", level, START_S)
    world.money.buy(ann, "ZRH", [Order(7, period="1 month")] * MANY, world.now_s)
    snapshots = with_snapshots(world, MANY)
    for snapshot in snapshots:
        world.clone_snapshot(ann, snapshot)
    world.advance_to(START_S + MANY * DAY_S)
    with running(world) as sandbox, client_of(sandbox) as client:
        yield client


def refusals(answer):
    assert all(each.keys() == {"error_type", "error_message", "error_point"} for each in answer.json())
    return answer.status_code, {each["error_type"] for each in answer.json()}


# General


@pytest.mark.parametrize("name", LISTS)
def test_a_list_gives_20_unless_told_and_all_for_a_limit_of_0(full, name):
    def page(**params):
        document = full.get(f"{name}/", params=params | MORE.get(name, {})).json()
        return document["meta"], document["objects"]

    meta, objects = page(limit=0)
    count = len(objects)
    assert meta == {"limit": 0, "offset": 0, "total_count": count}
    assert page() == ({"limit": 20, "offset": 0, "total_count": count}, objects[:20])
    assert page(limit=2, offset=1) == ({"limit": 2, "offset": 1, "total_count": count}, objects[1:3])
    assert count > 20 or name in ("discount", "burstusage", "locations")


@pytest.mark.parametrize("name", LISTS)
def test_fields_picks_fields_of_any_list(full, name):
    objects = full.get(f"{name}/").json()["objects"]
    first, second = list(objects[0])[:2]
    picked = full.get(f"{name}/", params={"fields": f"{first},{second},nothing"}).json()["objects"]
    assert picked == [{first: each[first], second: each[second]} for each in objects]
    if name in ("remotesnapshots", "drives", "jobs"):
        assert full.get(f"{name}/{objects[0]['uuid']}/?fields=uuid").json() == {"uuid": objects[0]["uuid"]}


@pytest.mark.parametrize("name", RESOURCES)
def test_every_resource_describes_itself_as_it_is(full, name):
    schema = full.get(f"{name}/schema/").json()
    assert all(each.keys() >= {"type", "readonly", "required", "help_text"} for each in schema["fields"].values())
    for method in ("get", "post", "put", "delete"):
        if method not in schema["allowed_list_http_methods"]:
            assert refusals(full.request(method, f"{name}/")) == (405, {"validation"}), method
    if "get" in schema["allowed_list_http_methods"]:
        document = full.get(f"{name}/").json()
        shown = document["objects"][0] if "objects" in document else document
        assert schema["fields"].keys() <= shown.keys()


@pytest.mark.parametrize("slash", ["", "/"])
def test_every_call_works_with_and_without_its_last_slash(client, sandbox, slash):
    drive = client.post(f"drives{slash}", json={"name": "d", "size": 64 * MIB}).json()["objects"][0]["uuid"]
    sandbox.advance(5)
    uuid = client.post(f"remotesnapshots{slash}", json={"drive": drive}).json()["objects"][0]["uuid"]
    sandbox.advance(120)
    wish = {"resource": "backup", "amount": "5", "period": "1 day"}
    bought = client.post(f"subscriptions{slash}", json=wish).json()["objects"][0]
    answers = [
        client.get(f"remotesnapshots/{uuid}{slash}"),
        client.get(f"remotesnapshots/detail{slash}?limit=0"),
        client.put(f"remotesnapshots/{uuid}{slash}", json={"name": "n"}),
        client.post(f"remotesnapshots/{uuid}/action{slash}?do=clone"),
        client.post(f"subscriptions/{bought['id']}/action{slash}?do=extend"),
        client.delete(f"remotesnapshots/{uuid}{slash}"),
        client.delete(f"drives/{drive}{slash}"),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 202, 200, 204, 204]


def test_a_listing_is_packed_only_for_who_asks_for_it(full):
    plain = full.get("remotesnapshots/", headers={"accept-encoding": "identity"})
    packed = full.get("remotesnapshots/", headers={"accept-encoding": "gzip"})
    assert ("content-encoding" in plain.headers, packed.headers["content-encoding"]) == (False, "gzip")
    assert plain.json() == packed.json()


@pytest.mark.parametrize(
    ("status", "kind"), [(400, "validation"), (401, "permission"), (402, "payment"), (403, "permission"), (404, "notexist"),
                         (429, "permission"), (500, "backend"), (503, "concurrency")],
)  # fmt: skip
def test_what_the_provider_may_answer_it_answers_when_told_to(sandbox, client, status, kind):
    sandbox.faults.add("status", value=status, path="/balance/")
    assert refusals(client.get("balance/")) == (status, {kind})


def test_10_000_requests_a_minute_are_answered_and_1_000_that_delete(sandbox, client):
    fresh = Sandbox(sandbox.world)
    assert (fresh.limit_per_minute, fresh.deletes_per_minute) == (10_000, 1_000)
    sandbox.sandbox.limit_per_minute = 3
    statuses = [client.get("balance/").status_code for _ in range(8)]
    assert statuses[:3] == [200] * 3
    assert 429 in statuses
    with client_of(sandbox, "ben@example.com") as ben:
        assert ben.get("balance/").status_code == 200


# /remotesnapshots/


def test_a_snapshot_says_all_that_the_page_names(full):
    for path in ("remotesnapshots/", "remotesnapshots/detail/"):
        for found in full.get(f"{path}?limit=0").json()["objects"]:
            assert found.keys() == SNAPSHOT_FIELDS
            assert found["drive"].keys() == found["owner"].keys() == {"uuid", "resource_uri"}
            assert found["drive_meta"].keys() == {"name", "media", "size", "storage_type", "src_uuid"}
            assert type(found["allocated_size"]) is int
            for name in ("timestamp", "last_state_change"):
                assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}\+00:00", found[name])
            assert full.get(found["resource_uri"].split("/api/2.0/")[1]).json() == found


def test_both_lists_filter_and_what_is_filtered_by_two_must_match_both(sandbox, client):
    world = sandbox.world
    first, second = (taken(world, ready_drive(world), name=name) for name in ("Daily, one", "daily two"))

    def names(**filters):
        found = [client.get(path, params=filters).json()["objects"] for path in ("remotesnapshots/", "remotesnapshots/detail/")]
        assert found[0] == found[1]
        return [each["name"][-3:] for each in found[0]]

    assert names(name__contains="DAILY") == ["one", "two"]
    assert names(name__contains=r"y\, o") == names(name=r"Daily\, one") == ["one"]
    assert names(name=r"Daily\, one,daily two") == ["one", "two"]
    assert names(uuid=f"{first.uuid},{second.uuid}", drive=second.drive.uuid) == ["two"]
    assert names(name__contains="one", drive=second.drive.uuid) == []
    drives = client.get("drives/", params={"name__contains": "DIS,none"}).json()["objects"]
    assert len(drives) == 2


def test_a_drive_that_is_deleted_leaves_its_snapshots_which_it_still_filters(sandbox, client):
    drive = ready_drive(sandbox.world)
    snapshot = taken(sandbox.world, drive)
    listed = [each["uuid"] for each in client.get(f"drives/{drive.uuid}/").json()["remote_snapshots"]]
    assert client.delete(f"drives/{drive.uuid}/").status_code == 204
    sandbox.advance(30)
    assert refusals(client.get(f"drives/{drive.uuid}/")) == (404, {"notexist"})
    (found,) = client.get("remotesnapshots/", params={"drive": drive.uuid}).json()["objects"]
    assert [found["uuid"]] == listed == [snapshot.uuid]
    assert (found["drive"], found["drive_meta"]["src_uuid"]) == (None, drive.uuid)


def test_what_is_created_is_answered_as_objects_whether_it_is_one_or_several(sandbox, client):
    drives = [ready_drive(sandbox.world).uuid for _ in range(3)]
    one = client.post("remotesnapshots/", json={"drive": drives[0], "location": "GVA", "name": "n", "meta": {"a": "b"}})
    several = client.post("remotesnapshots/", json={"objects": [{"drive": {"uuid": drive}} for drive in drives[1:]]})
    assert (one.status_code, several.status_code) == (201, 201)
    made = [*one.json()["objects"], *several.json()["objects"]]
    assert [(each["status"], each["allocated_size"], each["location"]) for each in made] == [
        ("creating", 0, "GVA"), ("creating", 0, "ZRH"), ("creating", 0, "ZRH"),
    ]  # fmt: skip
    assert (made[0]["name"], made[0]["meta"]) == ("n", {"a": "b"})


@pytest.mark.parametrize(
    ("wish", "status", "kind", "point"),
    [
        ({"drive": "00000000-0000-4000-8000-000000000000"}, 404, "notexist", None),
        ({"location": "XXX"}, 400, "validation", "location"),
        ({"meta": {"k" * 33: "v"}}, 400, "validation", "meta"),
        ({"meta": {"k": 1}}, 400, "validation", "meta"),
        ({"meta": ["k"]}, 400, "validation", "meta"),
        ({"name": "n" * 256}, 400, "validation", "name"),
    ],
)
def test_a_snapshot_that_cannot_be_is_refused_with_what_is_to_blame(sandbox, client, wish, status, kind, point):
    answer = client.post("remotesnapshots/", json={"drive": ready_drive(sandbox.world).uuid} | wish)
    assert refusals(answer) == (status, {kind})
    assert {each["error_point"] for each in answer.json()} == {point}
    assert client.get("remotesnapshots/").json()["objects"] == []


def test_a_drive_waits_30_minutes_also_when_its_snapshot_is_gone(sandbox, client):
    drive = ready_drive(sandbox.world)
    snapshot = taken(sandbox.world, drive)
    client.delete(f"remotesnapshots/{snapshot.uuid}/")
    sandbox.advance(30)
    assert client.get("remotesnapshots/").json()["objects"] == []
    assert refusals(client.post("remotesnapshots/", json={"drive": drive.uuid})) == (403, {"permission"})
    sandbox.advance(1_800)
    assert client.post("remotesnapshots/", json={"drive": drive.uuid}).status_code == 201


def test_a_clone_needs_no_body_and_takes_name_media_and_affinities(sandbox, client):
    snapshot = taken(sandbox.world, ready_drive(sandbox.world), name="x")
    action = f"remotesnapshots/{snapshot.uuid}/action/"
    bare = client.post(action, params={"do": "clone", "avoid": snapshot.drive.uuid})
    assert (bare.status_code, bare.json()["status"], bare.json()["name"]) == (202, "cloning_dst", "x")
    job = client.get(f"jobs/{bare.json()['jobs'][0]['uuid']}/").json()
    assert (job["state"], job["resources"]) == ("started", [bare.json()["resource_uri"]])
    wish = {"name": "y", "media": "cdrom", "affinities": ["ssd"]}
    made = client.post(action, params={"do": "clone"}, json=wish).json()
    assert {name: made[name] for name in wish} == wish
    assert refusals(client.post(action, params={"do": "fly"})) == (400, {"validation"})
    assert refusals(client.post(action)) == (400, {"validation"})
    sandbox.advance(60)
    assert client.get(f"drives/{made['uuid']}/").json()["status"] == "unmounted"


def test_an_overwritten_block_is_kept_once_and_an_older_snapshot_takes_it_over(sandbox, client):
    drive = ready_drive(sandbox.world)
    older = taken(sandbox.world, drive)
    sandbox.world.write(drive, range(4))
    sandbox.advance(1_800)
    newer = taken(sandbox.world, drive)
    sandbox.world.write(drive, [2, 3, 4, 5])

    def sizes():
        return {each["uuid"]: each["allocated_size"] // MIB for each in client.get("remotesnapshots/").json()["objects"]}

    # Blocks 2 and 3 changed after the older one too, and are kept there; 4 and 5 are kept once, by the newer one.
    assert sizes() == {older.uuid: 4, newer.uuid: 4}
    client.delete(f"remotesnapshots/{newer.uuid}/")
    assert sizes() == {older.uuid: 4, newer.uuid: 4}
    sandbox.advance(30)
    # 4 and 5 pass to the older one; of 2 and 3 it has what it needs.
    assert sizes() == {older.uuid: 6}


# Money


def test_subscriptions_say_all_that_the_page_names_and_are_picked_by_status_and_resource(sandbox, client):
    world = sandbox.world
    world.money.set_price("0.1", "CHF", 0, START_S, resource="dssd")
    for wish in (
        {"resource": "backup", "period": "1 day"},
        {"resource": "dssd", "period": "1 month"},
        {"resource": "backup", "start_time": "2026-12-01T12:00:00Z", "period": "1 month"},
    ):
        assert client.post("subscriptions/", json=wish | {"amount": "5"}).status_code == 201
    sandbox.advance(3 * DAY_S)

    def picked(**filters):
        objects = client.get("subscriptions/", params=filters).json()["objects"]
        assert all(each.keys() == SUBSCRIPTION_FIELDS for each in objects)
        return [(each["status"], each["resource"]) for each in objects]

    expired, active, inactive = ("expired", "backup"), ("active", "dssd"), ("inactive", "backup")
    assert picked() == picked(status="all") == picked(resource="dssd,backup") == [expired, active, inactive]
    assert (picked(status="active"), picked(status="inactive"), picked(status="expired")) == ([active], [inactive], [expired])
    assert picked(status="notexpired") == [active, inactive]
    assert picked(status="notexpired", resource="backup") == [inactive]
    (bought,) = client.get("subscriptions/?status=active").json()["objects"]
    assert (bought["amount"], bought["remaining"], bought["descendants"], bought["was_billed"]) == ("5", "5", [], True)


def test_a_quote_costs_what_the_purchase_costs_and_buys_nothing(client):
    wish = {"resource": "backup", "amount": str(2**40), "period": "1 year"}
    quoted = client.post("subscriptioncalculator/", json={"objects": [wish, wish]}).json()
    assert client.get("subscriptions/").json()["objects"] == []
    assert client.get("balance/").json()["balance"] == "100000.00000000000000000000"
    (first, second), bought = quoted["objects"], client.post("subscriptions/", json=wish).json()["objects"][0]
    assert first["price"] == second["price"] == bought["price"]
    assert Fraction(quoted["price"]) == 2 * Fraction(bought["price"])
    assert (first["discount_percent"], first["was_billed"]) == ("25", False)
    assert Fraction(client.get("balance/").json()["balance"]) == 100_000 - round(Fraction(bought["price"]), 20)
    assert refusals(client.post("subscriptioncalculator/", json={"objects": [wish] * 501})) == (400, {"validation"})


def test_an_extension_without_funds_is_refused_too(sandbox, client):
    world = sandbox.world
    ann = account_of(world, "ann@example.com")
    # 512 TiB cost 55 051 a month: the 100 000 that are there pay for one.
    (bought,) = world.money.buy(ann, "ZRH", [Order(2**49, period="1 month")], world.now_s)
    answer = client.post(f"subscriptions/{bought.id}/action/?do=extend", json={"period": "1 month"})
    assert refusals(answer) == (402, {"payment"})
    assert client.get("groupedsubscriptions/").json()["objects"][0]["descendants"] == []


def test_discounts_are_lengths_and_shares(client):
    assert client.get("discount/").json()["objects"] == [
        {"period": "3 months", "value": "0.0300000000"}, {"period": "6 months", "value": "0.1000000000"},
        {"period": "1 year", "value": "0.2500000000"}, {"period": "2 years", "value": "0.3500000000"},
        {"period": "3 years", "value": "0.4500000000"},
    ]  # fmt: skip


def test_prices_and_levels_of_now_and_of_the_next_five_minutes(sandbox, client):
    sandbox.world.money.set_level("ZRH", 2, START_S + 300)
    document = client.get("pricing/?limit=0").json()
    assert document.keys() == {"current", "next", "objects", "meta"}
    assert (document["current"], document["next"]) == ({"backup": 1}, {"backup": 2})
    assert {each["level"] for each in document["objects"]} == {0, 1, 2}
    sandbox.advance(299)
    assert client.get("pricing/").json()["current"] == {"backup": 1}
    sandbox.advance(1)
    assert client.get("pricing/").json()["current"] == {"backup": 2}


def test_current_usage_is_beside_the_balance(sandbox, client):
    world = sandbox.world
    drive = ready_drive(world)
    taken(world, drive)
    world.write(drive, range(6))
    world.money.buy(account_of(world, "ann@example.com"), "ZRH", [Order(2 * MIB, period="1 month")], world.now_s)
    balance = client.get("balance/").json()
    assert balance.keys() == {"balance", "currency", "credit_limit"}
    assert client.get("currentusage/").json() == {
        "balance": balance, "usage": {"backup": {"burst": 4 * MIB, "subscribed": 2 * MIB, "using": 6 * MIB}},
    }  # fmt: skip


def test_the_ledger_says_all_that_the_page_names(full):
    lines = full.get("ledger/?limit=3").json()["objects"]
    for line in lines:
        assert line.keys() == LEDGER_FIELDS
        assert all(re.fullmatch(r"-?\d+\.\d{20}", line[name]) for name in ("amount", "initial", "end"))
        assert (type(line["interval"]), line["interval"], line["human_interval"]) == (int, 300, "5 minutes")
        minute = line["poll_time"][:16].replace("T", " ")
        assert line["reason"] == f"Burst: 0.25 GB of backup for 5 minutes at {minute}"
        assert Fraction(line["amount"]) > 0
    assert len({line["billing_cycle"] for line in lines}) == 3
    times = f"{lines[0]['billing_cycle']},{lines[2]['billing_cycle']}"
    assert full.get("ledger/", params={"billing_cycle": times}).json()["objects"] == [lines[0], lines[2]]


def test_burst_is_given_as_a_sum_and_by_the_day(full):
    bounds = {"date__gte": "2026-10-05", "date__lt": "2026-10-08"}
    (whole,), days = (full.get(path, params=bounds).json()["objects"] for path in ("burstusage/", "dailyburstusage/"))
    assert whole.keys() == {"uuid", "amount", "resource_type", "usage"}
    assert [(day.keys(), day["date"]) for day in days] == [
        ({"date", "amount", "resource_type", "usage"}, f"2026-10-0{number}") for number in (5, 6, 7)
    ]
    assert Fraction(whole["amount"]) == sum(Fraction(day["amount"]) for day in days)
    assert {type(each["usage"]) for each in (whole, *days)} == {int}


def test_two_adjoining_windows_of_usage_lose_the_row_on_their_boundary(full):
    def rows(after, before):
        params = {"poll_time_gt": after, "poll_time_lt": before, "limit": 0}
        return {(row["uuid"], row["poll_time"]) for row in full.get("usage/", params=params).json()["objects"]}

    whole = rows("2026-10-05T00:00:00Z", "2026-10-05T01:00:00Z")
    parts = rows("2026-10-05T00:00:00Z", "2026-10-05T00:30:00Z") | rows("2026-10-05T00:30:00Z", "2026-10-05T01:00:00Z")
    assert {when for _, when in whole - parts} == {"2026-10-05T00:30:00+00:00"}
    assert len(whole) == 11 * MANY


def test_the_profile_tells_who_asks_and_takes_how_clones_are_named(client, sandbox):
    profile = client.get("profile/").json()
    assert (profile["uuid"], profile["email"]) == (account_of(sandbox.world, "ann@example.com").uuid, "ann@example.com")
    assert profile["clone_naming"] == "NONE"
    changed = client.put("profile/", json={"clone_naming": "TIMESTAMP", "email": "x"}).json()
    assert changed == client.get("profile/").json() == profile | {"clone_naming": "TIMESTAMP"}
