"""Two processes that close at once make one closing; one that is killed makes a whole closing or none; the next mends the rest."""

import json
import os
import signal
import subprocess
import sys
import tempfile

import pytest
from closed_world import day_meter, more_facts
from small_world import GIB, polls, price

from metering import Meter
from metering.store import StoreError

KILLED = """
import os, signal, sys
import duckdb
from metering import Meter
from metering.config import Settings

def kill(*_args, **_named):
    os.kill(os.getpid(), signal.SIGKILL)

where = sys.argv[2]
if where in ("write_closing", "write_head"):
    setattr(__import__("metering.books.closing", fromlist=["x"]), where, kill)
elif where == "half":
    import metering.books.closings as closings
    load = closings.Engine.load
    closings.Engine.load = lambda self, table, *rest: kill() if table == "new_statements" else load(self, table, *rest)
elif where == "before commit":
    import contextlib
    import metering.books.closing as closing
    real = closing.transaction
    @contextlib.contextmanager
    def transaction(engine):
        with real(engine):
            yield
            kill()
    closing.transaction = transaction
elif where == "before rename":
    import metering.books.head as head
    head.Path.replace = kill
Meter(Settings(store=sys.argv[1], threads=1), clock=lambda: 1796083200).close("2026-10-01", by="the one that died")
"""


def killed_at(store: str, where: str) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, store, where], check=False, capture_output=True, timeout=300)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


@pytest.mark.parametrize("where", ["write_closing", "half", "before commit"])
def test_a_closing_that_is_killed_before_it_is_committed_never_was(tmp_path, where):
    meter = day_meter(tmp_path)
    killed_at(meter.settings.store, where)
    assert meter.closings() == []
    assert meter.verify().differences == []
    closed = meter.close("2026-10-01", by="ann")
    assert (closed.is_new, closed.closing.closing_seq) == (True, 1)
    assert meter.verify().differences == []


@pytest.mark.parametrize("where", ["write_head", "before rename"])
def test_a_closing_that_is_killed_before_its_head_is_written_stands_and_the_next_mends_the_head(tmp_path, where):
    meter = day_meter(tmp_path)
    killed_at(meter.settings.store, where)
    assert [closing.closed_by for closing in meter.closings()] == ["the one that died"]
    verified = meter.verify()
    assert verified.differences == []
    assert verified.notes == ["there is no head file beside the store, so that an old backup could not be told from it"]
    again = meter.close("2026-10-01", by="ann")
    assert (again.is_new, again.closing.closed_by) == (False, "the one that died")
    assert json.loads((tmp_path / "store.duckdb.head").read_text()) == {"closing": 1, "hash": again.closing.hash}
    assert meter.verify().notes == []


def test_a_head_that_a_crash_left_behind_is_no_difference(tmp_path):
    meter = day_meter(tmp_path)
    meter.close("2026-10-02")
    killed_at(meter.settings.store, "write_head")
    verified = meter.verify()
    assert verified.differences == []
    assert verified.notes == ["the head file is at closing 1: a later close was interrupted; the next mends it"]
    meter.close("2026-10-03")
    assert meter.verify().notes == []


def test_two_processes_that_close_at_once_make_one_closing(tmp_path):
    # whatever the machine's clock says, it is past this day
    meter = day_meter(tmp_path, samples=polls("2020-10-01", "2020-10-02", {"s": GIB}))
    command = [sys.executable, "-m", "metering", "close", "2020-10-01", "--store", meter.settings.store, "--format", "json", "--by"]
    both = [
        subprocess.Popen(
            [*command, name], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | {"METERING_STORE_WAIT": "300"}
        )
        for name in ("ann", "bob")
    ]
    printed = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [0, 0], printed
    assert printed[0][0] == printed[1][0]
    (closing,) = meter.closings()
    told = sorted(("already" in err.decode(), closing.closed_by in err.decode()) for _, err in printed)
    assert told == [(False, True), (True, True)]
    assert meter.verify().differences == []


@pytest.mark.parametrize("times", [1, 9])
def test_an_ingest_that_comes_in_between_is_seen_by_the_closing(tmp_path, monkeypatch, times):
    """The bill is computed while others may write: what they wrote before it is frozen is in it, however often they do."""
    meter = day_meter(tmp_path)
    others, real = iter(range(times)), meter._store.writing

    def writing():
        if (number := next(others, None)) is not None:
            other = Meter(meter.settings, clock=meter._clock)
            more_facts(other, tmp_path, f"overtakes-{number}", supersede=True, prices=[price(f"0.6{number}")])
        return real()

    monkeypatch.setattr(meter._store, "writing", writing)
    closed = meter.close("2026-10-01")
    came = min(times, 4)
    assert [line.price for line in closed.bill.lines] == [f"0.6{came - 1}"]
    assert closed.closing.known_seq == 1 + came
    assert meter.verify().differences == []


def test_a_head_that_cannot_be_written_is_said_and_the_closing_stands(tmp_path, monkeypatch):
    meter = day_meter(tmp_path)

    real = tempfile.mkdtemp

    def full(suffix=None, prefix=None, dir=None):  # noqa: A002 -- as it is called
        if dir == tmp_path:
            raise OSError(28, "No space left on device")
        return real(suffix, prefix, dir)

    with monkeypatch.context() as patched:
        patched.setattr("metering.durable.tempfile.mkdtemp", full)
        with pytest.raises(StoreError, match=r"2026-10-01 is closed, but .*head cannot be written \(No space left on device\)"):
            meter.close("2026-10-01")
    assert Meter(meter.settings, clock=meter._clock).close("2026-10-01").is_new is False
    assert (tmp_path / "store.duckdb.head").exists()
