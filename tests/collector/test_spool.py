"""The spool: lines are durable together, days become one file of each kind, and a crash between any two steps loses no line."""

import asyncio
import contextlib
import gzip
import itertools
import os
import shutil
from pathlib import Path

import pytest

from metering.collector.keeper import Keeper
from metering.collector.spool import KINDS, Spool
from metering.ingest.files import table_of
from metering.model.errors import InputError

DAY_US = 86_400 * 1_000_000


class Clock:
    def __init__(self):
        self.now_us = 20_000 * DAY_US

    def __call__(self):
        self.now_us += 1
        return self.now_us


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def spool(tmp_path, clock):
    spool = Spool(tmp_path / "spool", clock=clock)
    with spool.held():
        yield spool


def write(spool, *lines):
    batch = spool.batch()
    for number, line in enumerate(lines):
        batch.append(KINDS[number % 2], line)
    return batch.seal()


def lines_in(spool):
    """Give every line in the spool, wherever it is, hidden files of days that are being put together left out once done."""
    return sorted(line for path in spool.folder.rglob("*.ndjson.gz") for line in gzip.open(path, "rt").read().splitlines())


def test_what_is_not_sealed_does_not_exist(tmp_path, clock):
    before = Spool(tmp_path / "spool", clock=clock)
    with before.held():
        (before.new / ".20241004T000000000000-1-000001.capture.tmp").write_bytes(b"cut off")
        assert before.waiting() == []
    after = Spool(tmp_path / "spool", clock=clock)
    with after.held():
        assert list(after.new.iterdir()) == []


def test_whoever_gave_a_line_before_the_end_hears_that_it_is_durable_and_nobody_gives_one_after(spool):
    heard = []

    async def run():
        keeper = Keeper(spool)

        async def give(line):
            await keeper.keep("capture", line)
            heard.append(line)

        first = asyncio.create_task(give("a"))
        await asyncio.sleep(0)
        sealing = asyncio.create_task(keeper.flush())
        await asyncio.sleep(0)
        # It waits until the first one's batch is sealed, and opens another.
        second = asyncio.create_task(give("b"))
        await asyncio.sleep(0)
        await keeper.end()
        assert heard == ["a", "b"]
        late = asyncio.create_task(give("c"))
        await asyncio.wait({first, second, sealing, late})
        assert late.cancelled()
        keeper.begin()
        again = asyncio.create_task(give("d"))
        await asyncio.sleep(0)
        await keeper.end()
        await again

    asyncio.run(run())
    assert heard == lines_in(spool) == ["a", "b", "d"]


def test_raw_answers_are_for_their_owner_only(spool):
    assert spool.folder.stat().st_mode & 0o777 == 0o700


def test_lines_of_both_kinds_are_sealed_together_and_wait_in_order(spool):
    first, second = write(spool, "a", "b"), write(spool, "c")
    assert spool.waiting() == sorted([*first, *second])
    assert lines_in(spool) == ["a", "b", "c"]


def test_days_that_are_over_become_one_file_of_each_kind(spool, clock):
    spool.archive(write(spool, "a", "b") + write(spool, "c"))
    assert spool.compact() == []
    clock.now_us += DAY_US
    made = spool.compact()
    assert [path.name for path in made] == ["2024-10-04-1.capture.ndjson.gz", "2024-10-04-1.answer.ndjson.gz"]
    assert lines_in(spool) == ["a", "b", "c"]
    assert spool.compact() == []


def test_what_comes_late_for_a_day_becomes_a_file_of_its_own(spool, clock):
    early, late = write(spool, "a"), write(spool, "b")
    spool.archive(early)
    clock.now_us += DAY_US
    spool.compact()
    spool.archive(late)
    assert [path.name for path in spool.compact()] == ["2024-10-04-2.capture.ndjson.gz"]
    assert lines_in(spool) == ["a", "b"]


def lines_that_are_taken(spool):
    """Give the lines that an ingest of the days finds; those of a day may come twice, which adds nothing."""
    found = sorted(path for path in spool.done.rglob("*") if path.is_file())
    taken = [path for path in found if table_of("done", path.relative_to(spool.done), "", [])]
    return [line for path in taken for line in gzip.decompress(path.read_bytes()).decode().split()]


class CrashError(BaseException):
    """Ends the work between two steps, as a crash does."""


@pytest.mark.parametrize("step", range(12))
def test_a_crash_while_a_day_is_put_together_loses_no_line_and_doubles_none(spool, clock, monkeypatch, step):
    spool.archive(write(spool, "a", "b") + write(spool, "c", "d"))
    clock.now_us += DAY_US
    steps = itertools.count()

    def crashing(original):
        def call(*values, **named):
            if next(steps) == step:
                raise CrashError
            return original(*values, **named)

        return call

    with monkeypatch.context() as patch:
        patch.setattr("metering.collector.spool.os.fsync", crashing(os.fsync))
        patch.setattr("metering.collector.spool.Path.rename", crashing(Path.rename))
        patch.setattr("os.unlink", crashing(os.unlink))
        patch.setattr("os.rmdir", crashing(os.rmdir))
        with contextlib.suppress(CrashError):
            spool.compact()
    assert set(lines_that_are_taken(spool)) == {"a", "b", "c", "d"}, "`metering ingest spool/done` brings all back, at any moment"
    spool._tidy()
    spool.compact()
    assert lines_in(spool) == ["a", "b", "c", "d"]
    assert sorted(path.name for path in spool.done.iterdir()) == [
        "2024-10-04-1.answer.ndjson.gz", "2024-10-04-1.capture.ndjson.gz",
    ]  # fmt: skip


def test_a_spool_that_is_removed_while_it_is_in_use_is_told(spool):
    write(spool, "a")
    shutil.rmtree(spool.folder)
    with pytest.raises(InputError, match=r"is gone .*somebody removed it while it was in use"):
        spool.waiting()


def test_what_somebody_else_put_among_the_days_stays_there(spool, clock):
    """Only what was made whole is removed: a backup, notes or a repository between the days are not ours."""
    strange = ["notes/mine.txt", ".git/config", "2020/mine.txt", "1999-01-01-old/mine.capture.ndjson.gz", "2020-01-02/mine.txt"]
    for name in strange:
        (spool.done / name).parent.mkdir(exist_ok=True)
        (spool.done / name).write_text("precious")
    (spool.done / "2020-01-03").mkdir()
    (spool.done / "2020-01-03" / "x.capture.ndjson.gz").mkdir()
    (spool.done / "2020-01-04").symlink_to(spool.folder.parent)
    (spool.done / "2020-01-05").write_text("no folder")
    write(spool, "one", "two")
    spool.archive(spool.waiting())
    clock.now_us += DAY_US
    assert {path.name for path in spool.compact()} == {f"2024-10-04-1.{kind}.ndjson.gz" for kind in KINDS}
    assert spool.compact() == []
    found = {path.name: path.read_text() for path in spool.done.rglob("mine*")} | {"config": (spool.done / strange[1]).read_text()}
    assert found == dict.fromkeys(["mine.txt", "mine.capture.ndjson.gz", "config"], "precious")
    assert len(list(spool.done.rglob("mine*"))) == 4
    assert (spool.done / "2020-01-04").is_symlink()
    assert not (spool.done / "2024-10-04").exists()
