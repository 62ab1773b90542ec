"""What goes wrong out there (PROVIDER.md): a listing is taken whole, or the time is missing with its cause; nobody else suffers."""

import base64
import gzip
import json
import logging

import pytest
from collect_help import Rig, causes
from sandbox_help import account_of, ready_drive, running, small_world, taken, with_snapshots

from metering.ingest.captures import checked_snapshots
from metering.ingest.failure import RequestFailure
from metering.sandbox.server_views import price_view
from metering.sandbox.world_money import Order

PLACES = ("ZRH", "GVA", "FRA")
COUNT = 25


@pytest.fixture
def sandbox():
    world = small_world(locations=PLACES)
    with_snapshots(world, COUNT)
    for email in ("ann@example.com", "ben@example.com"):
        taken(world, ready_drive(world, email, "GVA"))
    with running(world) as served:
        yield served


@pytest.fixture
def rig(tmp_path, sandbox):
    return Rig(tmp_path, sandbox)


def levels(rig):
    """Give the samples and bytes of each poll, by endpoint and account's name."""
    names = {account.uuid: account.name for account in rig.world.accounts.values()}
    rows = rig.rows(
        "select c.endpoint, c.account, count(s.series_key), coalesce(sum(s.allocated_size), 0) from polls as p "
        "join collections as c on p.collection_key = c.collection_key left join samples as s on p.poll_key = s.poll_key "
        "group by all order by all"
    )
    return {(endpoint, names[account]): (count, int(size)) for endpoint, account, count, size in rows}


def true_levels(rig):
    found = {}
    for account in rig.world.accounts.values():
        for place in PLACES:
            own = [snapshot for snapshot in rig.world.listing(account, place) if snapshot.owner == account.uuid]
            found[place, account.name] = (len(own), sum(snapshot.size for snapshot in own))
    return found


def notes(rig):
    return set(rig.rows("select endpoint, outcome, cause from poll_notes"))


def test_without_faults_every_account_is_polled_everywhere_and_nothing_is_lost(rig):
    report = rig.collect()
    assert (report.polls, report.samples, report.failures, report.flags) == (6, COUNT + 2, [], [])
    assert levels(rig) == true_levels(rig)
    assert report.received_bytes > 0
    assert report.waiting_files == 0


@pytest.mark.parametrize("cap", [1, 2, 7, 24, 25])
def test_a_server_that_caps_its_pages_is_paged_to_the_end(rig, cap):
    rig.sandbox.faults.add("page_cap", value=cap)
    assert rig.collect().failures == []
    assert levels(rig) == true_levels(rig)


@pytest.mark.parametrize("change", ["delete", "insert"])
def test_a_list_that_changes_under_way_is_read_again(rig, change):
    rig.sandbox.faults.add("page_cap", value=10)
    rig.sandbox.faults.add("list_changes", value=change, times=1)
    assert rig.collect().failures == []
    assert levels(rig) == true_levels(rig)


@pytest.mark.parametrize("kind", ["list_changes", "repeat_object"])
def test_a_list_that_never_comes_to_rest_is_no_poll(rig, kind):
    rig.sandbox.faults.add("page_cap", value=10)
    rig.sandbox.faults.add(kind)
    assert causes(rig.collect()) == {("ZRH", "incomplete")}
    assert ("ZRH", "Ann AG") not in levels(rig)
    assert len(levels(rig)) == 5
    assert notes(rig) == {("ZRH", "failed", "incomplete")}


def test_an_order_that_is_never_the_same_twice_gives_each_snapshot_once_or_none(rig):
    rig.sandbox.faults.add("shuffle")
    assert rig.collect().failures == []
    assert levels(rig) == true_levels(rig)
    rig.sandbox.faults.add("page_cap", value=10)
    rig.sandbox.advance(300)
    assert causes(rig.collect()) == {("ZRH", "incomplete")}


def test_a_snapshot_that_is_listed_twice_alike_counts_once_and_is_a_finding(rig):
    rig.sandbox.faults.add("twice")
    report = rig.collect()
    assert {(flag.endpoint, flag.cause) for flag in report.flags} == {("ZRH", "listed_twice"), ("GVA", "listed_twice")}
    assert report.samples == len(rig.rows("select * from samples"))
    assert levels(rig) == true_levels(rig)
    with rig.meter() as meter:
        findings = [each for each in meter.bill("2026-10").document()["findings"] if each["check"] == "odd_listings"]
    assert findings
    assert all("named objects twice, alike; each was counted once" in each["message"] for each in findings)


def test_a_total_count_of_0_beside_a_full_list_is_flagged_and_the_list_is_kept(rig):
    rig.sandbox.faults.add("total_count", value=0)
    report = rig.collect()
    assert {(flag.endpoint, flag.cause) for flag in report.flags} == {("ZRH", "total_count"), ("GVA", "total_count")}
    assert levels(rig) == true_levels(rig)
    assert notes(rig) == {("ZRH", "flagged", "total_count"), ("GVA", "flagged", "total_count")}


def test_a_total_count_of_0_beside_a_full_page_does_not_hide_the_other_pages(rig):
    rig.sandbox.faults.add("total_count", value=0)
    rig.sandbox.faults.add("page_cap", value=5)
    assert rig.collect().failures == []
    assert levels(rig) == true_levels(rig)


def test_a_total_count_that_is_never_reached_is_no_poll(rig):
    rig.sandbox.faults.add("total_count", value=COUNT + 1, location="ZRH")
    assert causes(rig.collect()) == {("ZRH", "incomplete")}
    assert [key for key in levels(rig) if key[0] == "ZRH"] == []


NO_LISTINGS = {
    "malformed": [
        ("html", None), ("xml", None), ("error_object", None), ("empty", None), ("cut_json", None), ("cut_gzip", None),
        ("cut", None), ("lost", None), ("duplicate_keys", None), ("deep", None), ("deep", 40),
        ("bad_size", "NaN"), ("bad_size", "1e400"), ("bad_size", "true"), ("bad_size", '"12.0"'), ("bad_size", "-1"),
        ("bad_size", "9223372036854775808"),
    ],
    "too_large": [("bomb", 200_000_000), ("flood", 200_000_000)],
    "timeout": [("hang", 30)],
    "credential": [("status", 401), ("status", 403)],
    "refused": [*[("status", status) for status in (402, 404, 429, 500, 503)], ("redirect", "http://127.0.0.1:1/elsewhere")],
}  # fmt: skip


@pytest.mark.parametrize("cause", NO_LISTINGS)
def test_what_is_no_listing_is_no_poll_and_its_cause_is_told(tmp_path, sandbox, cause):
    rig = Rig(tmp_path, sandbox, timeout=2 if cause == "timeout" else 20, more="[limits]\nresponse_bytes = 1000000")
    for number, (kind, value) in enumerate(NO_LISTINGS[cause], start=1):
        sandbox.faults.clear()
        sandbox.faults.add(kind, location="GVA", value=value)
        assert causes(rig.collect()) == {("GVA", cause)}, (kind, value)
        polls = rig.polls()
        assert {endpoint for endpoint, _ in polls} == {"ZRH", "FRA"}, (kind, value)
        assert {len(times) for times in polls.values()} == {number}, (kind, value)
        sandbox.advance(300)
    assert notes(rig) == {("GVA", "failed", cause)}
    assert rig.rows("select count(*) from rejections") == [(0,)]


ODD_ROWS = [
    ("subscriptions", "subscription_view", None), ("subscriptions", "subscription_view", 5),
    ("subscriptions", "subscription_view", {"id": 7, "resource": "backup", "descendants": 5}),
    ("pricing", "price_view", None), ("pricing", "price_view", [5]), ("locations", "location_view", "ZRH"),
]  # fmt: skip


@pytest.mark.parametrize(("resource", "view", "row"), ODD_ROWS)
def test_a_list_of_what_is_none_of_its_rows_fails_and_takes_no_other_answer_with_it(rig, monkeypatch, resource, view, row):
    """Answers of all accounts and endpoints share a file of the spool: what cannot be read of one must not stop the others."""
    account = account_of(rig.world, "ann@example.com")
    rig.world.money.buy(account, "ZRH", [Order(2**30, "backup", period="1 month")], rig.world.now_s)
    monkeypatch.setattr(f"metering.sandbox.server_money.{view}", lambda *_: row)
    report = rig.collect()
    assert {(failure.resource, failure.cause) for failure in report.failures} == {(resource, "malformed")}
    assert (report.polls, report.not_taken, report.waiting_files) == (6, 0, 0)
    assert list((rig.folder / "spool" / "bad").iterdir()) == []
    tables = {"subscriptions": "subscriptions", "pricing": "prices", "locations": "places"}
    taken_in = {name for name, table in tables.items() if rig.rows(f"select count(*) from {table}") != [(0,)]}
    assert taken_in == set(tables) - {resource}
    assert {(name, outcome) for name, outcome in rig.rows("select resource, outcome from poll_notes")} == {(resource, "failed")}


def test_a_row_of_a_list_that_is_wrong_in_every_cycle_is_told_once_for_each_change(rig, monkeypatch):
    """A cron job would mail it every five minutes. Bills tell it as long as it is so."""
    told = []
    for unit in ("GB/year", "GB/year", "GB/lap", "GB/lap", None, "GB/lap"):
        with monkeypatch.context() as patch:
            if unit:
                patch.setattr("metering.sandbox.server_money.price_view", lambda row, unit=unit: price_view(row) | {"unit": unit})
            rig.told.clear()
            report = rig.collect()
        assert (report.polls, report.failures, report.not_taken) == (6, [], len(rig.told)), unit
        told.append({text.partition("'")[2].partition("'")[0] for text in rig.told if text.startswith("rejected: ")})
        assert is_told_by_bills(rig) == bool(unit)
        rig.sandbox.advance(300)
    assert told == [{"GB/year"}, set(), {"GB/lap"}, set(), set(), {"GB/lap"}]


def test_that_a_list_cannot_be_read_mends_no_row_that_is_wrong_in_it_and_an_empty_one_does(rig, monkeypatch):
    monkeypatch.setattr("metering.sandbox.server_money.price_view", lambda row: price_view(row) | {"unit": "GB/year"})
    assert rig.collect().not_taken > 0
    rig.sandbox.faults.add("status", value=403, path="/pricing")
    rig.sandbox.advance(300)
    assert {failure.resource for failure in rig.collect().failures} == {"pricing"}
    assert is_told_by_bills(rig)
    rig.sandbox.faults.clear()
    rig.sandbox.advance(300)
    rig.told.clear()
    assert (rig.collect().not_taken, rig.told) == (0, [])
    assert is_told_by_bills(rig)
    rig.world.money.prices.clear()
    rig.sandbox.advance(300)
    assert (rig.collect().not_taken, rig.told) == (0, [])
    assert not is_told_by_bills(rig)


def is_told_by_bills(rig):
    with rig.meter() as meter:
        return "rejected_rows" in {finding.check for finding in meter.bill("2026-10-01").findings}


@pytest.mark.parametrize("uuid", ["s\u202e1", "s\x7f", "\u200b", "s" * 129])
@pytest.mark.parametrize("where", [("uuid",), ("location",), ("drive", "uuid")], ids=".".join)
def test_an_identifier_that_no_ingest_would_take_is_refused_where_it_can_be_asked_for_again(uuid, where):
    snapshot = {"uuid": "s1", "location": "ZRH", "allocated_size": 5, "drive": {"uuid": "d1"}, "owner": {"uuid": "a1"}}
    assert checked_snapshots([snapshot], "a1") == (1, 0)
    odd = snapshot | ({where[0]: uuid} if len(where) == 1 else {"drive": {"uuid": uuid}})
    with pytest.raises(RequestFailure, match=r"malformed: a snapshot's .* is no identifier"):
        checked_snapshots([odd], "a1")
    assert checked_snapshots([odd], "a2") == (0, 1), "of another account's nothing more is asked"


@pytest.mark.parametrize("owner", [None, 5, "a2", [], {}, {"uuid": None}, {"uuid": ""}, {"uuid": 5}, {"resource_uri": "/user/a2/"}])
def test_a_snapshot_that_names_no_owner_may_be_the_accounts_own_so_the_listing_is_none(owner):
    """To take it for a shared one would bill less without a word; missing time is told (ACCOUNTING.md 8)."""
    own = {"uuid": "s1", "location": "ZRH", "allocated_size": 5, "drive": None, "owner": {"uuid": "a1"}}
    shared = own | {"uuid": "s2", "owner": {"uuid": "a2"}}
    assert checked_snapshots([own, shared], "a1") == (1, 1)
    said = "malformed: 1 of 3 snapshots name no owner, and may be the account's own: ask the provider"
    with pytest.raises(RequestFailure, match=f"^{said}$"):
        checked_snapshots([own, shared, own | {"uuid": "s3", "owner": owner}], "a1")


def test_a_fault_that_passes_is_tried_again_within_the_cycle(tmp_path, sandbox):
    rig = Rig(tmp_path, sandbox, attempts=4)
    for kind in ("status", "cut_gzip", "html"):
        sandbox.faults.add(kind, location="GVA", times=1)
    report = rig.collect()
    assert report.failures == []
    assert levels(rig) == true_levels(rig)


def test_a_location_that_hangs_ends_with_the_cycle_and_delays_no_other(tmp_path, sandbox):
    rig = Rig(tmp_path, sandbox, more="cycle_deadline = 2")
    sandbox.faults.add("hang", location="GVA", value=60)
    report = rig.collect()
    assert causes(report) == {("GVA", "timeout")}
    assert {failure.detail for failure in report.failures} == {"the cycle's time was up"}
    assert levels(rig) == {key: level for key, level in true_levels(rig).items() if key[0] != "GVA"}


def test_a_401_is_not_tried_again(rig):
    rig.sandbox.faults.add("status", location="GVA", value=401)
    rig.collect()
    assert len(rig.sandbox.faults.hits) == 2  # once an account


def test_a_retry_after_that_is_longer_than_the_cycle_ends_the_attempt(rig):
    rig.sandbox.faults.add("status", location="GVA", value=429, retry_after=86_400)
    report = rig.collect()
    assert causes(report) == {("GVA", "refused")}
    assert len(rig.sandbox.faults.hits) == 2
    assert "asks to wait 86400 s" in report.failures[0].detail


def test_a_snapshot_that_is_shared_with_a_second_polled_account_is_billed_once_to_its_owner(rig):
    snapshot = next(iter(rig.world.snapshots.values()))
    rig.world.share(snapshot, account_of(rig.world, "ben@example.com"))
    report = rig.collect()
    assert (report.samples, report.shared) == (COUNT + 2, 1)
    assert levels(rig) == true_levels(rig)
    assert rig.rows("select owner, snapshot from shared_objects") == [(snapshot.owner, snapshot.uuid)]


def test_a_listing_of_other_accounts_only_where_own_ones_were_is_odd_and_counts_as_it_says(rig, monkeypatch):
    """It may be true, if the last own one was deleted and others are shared; or the provider took the login for another's."""

    def odd():
        rig.sandbox.advance(300)
        report = rig.collect()
        assert (report.polls, report.failures) == (6, [])
        return [(flag.endpoint, flag.account_name, flag.cause) for flag in report.flags]

    listing, (first, second) = rig.world.listing, rig.world.accounts.values()
    assert odd() == []
    with monkeypatch.context() as patch:
        patch.setattr(rig.world, "listing", lambda account, place: listing(second if account is first else first, place))
        # At ZRH Ben has none: a list of none is what it is, and a list of Ann's shows him no less than before.
        assert sorted(odd()) == [("GVA", "Ann AG", "foreign_only"), ("GVA", "Ben Inc", "foreign_only")]
        assert odd() == [], "it is told once"
    assert odd() == []
    assert notes(rig) == {("GVA", "flagged", "foreign_only")}
    assert [levels(rig)["GVA", name][0] for name in ("Ann AG", "Ben Inc")] == [2, 2], "of four polls, two listed their one snapshot"
    with rig.meter() as meter:
        said = [finding.message for finding in meter.bill("2026-10").findings if finding.check == "odd_listings"]
    assert len(said) == 2
    assert all("where own ones were before" in message for message in said)


def test_a_snapshot_whose_drive_is_gone_is_kept_with_the_drive_it_was_of(rig):
    rig.sandbox.faults.add("drive_null")
    assert rig.collect().failures == []
    assert levels(rig) == true_levels(rig)
    drives = {row[0] for row in rig.rows("select l.drive from samples as s join labels as l on s.label_key = l.label_key")}
    assert drives == {snapshot.drive_meta["src_uuid"] for snapshot in rig.world.snapshots.values()}


def test_no_password_is_ever_told(tmp_path, sandbox, caplog, capfd):
    """Every fault at once, in turn: neither output, nor logs, nor the spool, nor the store hold a password."""
    caplog.set_level(logging.DEBUG)
    for account in sandbox.world.accounts.values():
        account.password = "c4nary-s3cret"
    rig = Rig(tmp_path, sandbox, attempts=1, timeout=2, more="[limits]\nresponse_bytes = 1000000")
    for kind in ("html", "status", "redirect", "cut", "cut_gzip", "hang", "bad_size"):
        sandbox.faults.clear()
        sandbox.faults.add(kind, value={"status": 401, "redirect": "http://127.0.0.1:1/", "hang": 30}.get(kind))
        sandbox.advance(300)
        report = rig.collect()
        assert "c4nary" not in repr(report)
    out, err = capfd.readouterr()
    assert "c4nary" not in out + err + caplog.text + "".join(rig.told)
    for kind in ("capture", "answer"):
        assert "c4nary" not in json.dumps(rig.spooled(kind))
    with rig.meter() as meter:
        meter.collect(metrics=tmp_path / "metrics.prom")
    # As it is, and as a header would carry it.
    forms = [b"c4nary"] + [
        base64.b64encode(f"{account.email}:{account.password}".encode()) for account in sandbox.world.accounts.values()
    ]
    written = [path for path in tmp_path.rglob("*") if path.is_file() and not path.name.startswith("password-")]
    assert {"metrics.prom", "metering.duckdb", "asked.json", "lease"} <= {path.name for path in written}
    for path in written:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        assert not any(form in content for form in forms), path


def test_a_wrong_address_is_told_as_one(tmp_path, sandbox):
    rig = Rig(tmp_path, sandbox)
    address = sandbox.endpoint("ZRH")
    text = rig.config.read_text().replace(address, address.replace("/api/2.0/", "/api/3.0/"))
    rig.config.write_text(text.replace(sandbox.endpoint("GVA"), sandbox.endpoint("GVA").replace("http:", "https:")))
    told = {failure.endpoint: failure.detail for failure in rig.collect().failures if failure.resource == "remotesnapshots"}
    assert set(told) == {"ZRH", "GVA"}
    assert "HTTP 404 notexist: there is no such thing at this address" in told["ZRH"]
    assert told["GVA"] == f"no connection to 127.0.0.1:{sandbox.port} (it speaks no TLS that we know: is the url's https right?)"
