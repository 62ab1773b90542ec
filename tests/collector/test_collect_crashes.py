"""Crashes, full disks and busy stores: what was durable is in the store once, at the latest after the next run."""

import errno
import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import duckdb
import pytest
from collect_help import Rig
from sandbox_help import running, small_world, with_snapshots

from metering.collector import spool_ingest
from metering.collector.spool import Spool
from metering.model.errors import StoreError, StoreMemoryError

# Every which step is one at which a collector is killed: 1 for all of them, which takes a minute.
STRIDE = int(os.environ.get("METERING_KILL_STRIDE", "4"))

# For each number that it reads, forks a collector that is killed at its n-th call of what changes a disk: an fsync, a rename, an
# unlink, a step of the store's transaction. Forked, because to load the libraries takes longer than to collect.
KILLED_AT = textwrap.dedent(
    """
    import os, signal, sys
    from pathlib import Path
    import metering.ingest.ingest as ingest
    import metering.collector.metrics, metering.collector.service
    from metering.api import Meter
    from metering.config import load_settings

    def collect(step):
        left = [step]
        def counted(original):
            def call(*values, **named):
                left[0] -= 1
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return original(*values, **named)
            return call
        os.fsync = counted(os.fsync)
        Path.rename = counted(Path.rename)
        Path.unlink = counted(Path.unlink)
        for name in ("record_ingest", "write_facts", "drop_staging"):
            setattr(ingest, name, counted(getattr(ingest, name)))
        with Meter(load_settings(Path(sys.argv[1]))) as meter:
            meter.collect()

    for line in sys.stdin:
        child = os.fork()
        if not child:
            try:
                collect(int(line))
            finally:
                os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    """
)


@pytest.fixture
def rig(tmp_path):
    world = small_world(locations=("ZRH", "GVA"))
    with_snapshots(world, 3)
    with running(world) as served:
        yield Rig(tmp_path, served)


def durable_polls(rig):
    """Give what the sealed files of the spool hold: endpoint, account and instant of each poll."""
    return sorted((line["endpoint"], line["account"], line["poll_time"][:19]) for line in rig.spooled("capture"))


def stored_polls(rig):
    return sorted(
        rig.rows(
            "select c.endpoint, c.account, strftime(make_timestamp(p.poll_s * 1000000), '%Y-%m-%dT%H:%M:%S') from polls as p "
            "join collections as c on p.collection_key = c.collection_key"
        )
    )


def test_killed_at_any_step_nothing_durable_is_lost_and_nothing_doubled(rig):
    durable, ends = set(), []
    program = [sys.executable, "-c", KILLED_AT, str(rig.config)]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as forks:
        while not ends or ends[-1] != 0:
            forks.stdin.write(f"{len(ends) * STRIDE + 1}\n")
            forks.stdin.flush()
            ends.append(int(forks.stdout.readline()))
            durable |= set(durable_polls(rig))
            rig.sandbox.advance(300)
        forks.stdin.close()
    assert set(ends[:-1]) == {-signal.SIGKILL}
    assert len(ends) * STRIDE > 30
    assert durable <= set(stored_polls(rig))
    assert stored_polls(rig) == sorted(set(stored_polls(rig))) == durable_polls(rig)
    assert Spool(rig.folder / "spool").waiting() == []
    assert rig.rows("select count(*) from conflicting_samples") == [(0,)]


def test_a_reader_of_the_store_only_makes_files_wait(rig):
    rig.collect()
    rig.sandbox.advance(300)
    holder = subprocess.Popen(
        [sys.executable, "-c", "import duckdb, sys, time; c = duckdb.connect(sys.argv[1], read_only=True); print(1, flush=True); "
         "time.sleep(60)", str(rig.folder / "metering.duckdb")], stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert holder.stdout.readline()
        report = rig.collect()
        assert report.polls == 4
        assert report.waiting_files > 0
        assert "is held by process" in report.store_trouble
    finally:
        holder.kill()
        holder.communicate()
    rig.sandbox.advance(300)
    report = rig.collect()
    assert (report.store_trouble, report.waiting_files) == (None, 0)
    assert stored_polls(rig) == durable_polls(rig)
    assert len(stored_polls(rig)) == 12


def test_a_full_disk_fails_the_polls_and_tells_so(rig, monkeypatch):
    def full(_descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("metering.collector.spool.os.fsync", full)
        report = rig.collect()
    assert report.polls == 0
    assert {failure.cause for failure in report.failures} == {"spool"}
    assert "No space left" in report.failures[0].detail
    assert list((rig.folder / "spool" / "new").iterdir()) == []
    assert rig.collect().polls == 4


def test_a_store_that_cannot_be_written_leaves_everything_in_the_spool(rig, monkeypatch):
    def full(*_values, **_named):
        raise duckdb.IOException("Could not write all bytes to file: No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("metering.collector.spool_ingest.ingest", full)
        report = rig.collect()
    assert (report.polls, report.failures) == (4, [])
    assert "the disk is full" in report.store_trouble
    assert report.waiting_files == len(Spool(rig.folder / "spool").waiting()) > 0
    rig.sandbox.advance(300)
    rig.collect()
    assert stored_polls(rig) == durable_polls(rig)


def test_a_damaged_spool_file_is_set_aside_and_stops_no_other(rig):
    with Spool(rig.folder / "spool").held():
        (rig.folder / "spool" / "new" / "20260101T000000000000-1-000001.capture.ndjson.gz").write_bytes(b"\x1f\x8b torn")
    report = rig.collect()
    assert (report.polls, report.waiting_files) == (4, 0)
    assert [path.name for path in (rig.folder / "spool" / "bad").iterdir()] == ["20260101T000000000000-1-000001.capture.ndjson.gz"]
    assert "set aside" in rig.told[0]
    assert len(stored_polls(rig)) == 4


def test_a_file_that_needs_too_much_memory_waits_and_those_behind_it_do_not(rig, monkeypatch):
    taken = spool_ingest.ingest

    def bounded(store, paths, **named):
        if any(path.name.startswith("2026010") for path in paths):
            raise StoreMemoryError("it needs more memory than it may use: raise the setting `memory`")
        return taken(store, paths, **named)

    large = rig.folder / "spool" / "new" / "20260101T000000000000-1-000001.capture.ndjson.gz"
    with Spool(rig.folder / "spool").held():
        large.write_bytes(gzip.compress(b""))
    with monkeypatch.context() as patch:
        patch.setattr(spool_ingest, "ingest", bounded)
        for _ in range(2):
            report = rig.collect()
            assert (report.polls, report.failures, report.waiting_files) == (4, [], 1)
            assert report.store_trouble == f"{large}: it needs more memory than it may use: raise the setting `memory`"
            rig.sandbox.advance(300)
    assert stored_polls(rig) == durable_polls(rig)
    assert len(stored_polls(rig)) == 8


def test_where_memory_is_too_small_for_any_file_not_all_are_tried_one_by_one(rig, monkeypatch):
    tried = []

    def bounded(_store, paths, **_named):
        tried.append(paths)
        raise StoreMemoryError("too little")

    with monkeypatch.context() as patch:
        patch.setattr(spool_ingest, "ingest", bounded)
        with Spool(rig.folder / "spool").held():
            for number in range(40):
                (rig.folder / "spool" / "new" / f"2026-{number:02}.capture.ndjson.gz").write_bytes(gzip.compress(b""))
        assert rig.collect().waiting_files >= 42
    assert len(tried) < 12
    rig.sandbox.advance(300)
    report = rig.collect()
    assert (report.store_trouble, report.waiting_files) == (None, 0)
    assert stored_polls(rig) == durable_polls(rig)


@pytest.mark.parametrize("lost", ["removed", "older", "another"])
def test_a_store_that_was_lost_is_told_and_the_spool_brings_everything_back(rig, lost, tmp_path):
    """A store that is made anew knows nothing of the time before, and would bill too little without a word."""
    store, older = rig.folder / "metering.duckdb", tmp_path / "older.duckdb"
    rig.collect()
    shutil.copy(store, older)
    for _ in range(2):
        rig.sandbox.advance(300)
        rig.collect()
    store.unlink()
    if lost == "older":
        shutil.copy(older, store)
    elif lost == "another":
        with rig.meter() as meter, meter._store.writing():
            pass
    for cycle in (1, 2):
        rig.sandbox.advance(300)
        report = rig.collect()
        assert (report.polls, report.failures) == (4, [])
        assert report.waiting_files >= 2 * cycle
        assert "was removed or replaced: it lacks what was brought into it from this spool" in report.store_trouble
        assert f"`metering ingest {rig.folder}/spool/done` brings that back" in report.store_trouble
    with rig.meter() as meter:
        meter.ingest(rig.folder / "spool" / "done")
    rig.sandbox.advance(300)
    report = rig.collect()
    assert (report.store_trouble, report.waiting_files) == (None, 0)
    assert stored_polls(rig) == durable_polls(rig)
    assert len(stored_polls(rig)) == 24


def test_a_store_that_was_lost_is_begun_anew_where_somebody_says_so(rig):
    rig.collect()
    (rig.folder / "metering.duckdb").unlink()
    rig.sandbox.advance(300)
    place = rig.collect().store_trouble.split("to begin anew without it, remove ")[1]
    assert place == str(rig.folder / "spool" / "delivered.json")
    Path(place).unlink()
    assert rig.collect().store_trouble is None
    assert len(stored_polls(rig)) == 4


@pytest.mark.parametrize("garbled", [b"", b"\xff\x00", b"[]", b'{"endpoint": 1, "account": null, "poll_s": true}'])
def test_what_is_remembered_of_the_store_is_only_a_help(rig, garbled):
    rig.collect()
    (rig.folder / "spool" / "delivered.json").write_bytes(garbled)
    rig.sandbox.advance(300)
    assert rig.collect().store_trouble is None
    assert json.loads((rig.folder / "spool" / "delivered.json").read_bytes())["poll_s"] == rig.world.now_s


def test_two_collectors_never_run_on_one_spool(rig):
    with Spool(rig.folder / "spool").held(), pytest.raises(StoreError, match=r"collects into .* already"):
        rig.collect()
    assert rig.collect().polls == 4


def test_the_spool_alone_rebuilds_every_number(rig):
    for _ in range(3):
        rig.collect()
        rig.sandbox.advance(300)
    with rig.meter() as meter:
        before = meter.bill("2026-10-01").document()
    (rig.folder / "metering.duckdb").unlink()
    with rig.meter() as meter:
        meter.ingest(rig.folder / "spool" / "done")
        assert meter.bill("2026-10-01").document() == before
    assert before["usage"]


def test_told_to_stop_it_ends_cleanly_with_what_it_has(rig):
    rig.sandbox.faults.add("hang", location="GVA", value=3600)
    program = [sys.executable, "-m", "metering", "collect", "--every", "1h", "--format", "table", "--config", str(rig.config)]
    process = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        while not any((rig.folder / "spool").rglob("*.capture.ndjson.gz")):
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0, err
    assert "2 polls, 3 samples" in out
    assert "Traceback" not in err
    assert stored_polls(rig) == durable_polls(rig)
