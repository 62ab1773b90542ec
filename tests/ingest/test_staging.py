"""Every poll is taken whole or not at all; what cannot be a sample is named, and nothing else is lost."""

import json

import pytest
from hour_facts import (
    HOUR,
    at,
    bill_json,
    counts,
    csv_bytes,
    heartbeat,
    ingested,
    ndjson_bytes,
    sample,
    write_facts,
)

import metering
from metering.model.errors import InputError

BIDI, ZERO_WIDTH, NUL = "a\u202eb", "a\u200bb", "a\x00b"
GOOD = sample(at(30), 7, "good", "good")


WRONG = [
    ("allocated_size", "", "is missing"),
    ("allocated_size", "-1", "is negative"),
    ("allocated_size", "12.0", "is no whole number of bytes"),
    ("allocated_size", "1e3", "is no whole number of bytes"),
    ("allocated_size", " 12", "is no whole number of bytes"),
    ("allocated_size", "+12", "is no whole number of bytes"),
    ("allocated_size", "1_000", "is no whole number of bytes"),
    ("allocated_size", "1,000", "is no whole number of bytes"),
    ("allocated_size", "0x10", "is no whole number of bytes"),
    ("allocated_size", "NaN", "is no whole number of bytes"),
    ("allocated_size", "true", "is no whole number of bytes"),
    ("allocated_size", "١٢", "is no whole number of bytes"),
    ("allocated_size", "9223372036854775808", "is above 9223372036854775807 (2^63 - 1)"),
    ("allocated_size", "9" * 150, "is above 9223372036854775807 (2^63 - 1)"),
    ("poll_time", "", "is missing"),
    ("poll_time", "2026-10-05T00:00:00", "has no offset: end it in Z or ±hh:mm"),
    ("poll_time", "2026-10-05 00:00:00.5", "has no offset: end it in Z or ±hh:mm"),
    ("poll_time", "2026-02-29T00:00:00Z", "is no date of the calendar"),
    ("poll_time", "2026-13-01", "is no date of the calendar"),
    ("poll_time", "0000-12-31T23:59:59Z", "is no date of the calendar"),
    ("poll_time", "2026-10-05T24:00:00Z", "is no instant such as 2026-10-01T00:00:00Z"),
    ("poll_time", "2026-10-05T00:00:00+0200", "is no instant such as 2026-10-01T00:00:00Z"),
    ("poll_time", "2026-10-05T00:00:60Z", "is no instant such as 2026-10-01T00:00:00Z"),
    ("poll_time", "1791158400", "is no instant such as 2026-10-01T00:00:00Z"),
    ("poll_time", "5 October 2026", "is no instant such as 2026-10-01T00:00:00Z"),
    ("poll_time", "2026-10-05T00:00:00z", "is no instant such as 2026-10-01T00:00:00Z"),
    ("account", "", "is missing"),
    ("account", "a" * 129, "is longer than 128 characters"),
    ("account", BIDI, "holds a character that cannot be seen"),
    ("account", ZERO_WIDTH, "holds a character that cannot be seen"),
    ("account", "a\tb", "holds a character that cannot be seen"),
    ("location", "", "is missing"),
    ("location", "Z\nH", "holds a character that cannot be seen"),
    ("snapshot", "", "is missing, but the row has a size: a heartbeat has none"),
    ("snapshot", "s" * 129, "is longer than 128 characters"),
    ("snapshot", "a\U0001343fb", "holds a character that cannot be seen"),
    ("snapshot", BIDI, "holds a character that cannot be seen"),
    ("endpoint", "e" * 129, "is longer than 128 characters"),
    ("endpoint", "Z\x1b[31m", "holds a character that cannot be seen"),
    ("drive", "d" * 129, "is longer than 128 characters"),
    ("drive", "d\x7f", "holds a character that cannot be seen"),
]


@pytest.mark.parametrize("ending", ["csv", "ndjson", "parquet"])
def test_each_row_that_cannot_be_a_sample_is_rejected_with_field_value_and_reason(tmp_path, ending):
    rows = [
        sample(at(minute), account=f"a{minute}", endpoint="ZRH") | {field: value} for minute, (field, value, _) in enumerate(WRONG)
    ]
    outcome = ingested(write_facts(tmp_path / "facts", {"samples": [*rows, GOOD]}, ending))
    assert counts(outcome) == (1, 0, 0, len(WRONG), 0)
    assert {rejection.file for rejection in outcome.rejections} == {str(tmp_path / "facts" / f"samples.{ending}")}
    lines, found = zip(*((r.line, (r.field, r.value, r.reason)) for r in outcome.rejections), strict=True)
    assert list(found) == [(field, value[:200], reason) for field, value, reason in WRONG]
    # A value with a newline makes the file one line longer than its rows.
    first = {"csv": 2, "ndjson": 1, "parquet": 1}[ending]
    assert lines[:20] == tuple(range(first, first + 20))


@pytest.mark.parametrize("ending", ["csv", "ndjson", "parquet"])
def test_what_is_just_within_the_bounds_is_taken(tmp_path, ending):
    rows = [
        sample("2026-10-05T00:00Z", 2**63 - 1, "s" * 128, "é" * 128, "Z" * 128, drive="d" * 128, name="n" * 5000),
        sample("2026-10-05T02:05:00.999999999+02:00", "0000000000000000000000000012", "s1", "a", "NA"),
        sample("2026-10-04 19:10:00-05:00", 0, "s1", "a", "NA"),
    ]
    folder = write_facts(tmp_path / "facts", {"samples": rows}, ending)
    with metering.open(":memory:") as meter:
        assert counts(meter.ingest(folder)) == (3, 0, 0, 0, 0)
        usage = {row.account: row for row in meter.bill(HOUR).usage}
    assert usage["é" * 128].peak_occupied_bytes == 2**63 - 1
    assert (usage["a"].location, usage["a"].occupied_byte_seconds, usage["a"].measured_seconds) == ("NA", 12 * 300, 600)


@pytest.mark.parametrize("ending", ["csv", "ndjson", "parquet"])
def test_a_name_may_hold_what_its_owner_typed(tmp_path, ending):
    rows = [
        sample(at(i), 7, f"s{i}", name=name) for i, name in enumerate([BIDI, "tab\tline\n\rend", "=1+1", "\x1b[31m", "😀", " x "])
    ]
    assert counts(ingested(write_facts(tmp_path / "facts", {"samples": rows}, ending))) == (6, 0, 0, 0, 0)


NO_ROWS = [
    (b"\xff\xfe rubbish", "is no UTF-8 text"),
    (b"2026-10-05T00:00:00Z,ZRH,a\xc3(,s,5,n", "is no UTF-8 text"),
    (b"2026-10-05T00:00:00Z,ZRH,a", "cannot be taken apart into the columns of the header"),
    (b"2026-10-05T00:00:00Z,ZRH,a,s,5,n,7", "cannot be taken apart into the columns of the header"),
    (b'2026-10-05T00:00:00Z,ZRH,a,"s,5', "cannot be taken apart into the columns of the header"),
    (b'2026-10-05T00:00:00Z,ZRH,a,"s"s,5,n', "cannot be taken apart into the columns of the header"),
    (b"x" * (3 * 2**20), "is longer than limits.line_bytes (in a capture limits.listing_bytes)"),
    (
        b'2026-10-05T00:00:00Z,ZRH,a,"' + b"s" * (3 * 2**20) + b'",5,n',
        "is longer than limits.line_bytes (in a capture limits.listing_bytes)",
    ),
]


@pytest.mark.parametrize(("line", "reason"), NO_ROWS, ids=[str(line[:40]) for line, _ in NO_ROWS])
def test_a_line_of_csv_that_is_no_row_is_rejected_and_no_other_line_is_lost(tmp_path, line, reason):
    rows = [sample(at(minute), 7, "good", "good", name='a "good"\nname') for minute in range(10, 60)]
    lines = csv_bytes(rows).split(b"\n2026")
    place = tmp_path / "samples.csv"
    place.write_bytes(b"\n2026".join(lines[:20]) + b"\n" + line + b"\n2026" + b"\n2026".join(lines[20:]) + b"\n")
    outcome = ingested(place)
    assert counts(outcome) == (50, 0, 0, 1, 0)
    (rejection,) = outcome.rejections
    assert (rejection.field, rejection.reason, rejection.line) == ("line", reason, 1 + 19 * 2 + 1)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "is no JSON"),
        (b'{"poll_time": }', "is no JSON"),
        (b"[1, 2]", "is no JSON object"),
        (b'"text"', "is no JSON object"),
        (b'{"account": "a", "account": "b"}', "has a key twice"),
        (b'{"allocated_size": 5, "allocated_size": 5}', "has a key twice"),
        (b'{"account": "\\ud800"}', "is no JSON"),
        (b'{"account": "\xff"}', "is no UTF-8 text"),
        (b'{"allocated_size": NaN}', "is no JSON"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "is nested too deeply"),
        (b'{"name": "' + b"x" * (3 * 2**20) + b'"}', "is longer than limits.line_bytes (in a capture limits.listing_bytes)"),
    ],
    ids=lambda value: str(value[:40]),
)
def test_a_line_of_ndjson_that_is_no_row_is_rejected_and_no_other_line_is_lost(tmp_path, line, reason):
    lines = ndjson_bytes([sample(at(minute), 7, "s", "good") for minute in range(10, 60)]).splitlines()
    place = tmp_path / "samples.ndjson"
    place.write_bytes(b"\n".join([*lines[:20], b"", line, b"", *lines[20:]]) + b"\n")
    outcome = ingested(place)
    assert counts(outcome) == (50, 0, 0, 1, 0)
    (rejection,) = outcome.rejections
    assert rejection.line == 22
    # The bulk reader takes some of these apart further than Python does, and then tells what it finds missing.
    assert rejection.reason in (reason, "is missing")


@pytest.mark.parametrize(
    ("token", "field", "reason"),
    [
        ('"account": 123', "account", "is no text; identifiers are text, never numbers"),
        ('"account": 1.5', "account", "is no text; identifiers are text, never numbers"),
        ('"account": true', "account", "is no text; identifiers are text, never numbers"),
        ('"snapshot": {"uuid": "s"}', "snapshot", "is no text; identifiers are text, never numbers"),
        ('"location": ["ZRH"]', "location", "is no text; identifiers are text, never numbers"),
        ('"poll_time": 1791158400', "poll_time", "is no text"),
        ('"name": 5', "name", "is no text"),
        ('"allocated_size": 12.0', "allocated_size", "is no whole number of bytes"),
        ('"allocated_size": "12.0"', "allocated_size", "is no whole number of bytes"),
        ('"allocated_size": 1e400', "allocated_size", "is no whole number of bytes"),
        ('"allocated_size": 1E2', "allocated_size", "is no whole number of bytes"),
        ('"allocated_size": true', "allocated_size", "is no whole number of bytes"),
        ('"allocated_size": [12]', "allocated_size", "is no whole number of bytes"),
        ('"allocated_size": -5', "allocated_size", "is negative"),
        ('"allocated_size": 18446744073709551616', "allocated_size", "is above 9223372036854775807 (2^63 - 1)"),
        ('"allocated_size": ' + "9" * 5000, "allocated_size", "is above 9223372036854775807 (2^63 - 1)"),
    ],
    ids=lambda value: value[:40],
)
@pytest.mark.parametrize("beside", ["", "not even JSON\n"], ids=["in bulk", "line by line"])
def test_json_of_another_type_is_refused_in_bulk_and_line_by_line_alike(tmp_path, token, field, reason, beside):
    name = token.split('"')[1]
    row = {key: value for key, value in sample(at(0), 7).items() if key != name}
    line = json.dumps(row)[:-1] + ", " + token + "}\n"
    (tmp_path / "samples.ndjson").write_text(beside + line + json.dumps(GOOD) + "\n")
    outcome = ingested(tmp_path)
    assert counts(outcome) == (1, 0, 0, 1 + bool(beside), 0)
    assert (outcome.rejections[-1].field, outcome.rejections[-1].reason) == (field, reason)


def test_a_null_character_in_an_identifier_is_refused_and_in_a_name_kept(tmp_path):
    (tmp_path / "samples.ndjson").write_bytes(
        b"".join(json.dumps(row).encode() + b"\n" for row in [sample(at(0), 7, NUL), sample(at(5), 7, name=NUL)])
    )
    outcome = ingested(tmp_path)
    assert counts(outcome) == (1, 0, 0, 1, 0)
    assert outcome.rejections[0].field == "snapshot"


@pytest.mark.parametrize(("ending", "name_length"), [("csv", 500), ("ndjson", 2_000)])
def test_a_rejected_row_is_told_by_its_line_in_files_that_several_cores_read_at_once(tmp_path, ending, name_length):
    # Names so long that the first file is read in several parts: each core takes 8 MiB of CSV or 32 MiB of NDJSON.
    files = {
        tmp_path / f"many.{ending}": (40_000, (3, 20_001, 30_333, 39_999)),
        tmp_path / f"more.{ending}": (400, (0, 399)),
    }
    for file, (many, wrong) in files.items():
        rows = [
            sample(at(i // 100), "wrong" if i in wrong else i, f"snapshot-{i % 100}", file.stem, name=f"{i % 7}" * name_length)
            for i in range(many)
        ]
        file.write_bytes(csv_bytes(rows) if ending == "csv" else ndjson_bytes(rows))
    with metering.open(":memory:") as meter:
        outcome = meter.ingest(list(files))
    told = sorted((item.file, item.line, item.value) for item in outcome.rejections if item.field == "allocated_size")
    assert told == [(str(file), i + 1 + (ending == "csv"), "wrong") for file, (_, wrong) in files.items() for i in wrong]
    assert counts(outcome) == (40_400 - 600, 0, 0, 600, 0)


def test_a_rejected_row_takes_its_poll_with_it_and_no_other(tmp_path):
    rows = [
        sample(at(0), 5, "s1"), sample(at(0), -5, "s2"), sample(at(0), 6, "s3"),
        sample(at(5), 5, "s1"), sample(at(0), 5, "s1", "a2"), sample(at(0), 5, "s1", endpoint="GVA"),
    ]  # fmt: skip
    outcome = ingested(write_facts(tmp_path / "facts", {"samples": rows}))
    assert counts(outcome) == (3, 0, 0, 3, 0)
    assert (outcome.polls.accepted, outcome.polls.rejected) == (3, 1)
    assert [(r.line, r.field, r.value, r.reason) for r in outcome.rejections] == [
        (2, "poll", "s1", "its poll is rejected: another row of it cannot be a sample"),
        (3, "allocated_size", "-5", "is negative"),
        (4, "poll", "s3", "its poll is rejected: another row of it cannot be a sample"),
    ]


def test_a_damaged_line_takes_its_poll_with_it_where_the_poll_can_still_be_told(tmp_path):
    whole = [sample(at(0), 5, "s1"), sample(at(5), 5, "s1")]
    (tmp_path / "samples.csv").write_bytes(csv_bytes(whole) + b'2026-10-05T00:00:00Z,a1,ZRH,"s2')
    assert counts(ingested(tmp_path / "samples.csv")) == (1, 0, 0, 2, 0)
    cut = json.dumps(sample(at(0), 5, "s2"))[:-20].encode()
    (tmp_path / "samples.ndjson").write_bytes(ndjson_bytes(whole) + cut)
    assert counts(ingested(tmp_path / "samples.ndjson")) == (1, 0, 0, 2, 0)


def test_where_nothing_can_be_taken_the_first_reason_is_the_error(tmp_path):
    folder = write_facts(tmp_path / "facts", {"samples": [sample(at(0), "12.0")]})
    with pytest.raises(
        InputError, match=r"none of the 1 rows can be taken; the first: .*samples\.csv line 2: allocated_size '12\.0'"
    ):
        ingested(folder)


def test_counts_add_up_to_the_rows(tmp_path):
    store = tmp_path / "s.duckdb"
    first = [sample(at(0), 5), sample(at(5), 5)]
    ingested(write_facts(tmp_path / "first", {"samples": first}), store=store)
    rows = [
        first[0], first[0],  # duplicates of the store, twice
        sample(at(5), 6),  # a conflict with the store
        sample(at(10), 5), sample(at(10), 5),  # accepted, and its duplicate
        sample(at(15), 5), sample(at(15), 6),  # contradict each other
        sample(at(20), "x"), sample(at(20), 5, "s2"),  # rejected, and its companion
    ]  # fmt: skip
    outcome = ingested(write_facts(tmp_path / "second", {"samples": rows}, seed=5), store=store)
    assert counts(outcome) == (1, 3, 3, 2, 0)
    assert outcome.tables["samples"].total == len(rows)
    assert (outcome.polls.accepted, outcome.polls.duplicate, outcome.polls.conflicting, outcome.polls.rejected) == (1, 1, 2, 1)


def test_a_poll_may_be_spread_over_files_of_one_command_not_over_two_commands(tmp_path):
    rows = [sample(at(0), 5, f"s{i}") for i in range(3)]
    for i, row in enumerate(rows):
        (tmp_path / f"samples-{i}.csv").write_bytes(csv_bytes([row]))
    files = [tmp_path / f"samples-{i}.csv" for i in range(3)]
    with metering.open(":memory:") as meter:
        assert counts(meter.ingest(files)) == (3, 0, 0, 0, 0)
        assert meter.bill(HOUR).usage[0].peak_occupied_bytes == 15
    with metering.open(":memory:") as meter:
        meter.ingest(files[:2])
        assert counts(meter.ingest(files[2])) == (0, 0, 1, 0, 0)
        assert meter.bill(HOUR).usage[0].peak_occupied_bytes == 10


def test_the_same_poll_with_other_content_is_kept_aside_and_reported_once(tmp_path):
    first, other = (write_facts(tmp_path / str(size), {"samples": [sample(at(0), size)]}) for size in (5, 6))
    with metering.open(":memory:") as meter:
        assert meter.ingest(first).ingest_seq == 1
        conflict = meter.ingest(other)
        assert (conflict.polls.conflicting, conflict.ingest_seq) == (1, 2)
        again = meter.ingest(other)
        assert (again.polls.conflicting, again.ingest_seq) == (1, None)
        bill = meter.bill(HOUR)
    assert bill.usage[0].peak_occupied_bytes == 5
    assert [(f.check, f.count) for f in bill.findings if f.check == "conflicting_polls"] == [("conflicting_polls", 1)]


def test_superseding_replaces_the_poll_from_now_on_and_not_before(tmp_path):
    first, other = (write_facts(tmp_path / str(size), {"samples": [sample(at(0), size)]}) for size in (5, 6))
    with metering.open(":memory:") as meter:
        meter.ingest(first)
        meter.ingest(other)
        outcome = meter.ingest(other, supersede=True)
        assert (counts(outcome), outcome.ingest_seq) == ((1, 0, 0, 0, 0), 3)
        bill = meter.bill(HOUR)
        assert bill.usage[0].peak_occupied_bytes == 6
        assert [f for f in bill.findings if f.check == "conflicting_polls"] == []
        assert [meter.bill(HOUR, known_at=seq).usage[0].peak_occupied_bytes for seq in (1, 2, 3)] == [5, 5, 6]
        assert counts(meter.ingest(other, supersede=True)) == (0, 1, 0, 0, 0)
        assert counts(meter.ingest(first)) == (0, 1, 0, 0, 0)  # it was accepted once, and is settled
        assert counts(meter.ingest(first, supersede=True)) == (1, 0, 0, 0, 0)
        assert meter.bill(HOUR).usage[0].peak_occupied_bytes == 5


@pytest.mark.parametrize("supersede", [False, True])
def test_rows_of_one_command_that_contradict_each_other_are_a_conflict_whatever_is_superseded(tmp_path, supersede):
    rows = [sample(at(0), 5), sample(at(0), 6), sample(at(5), 5, name="x"), sample(at(5), 5, name="y"), sample(at(10), 5)]
    folder = write_facts(tmp_path / "facts", {"samples": rows})
    with metering.open(":memory:") as meter:
        assert counts(meter.ingest(folder, supersede=supersede)) == (1, 0, 4, 0, 0)
        assert meter.bill(HOUR).usage[0].measured_seconds == 300


def test_a_poll_that_lost_or_gained_a_snapshot_is_other_content(tmp_path):
    both = [sample(at(0), 5, "s1"), sample(at(0), 6, "s2")]
    for i, (then, now) in enumerate([(both, both[:1]), (both[:1], both), (both, [heartbeat(at(0))]), ([heartbeat(at(0))], both)]):
        with metering.open(":memory:") as meter:
            meter.ingest(write_facts(tmp_path / f"{i}then", {"samples": then}))
            assert counts(meter.ingest(write_facts(tmp_path / f"{i}now", {"samples": now}))) == (0, 0, len(now), 0, 0)


def test_a_heartbeat_beside_samples_of_the_same_poll_says_nothing(tmp_path):
    alone = write_facts(tmp_path / "alone", {"samples": [sample(at(0), 5)]})
    beside = write_facts(tmp_path / "beside", {"samples": [heartbeat(at(0)), sample(at(0), 5)]})
    assert bill_json(beside) == bill_json(alone)
    with metering.open(":memory:") as meter:
        meter.ingest(alone)
        assert counts(meter.ingest(beside)) == (0, 2, 0, 0, 0)


def test_fractions_of_one_second_are_one_poll(tmp_path):
    rows = [sample("2026-10-05T00:00:00.1Z", 5), sample("2026-10-05T00:00:00.999Z", 5), sample("2026-10-05T02:00:00+02:00", 5)]
    assert counts(ingested(write_facts(tmp_path / "facts", {"samples": rows}))) == (1, 2, 0, 0, 0)


def test_strict_takes_nothing_where_anything_is_wrong(tmp_path):
    store = tmp_path / "s.duckdb"
    bad = write_facts(tmp_path / "bad", {"samples": [sample(at(0), 5), sample(at(5), -5)]})
    with pytest.raises(
        InputError, match=r"nothing was taken, as --strict asks: 1 rejected row .*line 3: allocated_size '-5' is negative"
    ):
        ingested(bad, store=store, strict=True)
    ingested(write_facts(tmp_path / "good", {"samples": [sample(at(0), 5)]}), store=store, strict=True)
    with pytest.raises(InputError, match="1 conflicting poll"):
        ingested(write_facts(tmp_path / "other", {"samples": [sample(at(0), 6)]}), store=store, strict=True)
    with metering.open(str(store)) as meter:
        assert meter.bill(HOUR).usage[0].occupied_byte_seconds == 5 * 900


def test_a_file_that_was_mended_settles_what_was_said_of_it(tmp_path):
    place = tmp_path / "samples.csv"
    with metering.open(":memory:") as meter:
        place.write_bytes(csv_bytes([sample(at(0), 5), sample(at(5), -5)]))
        meter.ingest(place)
        assert "rejected_rows" in {finding.check for finding in meter.bill(HOUR).findings}
        assert meter.ingest(place).ingest_seq is None
        place.write_bytes(csv_bytes([sample(at(0), 5), sample(at(5), 5)]))
        meter.ingest(place)
        assert "rejected_rows" not in {finding.check for finding in meter.bill(HOUR).findings}


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path):
    place = tmp_path / "samples.csv"
    place.write_bytes(csv_bytes([sample(at(0), 5)]))

    def grow(step, _done, _all):
        if step == "facts":
            with place.open("ab") as file:
                file.write(csv_bytes([sample(at(5), 5)]).split(b"\n")[1] + b"\n")

    with metering.open(":memory:") as meter:
        with pytest.raises(InputError, match="changed while it was read: nothing was taken"):
            meter.ingest(place, progress=grow)
        assert counts(meter.ingest(place)) == (2, 0, 0, 0, 0)


def test_polls_before_1970_are_polls_like_all_others(tmp_path):
    days = ("1969-12-31T20:00:00Z", "1969-12-31T23:59:59Z", "1970-01-01T00:00:00Z", "1970-01-01T00:05:00Z")
    facts = write_facts(tmp_path / "facts", {"samples": [sample(day, 5) for day in days]})
    with metering.open(":memory:") as meter:
        assert counts(meter.ingest(facts)) == (4, 0, 0, 0, 0)
        assert counts(meter.ingest(facts)) == (0, 4, 0, 0, 0)
        (row,) = meter.bill("1970-01-01T00:00:00Z..1970-01-01T00:10:00Z").usage
    assert (row.measured_seconds, row.missing_seconds) == (600, 0)


def test_two_snapshots_of_one_drive_at_one_time_are_both_counted(tmp_path):
    both = [sample(at(0), 5, "s1", drive="d"), sample(at(0), 7, "s2", drive="d")]
    (usage,) = json.loads(bill_json(write_facts(tmp_path / "facts", {"samples": both})))["usage"]
    assert usage["peak_occupied_bytes"] == "12"


def test_polls_of_one_size_are_a_run_as_long_as_all_that_was_said_of_it_stays(tmp_path):
    minutes, said = range(0, 40, 5), ["creating", "creating", "available", "available", "available", "gone", "creating", "creating"]
    listed = [sample(at(minute), 5, "s", drive="d", status=status) for minute, status in zip(minutes, said, strict=True)]
    with metering.open(":memory:") as meter:
        meter.ingest(write_facts(tmp_path / "facts", {"samples": listed}))
        with meter._store.reading() as engine:
            runs = engine.sql(
                "select l.status, r.last_poll_key - r.first_poll_key + 1 from sample_runs as r "
                "inner join labels as l on r.label_key = l.label_key order by r.first_poll_key"
            )
    assert runs == [("creating", 2), ("available", 3), ("gone", 1), ("creating", 2)]
