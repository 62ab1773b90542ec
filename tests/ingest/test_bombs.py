"""Every limit of `[limits]` is held against what is meant to burst it: refused in a line that names it, in little memory and time.

Each bomb is read by a process of its own, whose memory is bounded from outside by far less than the bomb unfolds to.
"""

import gzip
import json
import subprocess
import sys
import textwrap
import zlib

import pytest
import zstandard
from collect_help import Rig
from sandbox_help import START_S

import metering
from metering.config import Settings
from metering.model.errors import InputError, StoreMemoryError
from metering.model.limits import ReadingLimits
from metering.sandbox import running
from metering.sandbox.server_faults import Faults
from metering.sandbox.world_life import seeded_world

MIB = 2**20
SAMPLES = b"poll_time,location,account,snapshot,allocated_size\n"
SOUND = b"2026-10-05T00:00:00Z,ZRH,a,s,5\n"
LIMITED = textwrap.dedent(
    """
    import resource, sys
    import metering
    resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
    with metering.open(":memory:", memory="300MB", threads=1) as meter:
        meter.report  # what is loaded so far is no part of what a bomb takes
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            outcome = meter.ingest(sys.argv[1])
            print("taken", outcome.polls.accepted, *(rejection.text for rejection in outcome.rejections))
        except Exception as error:
            print(type(error).__name__, str(error).splitlines()[0])
        print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
    """
)


def burst(folder, **limits):
    """Ingest a folder under limits and a bound on processor time; give what was said, and how many MiB it took."""
    environment = {f"METERING_LIMITS__{name.upper()}": str(value) for name, value in limits.items()}
    ended = subprocess.run(
        [sys.executable, "-c", LIMITED, str(folder)], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr[-2_000:]
    said, took = ended.stdout.splitlines()
    return said, int(took)


def packed_zeros(size, *, begin=b""):
    """Give a gzip of so many zeros behind a beginning, made without having them all in memory."""
    packer = zlib.compressobj(9, wbits=31)
    parts = [packer.compress(begin), *(packer.compress(bytes(MIB)) for _ in range(size // MIB)), packer.flush()]
    return b"".join(parts)


def capture(objects, **more):
    response = {"meta": {}, "objects": objects}
    return json.dumps(
        {"poll_time": "2026-10-05T00:00:00Z", "endpoint": "ZRH", "account": "a", "response": response} | more
    ).encode()


def snapshot(number):
    return {"uuid": f"s{number}", "location": "ZRH", "allocated_size": 5, "owner": {"uuid": "a"}}


@pytest.mark.parametrize(
    "name", ["samples.csv.gz", "prices.csv.gz", "accounts.ndjson.gz", "x.capture.ndjson.gz", "x.answer.ndjson.gz"]
)
def test_a_file_that_unfolds_without_end_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(packed_zeros(200 * MIB, begin=b"account,currency\n" if "csv" in name else b""))
    assert (tmp_path / name).stat().st_size < MIB
    said, took = burst(tmp_path, unpacked_bytes=100 * MIB)
    assert said.startswith("InputError ")
    assert "\n" not in said
    assert took < 250


@pytest.mark.parametrize("name", ["samples.csv.gz", "x.capture.ndjson.gz"])
def test_short_lines_without_end_are_refused_too(tmp_path, name):
    packer = zlib.compressobj(9, wbits=31)
    lines = b"\n" * MIB
    (tmp_path / name).write_bytes(packer.compress(SAMPLES) + b"".join(packer.compress(lines) for _ in range(20)) + packer.flush())
    said, took = burst(tmp_path, unpacked_bytes=10 * MIB)
    assert "unfolds to more than 10485760 bytes: nothing was taken" in said
    assert "limits.unpacked_bytes (METERING_LIMITS__UNPACKED_BYTES)" in said
    assert took < 250


def test_zstandard_that_unfolds_without_end_is_refused(tmp_path):
    (tmp_path / "samples.csv.zst").write_bytes(zstandard.compress(SAMPLES + SOUND * (2 * MIB)))
    assert (tmp_path / "samples.csv.zst").stat().st_size < MIB
    said, took = burst(tmp_path, unpacked_bytes=10 * MIB)
    assert "limits.unpacked_bytes" in said
    assert took < 250


@pytest.mark.parametrize(("name", "limit"), [("samples.csv", "line_bytes"), ("x.capture.ndjson", "listing_bytes")])
def test_a_line_without_end_is_rejected_and_the_rest_is_taken(tmp_path, name, limit):
    # Of the line no more is unpacked than tells that it is too long, so neither memory nor a disk is filled.
    sound, begin = (SOUND, SAMPLES) if "csv" in name else (capture([snapshot(1)]) + b"\n", b"")
    (tmp_path / f"{name}.gz").write_bytes(gzip.compress(begin + sound) + packed_zeros(300 * MIB) + gzip.compress(b"\n" + sound))
    bounds = {"line_bytes": 200_000} if limit == "line_bytes" else {"listing_bytes": 2 * MIB, "response_bytes": MIB}
    said, took = burst(tmp_path, **bounds)
    assert said.startswith("taken 1 ")
    assert f"limits.{limit}" in said
    assert took < 300


def test_a_listing_of_too_many_objects_is_rejected_and_the_others_are_taken(tmp_path):
    lines = [capture([{}] * 200_000), capture([snapshot(n) for n in range(9)], endpoint="GVA")]
    (tmp_path / "x.capture.ndjson").write_bytes(b"\n".join(lines))
    said, took = burst(tmp_path, objects=1_000)
    assert said.startswith("taken 1 ")
    assert said.endswith("lists more objects than limits.objects")
    assert took < 300
    assert burst(tmp_path, objects=9)[0].startswith("taken 1 ")
    assert burst(tmp_path, objects=8)[0].startswith("InputError none of the ")


@pytest.mark.parametrize("line", [
    b'{"account": "a", "currency": "CHF", "name": ' + b"[" * 60_000 + b"]" * 60_000 + b"}",
    b'{"account": "a", "currency": "CHF", "more": ' + b'{"a":' * 100 + b"1" + b"}" * 100 + b"}",
])  # fmt: skip
def test_json_that_is_nested_without_end_is_rejected_and_the_rest_is_taken(tmp_path, line):
    (tmp_path / "accounts.ndjson").write_bytes(line + b'\n{"account": "b", "currency": "CHF"}\n')
    with metering.open(":memory:") as meter:
        outcome = meter.ingest(tmp_path)
    assert [rejection.reason for rejection in outcome.rejections] == ["is nested deeper than limits.depth"]
    assert outcome.tables["accounts"].accepted == 1


@pytest.mark.parametrize("name", ["samples.ndjson", "accounts.ndjson", "samples.csv"])
def test_lines_that_never_come_to_their_end_are_read_in_one_pass(tmp_path, name):
    # To begin anew at each part of one would take hours.
    parts = ('\\"', '" ', '""', ", ", ' "', "a,]", "nan", "\\", "[", '",')
    begin = '{"account": "' if "json" in name else '"'
    ill = "".join(begin + part * (900_000 // len(part)) + "\n" for part in parts)
    sound = {
        "samples.ndjson": '{"poll_time":"2026-10-05T00:00:00Z","location":"ZRH","account":"a","snapshot":"s","allocated_size":5}\n',
        "accounts.ndjson": '{"account": "b", "currency": "CHF"}\n',
        "samples.csv": (SAMPLES + SOUND).decode(),
    }[name]
    (tmp_path / name).write_text(sound + ill)
    said, took = burst(tmp_path)
    assert said.startswith("taken 0 " if name == "accounts.ndjson" else "taken 1 ")
    assert took < 300


def test_depth_is_counted_to_just_the_limit(tmp_path):
    # The row itself is one level, and each bracket one more.
    (tmp_path / "accounts.ndjson").write_bytes(b'{"account": "a", "currency": "CHF", "more": [[[[[]]]]]}\n')
    for depth, taken in ((6, 1), (5, 0)):
        with metering.open(":memory:", limits={"depth": depth}) as meter:
            try:
                assert meter.ingest(tmp_path).tables["accounts"].accepted == taken
            except InputError as error:
                assert not taken
                assert "limits.depth" in str(error)  # noqa: PT017


@pytest.mark.parametrize("where", ["response.x", "objects.x"])
def test_a_capture_that_is_nested_without_end_takes_little_memory(tmp_path, where):
    nest = "[" * 400_000 + "]" * 400_000
    line = capture([snapshot(1) | ({"x": "NEST"} if where == "objects.x" else {})], x="NEST").decode().replace('"NEST"', nest)
    (tmp_path / "x.capture.ndjson").write_text(line)
    said, took = burst(tmp_path)
    assert said.startswith("taken 1") or "emory" in said
    assert took < 700


def test_an_answer_that_is_nested_without_end_is_refused(tmp_path):
    head = '{"poll_time": "2026-10-05T00:00:00Z", "endpoint": "ZRH", "account": "a", "resource": "balance", "response": '
    (tmp_path / "x.answer.ndjson").write_text(head + "[" * 60_000 + "]" * 60_000 + "}")
    with metering.open(":memory:") as meter, pytest.raises(InputError, match="line 1 is no answer of the provider: is nested"):
        meter.ingest(tmp_path)


@pytest.mark.parametrize("places", [["facts"], ["facts/samples", "facts/accounts"]])
def test_more_files_than_may_be_are_refused(tmp_path, places):
    for folder in ("samples", "accounts"):
        (tmp_path / "facts" / folder).mkdir(parents=True)
        for number in range(10):
            begin = SAMPLES + SOUND if folder == "samples" else b"account,currency\na,CHF\n"
            (tmp_path / "facts" / folder / f"{number}.csv").write_bytes(begin)
    named = [tmp_path / place for place in places]
    with (
        metering.open(":memory:", limits={"files": 19}) as meter,
        pytest.raises(InputError, match=r"more than 19 files .*limits\.files"),
    ):
        meter.ingest(named)
    with metering.open(":memory:", limits={"files": 22}) as meter:
        assert len(meter.ingest(named).file_names) == 20


@pytest.mark.parametrize("name", ["samples.csv", "accounts.ndjson"])
def test_a_file_of_endless_columns_is_refused(tmp_path, name):
    columns = [f"c{number}" for number in range(100_000)]
    text = ",".join(columns) if name.endswith("csv") else json.dumps(dict.fromkeys(columns))
    (tmp_path / name).write_text(text + "\n")
    said, took = burst(tmp_path)
    assert "100000 columns, more than 1000" in said
    assert "limits.columns" in said
    assert took < 250


@pytest.mark.parametrize(("table", "cells", "field"), [
    ("prices", {"price": "9" * 1_000_000}, "price"), ("prices", {"price": "0." + "1" * 1_000_000}, "price"),
    ("subscriptions", {"amount": "9" * 1_000_000}, "amount"), ("subscriptions", {"price": "9" * 1_000_000}, "price"),
])  # fmt: skip
def test_a_number_without_end_is_rejected(tmp_path, table, cells, field):
    rows = {
        "prices": {"resource": "backup", "currency": "CHF", "level": "1", "price": "0.28", "unit": "GB/month",
                   "multiplier": "2783138807808000", "effective_from": "2026-01-01"},
        "subscriptions": {"id": "1", "account": "a", "location": "ZRH", "amount": "5", "start_time": "2026-10-01",
                          "end_time": "2026-11-01"},
    }  # fmt: skip
    row = rows[table]
    names = [*row, *(name for name in cells if name not in row)]
    lines = [names, [*row.values(), *[""] * (len(names) - len(row))], [str((row | cells)[name]) for name in names]]
    if "id" in row:
        lines[2][0] = "2"
    else:
        lines[2][2] = "2"
    (tmp_path / f"{table}.csv").write_text("".join(",".join(line) + "\n" for line in lines))
    with metering.open(":memory:", limits={"digits": 20}) as meter:
        outcome = meter.ingest(tmp_path)
    # What a subscription says that it cost decides nothing, and takes no entitlement with it.
    decides = (table, field) != ("subscriptions", "price")
    reason = (
        "has more than 20 digits (limits.digits)" if decides else "has more than 100 digits; left out, the rest of the row counts"
    )
    assert [(r.field, r.reason) for r in outcome.rejections] == [(field, reason)]
    assert outcome.tables[table].accepted == (1 if decides else 2)


def test_rows_that_are_all_wrong_are_refused_together(tmp_path):
    (tmp_path / "samples.csv").write_bytes(SAMPLES + SOUND + b"2026-10-05T00:05:00Z,ZRH,a,s,x\n" * 50)
    with (
        metering.open(":memory:", limits={"rejections": 49}) as meter,
        pytest.raises(InputError, match="more than 49 rows are no samples"),
    ):
        meter.ingest(tmp_path)
    with metering.open(":memory:", limits={"rejections": 50}) as meter:
        assert len(meter.ingest(tmp_path).rejections) == 50


@pytest.mark.parametrize(("kind", "where", "limits", "cause"), [
    ("flood", {"value": 3_000_000}, "response_bytes = 1000000", "too_large"),
    ("bomb", {"value": 30_000_000}, "response_bytes = 1000000", "too_large"),
    ("deep", {"value": 40}, "depth = 30", "malformed"), (None, {}, "objects = 1", "too_large"),
])  # fmt: skip
def test_an_answer_beyond_a_limit_is_no_poll_and_names_the_limit(tmp_path, kind, where, limits, cause):
    world = seeded_world(7, start_s=START_S, accounts=1)
    with running(world, faults=Faults(seed=1)) as served:
        rig = Rig(tmp_path, served, attempts=1, more=f"[limits]\n{limits}")
        if kind:
            served.faults.add(kind, **where)
        served.advance(3 * 86_400)
        report = rig.collect()
    failed = [failure for failure in report.failures if failure.resource == "remotesnapshots"]
    assert failed
    assert {failure.cause for failure in failed} == {cause}
    assert all(f"(limits.{limits.split()[0]})" in failure.detail for failure in failed)


def test_what_is_collected_can_be_taken_in():
    assert Settings(limits={"response_bytes": 100_000, "listing_bytes": 200_000}).limits == ReadingLimits(
        response_bytes=100_000, listing_bytes=200_000
    )
    with pytest.raises(ValueError, match="what is collected could not be taken in"):
        Settings(limits={"response_bytes": 100_000, "listing_bytes": 120_000})


@pytest.mark.parametrize("store", [":memory:", "store.duckdb"])
def test_a_listing_that_needs_more_memory_than_there_may_be_is_refused_with_what_to_raise(tmp_path, monkeypatch, store):
    monkeypatch.chdir(tmp_path)
    drive, owner = {"uuid": "d" * 36}, {"uuid": "a"}
    objects = [
        {"uuid": f"{n:036d}", "drive": drive, "owner": owner, "allocated_size": n, "location": "ZRH", "name": "n" * 200}
        for n in range(30_000)
    ]
    line = {"poll_time": "2026-10-05T00:00:00Z", "endpoint": "ZRH", "account": "a", "response": {"objects": objects}}
    (tmp_path / "big.capture.ndjson").write_text(json.dumps(line) + "\n", encoding="utf-8")
    said = (
        f"{store} cannot be used: it needs more memory than it may use: raise the setting `memory` (METERING_MEMORY), or take less "
        "at once; nothing was written; mend that and run again"
    )
    with metering.open(store, memory="50MB", threads=1) as meter, pytest.raises(StoreMemoryError) as told:
        meter.ingest(tmp_path / "big.capture.ndjson")
    assert str(told.value) == said
