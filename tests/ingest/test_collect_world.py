"""A living world, collected under all faults at once, with crashes: the bill is the world's own, wherever time is measured.

METERING_CYCLES says how many five-minute cycles: 2016 are a week.
"""

import os
import random
import signal
import subprocess
import sys
import time
from decimal import Decimal

import pytest
from collect_help import Rig
from sandbox_help import START_S

from metering.model.period import Period
from metering.sandbox import running
from metering.sandbox.world_bill import world_bill
from metering.sandbox.world_life import seeded_world

CYCLES = int(os.environ.get("METERING_CYCLES", "24"))
CYCLE_S = 300
FAULTS = (
    ("status", {"value": 503}), ("status", {"value": 429, "retry_after": 1}), ("status", {"value": 401}), ("html", {}), ("cut", {}),
    ("cut_gzip", {}), ("lost", {}), ("page_cap", {"value": 3}), ("list_changes", {}), ("repeat_object", {}),
    ("total_count", {"value": 0}), ("bad_size", {"value": "NaN"}), ("duplicate_keys", {}), ("foreign", {"value": 3}),
    ("drive_null", {}), ("redirect", {"value": "http://127.0.0.1:1/"}), ("empty", {}),
)  # fmt: skip


@pytest.fixture
def collected(tmp_path):
    """A world, served, with a rig; it is stepped to the begin of the next cycle by `step`."""
    world = seeded_world(11, start_s=START_S, elsewhere=True, accounts=3)
    with running(world) as served:
        yield Rig(tmp_path, served, attempts=2, more="money_every = 0")


def plain(document, *names):
    """Give the rows of a bill with their money as numbers: `0.30` and `0.3` are one price."""

    def value(name, found):
        return Decimal(found) if name in ("price", "amount", "burst_amount", "amount_due") and found is not None else found

    left_out = ("charge_id",)
    return {name: [{k: value(k, v) for k, v in row.items() if k not in left_out} for row in document[name]] for name in names}


def assert_bill_is_the_worlds_own(rig, start_s, end_s):
    period = Period(start_s, end_s).text
    with rig.meter() as meter:
        bill = meter.bill(period, as_of=Period(start_s, rig.world.now_s).text.split("..")[-1]).document()
    truth = world_bill(rig.world, start_s, end_s, polls=rig.polls(), as_of_s=rig.world.now_s)
    names = ("usage", "lines", "episodes", "statements")
    for name in names:
        assert plain(bill, name) == plain(truth, name)
    return bill


def kill_somewhere(rig, chance):
    """Start a collector as a program of its own, and kill it as a crash does, at any moment; some come to their end."""
    program = [sys.executable, "-m", "metering", "collect", "--once", "-q", "--config", str(rig.config)]
    process = subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(chance.uniform(0, 2))
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_a_world_under_all_faults_and_crashes_is_billed_as_by_itself(collected):
    rig, chance = collected, random.Random(5)
    world, faults = rig.world, rig.sandbox.faults
    rig.sandbox.advance(-world.now_s % CYCLE_S)
    start_s = world.now_s
    for kind, where in FAULTS:
        faults.add(kind, percent=3, **where)
    for cycle in range(CYCLES):
        if cycle % 9 == 8:
            kill_somewhere(rig, chance)
        rig.collect()
        rig.sandbox.advance(CYCLE_S)
    assert faults.hits
    bill = assert_bill_is_the_worlds_own(rig, start_s, world.now_s)
    assert bill["lines"]
    polls = rig.polls()
    assert all(len(times) == len(set(times)) for times in polls.values())
    assert rig.rows("select count(*) from rejections") == [(0,)]
    assert rig.rows("select count(*) from conflicting_samples") == [(0,)]
    tried = dict.fromkeys(polls, CYCLES)
    failed = rig.rows("select endpoint, account, count(distinct noted_s) from poll_notes where outcome = 'failed' "
                      "and resource = 'remotesnapshots' group by all")  # fmt: skip
    for endpoint, account, count in failed:
        assert len(polls[endpoint, account]) >= tried[endpoint, account] - count
