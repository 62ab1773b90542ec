"""Raw listings as the collector keeps them: one poll a line, shared snapshots included."""

import gzip
import json

import pytest
import zstandard
from hour_facts import HOUR, at, counts, ingested, sample, write_facts

import metering
from metering.model.errors import InputError

GONE = object()


def listed(uuid="s1", size=5, owner="a1", **more):
    """A snapshot as the provider lists it."""
    snapshot = {
        "uuid": uuid, "name": f"name of {uuid}", "status": "available", "location": "ZRH", "allocated_size": size,
        "drive": {"uuid": "d1", "resource_uri": "/api/2.0/drives/d1/"}, "drive_meta": {"size": 10, "src_uuid": "d1"},
        "owner": {"uuid": owner, "resource_uri": f"/api/2.0/user/{owner}/"}, "grantees": [], "meta": {}, "tags": [],
    }  # fmt: skip
    return {name: value for name, value in (snapshot | more).items() if value is not GONE}


def capture(*objects, minute=0, account="a1", endpoint="ZRH", **more):
    """A poll of one collection."""
    meta = {"limit": 0, "offset": 0, "total_count": len(objects)}
    response = {"meta": meta, "objects": list(objects)}
    return {"poll_time": at(minute), "endpoint": endpoint, "account": account, "response": response} | more


def written(folder, *captures, name="polls.capture.ndjson"):
    text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in captures).encode()
    packed = {"gz": gzip.compress, "zst": zstandard.compress}.get(name.rpartition(".")[2], bytes)(text)
    (folder / name).write_bytes(packed)
    return folder / name


@pytest.mark.parametrize("ending", ["", ".gz", ".zst"])
def test_a_capture_says_what_a_sample_file_says(tmp_path, ending):
    place = written(
        tmp_path, capture(listed(), listed("s2", 7)), capture(listed(size=6), minute=5), name=f"z.2026.capture.ndjson{ending}"
    )
    rows = [
        sample(at(minute), size, uuid, drive="d1", status="available", name=f"name of {uuid}")
        for minute, uuid, size in ((0, "s1", 5), (0, "s2", 7), (5, "s1", 6))
    ]
    with metering.open(":memory:") as meter:
        # A capture counts as a row, and so does each object that it lists.
        assert counts(meter.ingest(place)) == (5, 0, 0, 0, 0)
        assert counts(meter.ingest(write_facts(tmp_path / "flat", {"samples": rows}))) == (0, 3, 0, 0, 0)


def test_captures_of_a_folder_of_samples_and_by_any_name_are_told_by_their_content(tmp_path):
    (tmp_path / "spool" / "samples").mkdir(parents=True)
    written(tmp_path / "spool" / "samples", capture(listed()), name="x.capture.ndjson.gz")
    assert counts(ingested(tmp_path / "spool")) == (2, 0, 0, 0, 0)
    assert counts(ingested(written(tmp_path, capture(listed()), name="whatever.ndjson"))) == (2, 0, 0, 0, 0)


def test_the_drive_of_a_snapshot_whose_drive_is_gone_is_told_by_its_metadata(tmp_path):
    store = tmp_path / "s.duckdb"
    ingested(
        written(
            tmp_path, capture(listed("a", drive=None, drive_meta={"src_uuid": "old"}), listed("b", drive=None, drive_meta=None))
        ),
        store=store,
    )
    with metering.open(str(store)) as meter:
        rows = meter.report_table("snapshots", HOUR).documents()
    assert [(row["snapshot"], row["drive"]) for row in rows] == [("a", "old"), ("b", "")]


def test_an_empty_listing_is_a_heartbeat(tmp_path):
    with metering.open(":memory:") as meter:
        assert counts(meter.ingest(written(tmp_path, capture(listed()), capture(minute=5)))) == (3, 0, 0, 0, 0)
        usage = meter.bill(HOUR).usage[0]
    assert (usage.occupied_byte_seconds, usage.measured_seconds, usage.held_seconds) == (5 * 300, 600, 600)


def test_what_belongs_to_somebody_else_is_counted_and_skipped(tmp_path):
    place = written(tmp_path, capture(listed(), listed("theirs", 10**9, "a2"), listed("odd", "no size", "a3", location=None)))
    with metering.open(":memory:") as meter:
        assert counts(meter.ingest(place)) == (2, 0, 0, 0, 2)
        bill = meter.bill(HOUR)
    assert [(row.account, row.peak_occupied_bytes) for row in bill.usage] == [("a1", 5)]
    assert {finding.account for finding in bill.findings if finding.check == "owner_not_polled"} == {"a2", "a3"}


@pytest.mark.parametrize(
    "meta",
    [{"limit": 2, "offset": 0, "total_count": 3}, {"limit": 20, "offset": 20, "total_count": 22}],
    ids=["cut at its limit", "a later page"],
)
def test_one_page_of_a_longer_listing_is_no_poll(tmp_path, meta):
    page = capture(listed(), listed("s2"))
    page["response"]["meta"] = meta
    outcome = ingested(written(tmp_path, page, capture(listed(), minute=5)))
    assert counts(outcome) == (2, 0, 0, 3, 0)
    assert outcome.rejections[0].reason == "is one page of a longer listing, and so no poll"
    assert outcome.polls.rejected == 1


@pytest.mark.parametrize(
    "meta",
    [
        {"limit": 0, "offset": 0, "total_count": 25},
        {"limit": 20, "offset": 0, "total_count": 3},
        {"total_count": 3},
        {"total_count": "3"},
    ],
    ids=str,
)
def test_a_listing_that_lists_fewer_than_it_says_there_are_is_no_poll(tmp_path, meta):
    """As for the collector: what a listing that is not whole leaves out would be taken for deleted."""
    short = capture(listed(), listed("s2"), minute=5)
    short["response"]["meta"] = meta
    with metering.open(":memory:") as meter:
        outcome = meter.ingest(written(tmp_path, capture(listed(), listed("s2"), listed("s3")), short))
        usage = meter.bill(HOUR).usage[0]
    assert counts(outcome) == (4, 0, 0, 3, 0)
    first = outcome.rejections[0]
    assert (first.line, first.field, first.reason) == (2, "response", "lists fewer objects than its total_count, and so is no poll")
    # Three snapshots of 5 bytes, from the first poll on: five minutes measured, ten held.
    assert (usage.occupied_byte_seconds, usage.measured_seconds, usage.held_seconds) == (15 * 900, 300, 600)


def test_an_empty_listing_that_says_there_are_some_is_no_poll(tmp_path):
    empty = capture(minute=5)
    empty["response"]["meta"]["total_count"] = 1
    outcome = ingested(written(tmp_path, capture(listed()), empty))
    assert (counts(outcome), outcome.polls.rejected) == ((2, 0, 0, 1, 0), 1)


@pytest.mark.parametrize(
    ("once", "twice", "field"),
    [
        ('"objects": [', '"objects": [], "objects": [', "line"),
        ('"response": {', '"response": {}, "response": {', "line"),
        ('"total_count": 1', '"total_count": 1, "total_count": 0', "line"),
        ('"meta": {"limit"', '"meta": {}, "meta": {"limit"', "line"),
        ('"owner": {', '"owner": {"uuid": "a2", ', "response"),
        ('"drive": {', '"drive": {"uuid": "d2", ', "response"),
        ('"src_uuid": ', '"src_uuid": "d2", "src_\\u0075uid": ', "response"),
    ],
)
def test_a_key_that_stands_twice_where_a_capture_is_read_rejects_its_poll(tmp_path, once, twice, field):
    line = json.dumps(capture(listed()))
    assert line.count(once) == 1
    outcome = ingested(written(tmp_path, line.replace(once, twice), capture(listed(), minute=5)))
    assert (outcome.polls.accepted, outcome.polls.rejected, counts(outcome)[0]) == (1, 1, 2)
    first = outcome.rejections[0]
    reason = {"line": "has a key twice", "response": "lists an object with a key twice"}[field]
    assert (first.line, first.field, first.reason) == (1, field, reason)


def test_a_key_that_stands_twice_where_nothing_is_read_says_nothing(tmp_path):
    line = json.dumps(capture(listed())).replace('"tags": []', '"tags": [{"a": 1, "a": 2}]')
    assert counts(ingested(written(tmp_path, line))) == (2, 0, 0, 0, 0)


@pytest.mark.parametrize("meta", [{"total_count": 0}, {"limit": 20, "offset": 0, "total_count": 0}, {}, None])
def test_a_wrong_total_of_zero_beside_a_full_list_does_not_make_it_a_page(tmp_path, meta):
    whole = capture(listed(), listed("s2"))
    whole["response"]["meta"] = meta
    assert counts(ingested(written(tmp_path, whole))) == (3, 0, 0, 0, 0)


def test_two_listings_of_one_poll_must_list_the_same(tmp_path):
    same = written(tmp_path, capture(listed(), listed("s2")), capture(listed("s2"), listed()), name="same.capture.ndjson")
    assert counts(ingested(same)) == (3, 3, 0, 0, 0)
    for other in (capture(listed()), capture(listed(), listed("s3")), capture(listed(), listed("s2", 9)), capture()):
        two = written(tmp_path, capture(listed(), listed("s2")), other, capture(listed(), minute=5), name="two.capture.ndjson")
        outcome = ingested(two)
        assert (outcome.polls.accepted, outcome.polls.conflicting) == (1, 1)


def test_the_same_object_twice_in_one_listing_counts_once_and_differing_is_a_conflict(tmp_path):
    assert counts(ingested(written(tmp_path, capture(listed(), listed())))) == (2, 1, 0, 0, 0)
    assert counts(ingested(written(tmp_path, capture(listed(), listed(size=6)), capture(minute=5)))) == (1, 0, 3, 0, 0)


@pytest.mark.parametrize(
    ("object_text", "field"),
    [
        (json.dumps(listed(size=5.0)), "allocated_size"),
        (json.dumps(listed(size=True)), "allocated_size"),
        (json.dumps(listed(size="12.0")), "allocated_size"),
        (json.dumps(listed(size="12")), "allocated_size"),
        (json.dumps(listed(size=None)), "allocated_size"),
        (json.dumps(listed(size=GONE)), "allocated_size"),
        (json.dumps(listed(size=-1)), "allocated_size"),
        (json.dumps(listed(size=2**63)), "allocated_size"),
        (json.dumps(listed(size=float("nan"))), "allocated_size"),
        (json.dumps(listed(size="@")).replace('"@"', "1e400"), "allocated_size"),
        (json.dumps(listed(size="@")).replace('"@"', "9" * 5000), "allocated_size"),
        (json.dumps(listed())[:-1] + ', "allocated_size": 5}', "response"),
        (json.dumps(listed(uuid=None)), "snapshot"),
        (json.dumps(listed(uuid=12)), "snapshot"),
        (json.dumps(listed(uuid="s\u202e")), "snapshot"),
        (json.dumps(listed(location=None)), "location"),
        (json.dumps(listed(owner=None)), "owner"),
        (json.dumps(listed() | {"owner": GONE}, default=lambda _: None), "owner"),
        (json.dumps(listed() | {"owner": {"uuid": 5}}), "owner"),
        ("5", "response"),
        ("null", "response"),
        ('"text"', "response"),
        ("[" * 3000 + "]" * 3000, "response"),
    ],
    ids=lambda value: value[-60:],
)
def test_an_object_that_is_no_snapshot_rejects_its_poll_and_no_other(tmp_path, object_text, field):
    bad = json.dumps(capture(listed("s2"))).replace('"objects": [', f'"objects": [{object_text}, ')
    outcome = ingested(written(tmp_path, bad, capture(listed(), minute=5)))
    assert (outcome.polls.accepted, counts(outcome)[0]) == (1, 2)
    own = [rejection for rejection in outcome.rejections if rejection.field != "poll"]
    assert [(rejection.line, rejection.field) for rejection in own] in ([(1, field)], [(1, "line")])
    if own[0].field != "line":
        assert outcome.polls.rejected == 1


EMPTY = capture(account="a9")


@pytest.mark.parametrize(
    "line",
    [
        "no JSON",
        "[]",
        "{}",
        json.dumps(EMPTY) + "}",
        json.dumps(EMPTY)[:-1] + ', "account": "a2"}',
        json.dumps(EMPTY | {"response": None}),
        json.dumps(EMPTY | {"response": {"objects": {}}}),
        json.dumps(EMPTY | {"response": [listed()]}),
        json.dumps(EMPTY | {"poll_time": 5}),
        json.dumps(EMPTY | {"poll_time": "2026-10-05T00:00:00"}),
        json.dumps(EMPTY | {"account": 12}),
        json.dumps(EMPTY | {"account": ""}),
        json.dumps(EMPTY | {"endpoint": None}),
        '{"a":' * 5000,
        "<html>502 Bad Gateway</html>",
    ],
    ids=range(15),
)
def test_a_line_that_is_no_capture_is_rejected_and_no_other_line_is_lost(tmp_path, line):
    outcome = ingested(written(tmp_path, capture(listed()), "", line, capture(listed(), minute=5)))
    assert (counts(outcome)[0], outcome.polls.accepted) == (4, 2)
    assert {rejection.line for rejection in outcome.rejections} == {3}


@pytest.mark.parametrize("character", ["\U0010ffff", "\U0010fffe", "\ufffe", "\u2028", "\x7f", "\x85", "\ufeff", "😀", ",", ";"])
def test_any_character_of_a_name_is_text_and_rejects_nothing(tmp_path, character):
    """Customers choose names and metadata: what they write there must not take their snapshots off the bill."""
    told = {"name": character, "meta": {character: f"a{character}"}}
    first, second = (capture(listed(**told), minute=minute) for minute in (0, 5))
    place = written(tmp_path, *(json.dumps(each, ensure_ascii=False) for each in (first, second)))
    with metering.open(":memory:") as meter:
        assert counts(meter.ingest(place)) == (4, 0, 0, 0, 0)
        assert meter.bill(HOUR).usage[0].occupied_byte_seconds == 5 * (300 + 900)
        assert counts(meter.ingest(written(tmp_path, first, second, name="escaped.capture.ndjson"))) == (0, 4, 0, 0, 0)


@pytest.mark.parametrize("tail", ["\U0010ffff", "\U0010ffffand more", "\x01", "\x1f", ","])
def test_a_line_that_goes_on_behind_its_capture_is_no_capture(tmp_path, tail):
    outcome = ingested(written(tmp_path, capture(listed()), json.dumps(EMPTY) + tail, capture(listed(), minute=5)))
    assert (counts(outcome)[0], [rejection.line for rejection in outcome.rejections]) == (4, [2])


@pytest.mark.parametrize("damage", [b"\xff\xfe", b'{"account": "\xff"}', b"\x00\x01"])
def test_bytes_that_are_no_text_lose_only_their_line(tmp_path, damage):
    place = written(tmp_path, capture(listed()), "@", capture(listed(), minute=5))
    place.write_bytes(place.read_bytes().replace(b"@", damage))
    outcome = ingested(place)
    assert (counts(outcome), outcome.rejections[0].line) == ((4, 0, 0, 1, 0), 2)


def test_a_large_listing_is_one_line_and_a_hostile_one_is_refused(tmp_path):
    many = [listed(f"s{i}", i) for i in range(5_000)]
    assert counts(ingested(written(tmp_path, capture(*many)))) == (5_001, 0, 0, 0, 0)
    place = tmp_path / "huge.capture.ndjson"
    with place.open("wb") as file:
        file.write(json.dumps(capture(listed())).encode() + b"\n" + b'{"a": "')
        for _ in range(140):
            file.write(b"x" * 2**20)
        file.write(b'"}\n' + json.dumps(capture(listed(), minute=5)).encode())
    outcome = ingested(place)
    assert (counts(outcome), outcome.rejections[0].line) == ((4, 0, 0, 1, 0), 2)
    assert "is longer than limits.line_bytes" in outcome.rejections[0].reason


def test_a_capture_file_of_nothing_but_rubbish_is_an_error(tmp_path):
    with pytest.raises(InputError, match="none of the 2 rows can be taken"):
        ingested(written(tmp_path, "rubbish", "more rubbish"))
