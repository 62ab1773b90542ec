"""A living world, collected under all faults at once, with crashes: the bill is the world's own, wherever time is measured.

METERING_CYCLES says how many five-minute cycles: 2016 are a week. METERING_SEED says which one; both are printed with what
struck, so `METERING_CYCLES=2016 pytest -s tests/collector/test_collect_world.py` says what a week was like (tests/bench/README.md).

Every cycle is a process of its own, as a timer starts them; it is forked from one that has the libraries loaded, because loading
them takes longer than collecting. Clocks that are off are not among the faults: they would date what is billed, and have tests of
their own.
"""

import itertools
import json
import os
import random
import time
from collections import Counter

import pytest
from collect_help import Rig
from hard_world import FAULTS, LIMITS, Collectors, assert_bill_is_the_worlds_own
from sandbox_help import START_S

from metering.model.period import instant_seconds
from metering.sandbox import running
from metering.sandbox.server_faults import KINDS, Faults
from metering.sandbox.world_life import seeded_world

CYCLES = int(os.environ.get("METERING_CYCLES", "24"))
SEED = int(os.environ.get("METERING_SEED", "5"))
CYCLE_S = 300
# Once in so many cycles: a location that hangs, one that is out for hours, a reader that holds the store, nobody who collects; and
# a store that is free. Where it is not, polls wait in the spool, which is most of the time here: an ingest costs as much as ten
# cycles of polls.
HANGS, OUTAGES, READERS, DOWN, KILLS, FREE = 150, 80, 60, 100, 6, 24
SETTINGS = f"money_every = 20\n{LIMITS}"


class Week:
    """What happens to a collector: kills, times without one, locations that hang or are out, a store that is held."""

    def __init__(self, rig, collectors):
        self.rig, self.world, self.faults = rig, rig.world, rig.sandbox.faults
        self.chance = random.Random(SEED)
        self.collectors = collectors
        self.unpolled: set[int] = set()
        self.told = Counter()
        self._longest_ms, self._was_killed, self._down = 0, False, 0

    def happens(self, once_in):
        return self.chance.randrange(once_in) == 0

    def live(self, cycles):
        for number in range(cycles):
            if number and number % 100 == 0:
                print(f"{number} cycles, {self.told['kills']} kills", flush=True)
            levels = len(list(self.world.money.levels()))
            self._cycle()
            self.rig.sandbox.advance(CYCLE_S)
            if len(list(self.world.money.levels())) > levels:
                self._down = 0  # nobody can know a level that came and went unseen: somebody looks

    def _cycle(self):
        now_s = self.world.now_s
        if self._down:
            self._down -= 1
            self.unpolled.add(now_s)
            self.told["cycles without a collector"] += 1
            return
        self._strike(now_s)
        if not self._was_killed and self.happens(KILLS):
            after_ms = self.chance.randint(1, max(100, self._longest_ms))
            self._was_killed = not self.collectors.collect(free=self.happens(3), kill_after_ms=after_ms)
            if self._was_killed:
                self.told["kills"] += 1
                if self.happens(2):
                    self.unpolled.add(now_s)
                    return
                self.told["tried again at once"] += 1
        if self.happens(READERS):
            self.told["cycles in which a reader held the store"] += 1
            with self.rig.meter() as meter, meter._store.reading():
                self.collectors.collect()
        else:
            begun = time.monotonic_ns()
            self.collectors.collect(free=self.happens(FREE))
            self._longest_ms = (time.monotonic_ns() - begun) // 1_000_000
        self._was_killed = False
        if self.happens(DOWN):
            self._down = self.chance.randint(1, 12)

    def _strike(self, now_s):
        location = self.chance.choice(self.world.locations)
        if self.happens(HANGS):
            self.faults.add("hang", location=location, times=self.chance.randint(1, 3))
        if self.happens(OUTAGES):
            self.told["outages of a location"] += 1
            self.faults.add("status", value=503, location=location, until_s=now_s + self.chance.randint(1, 20) * CYCLE_S)


@pytest.fixture
def collected(tmp_path):
    """A world, served, with a rig that polls every account at every location."""
    world = seeded_world(SEED + 6, start_s=START_S, elsewhere=True, accounts=2)
    with running(world, faults=Faults(seed=SEED)) as served:
        yield Rig(tmp_path, served, attempts=2, timeout=4, store_wait=0, more=SETTINGS)


@pytest.fixture
def collectors(collected):
    collectors = Collectors(collected)
    yield collectors
    collectors.close()


def assert_missing_polls_have_their_causes(week, start_s):
    """Where a collection was not polled, nobody collected, or it failed with a cause that was kept and a fault had struck."""
    polls = week.rig.polls()
    causes = {
        ((noted_s + 2) // CYCLE_S * CYCLE_S, endpoint, account): cause
        for noted_s, endpoint, account, cause in week.rig.rows(
            "select noted_s, endpoint, account, cause from poll_notes where outcome = 'failed' and resource = 'remotesnapshots'"
        )
    }
    struck = {(hit.now_s, hit.location) for hit in week.faults.hits}
    for now_s in range(start_s, week.world.now_s, CYCLE_S):
        for endpoint, account in itertools.product(week.world.locations, week.world.accounts):
            if now_s in polls.get((endpoint, account), ()) or now_s in week.unpolled:
                continue
            week.told["polls missing with their cause"] += 1
            cause = causes.get((now_s, endpoint, account))
            assert cause, (now_s, endpoint, account)
            assert cause == "timeout" or (now_s, endpoint) in struck


def test_a_world_under_all_faults_and_crashes_is_billed_as_by_itself(collected, collectors):
    rig, week = collected, Week(collected, collectors)
    world, faults = rig.world, rig.sandbox.faults
    rig.sandbox.advance(-world.now_s % CYCLE_S)
    start_s = world.now_s
    collectors.collect()  # who begins to collect asks for everything
    for percent, kind, where in FAULTS:
        faults.add(kind, percent=percent, **where)
    week.live(CYCLES)
    faults.clear()
    (rig.folder / "spool" / "asked.json").unlink(missing_ok=True)
    collectors.collect()
    rig.sandbox.advance(CYCLE_S)
    bill = assert_bill_is_the_worlds_own(rig, start_s, world.now_s)
    assert bill["lines"]

    polls = rig.polls()
    assert all(len(times) == len(set(times)) for times in polls.values())
    assert_missing_polls_have_their_causes(week, start_s)
    durable = {(line["endpoint"], line["account"], instant_seconds(line["poll_time"])) for line in rig.spooled("capture")}
    assert durable == {(*collection, poll_s) for collection, times in polls.items() for poll_s in times}
    assert not list((rig.folder / "spool" / "new").iterdir())
    assert not list((rig.folder / "spool" / "bad").iterdir())
    assert rig.rows("select count(*) from rejections") == [(0,)]
    assert rig.rows("select count(*) from conflicting_samples") == [(0,)]

    struck = Counter(hit.kind for hit in faults.hits)
    if CYCLES > 100:
        assert set(struck) == set(KINDS) - {"skew"}
    told = week.told | {"polls": sum(map(len, polls.values())), "lines of the bill": len(bill["lines"]), "states": {}}
    for name in ("measured", "held", "partial", "missing"):
        told["states"][name] = sum(row[f"{name}_seconds"] for row in bill["usage"])
    print(json.dumps({"seed": SEED, "cycles": CYCLES} | told | {"faults": dict(sorted(struck.items()))}, indent=1))
