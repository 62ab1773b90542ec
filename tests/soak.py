"""A simulated year, collected by one process and billed month by month, under faults: memory flat, files bounded, the bill exact.

    python -m tests.soak --days 365 --cycle 3600 --seed 5

One resident collector (resident.py) polls two accounts at three locations through the year, while the provider fails in every way
of hard_world.py, locations are out, others hold the store. In the first eighth of the year it is killed now and then at a random
moment and started again; from then on it has to live to the end, and what it needs is watched. A second collector, killed at random
too, polls at odd times into a spool of its own, which is delivered weeks later, now and then twice. Months are closed as they end
(the closing is killed at random, and repeated); late polls, subscriptions bought for times long past, and prices restate them.

Every simulated week prints what the process and its folders hold. It fails, and says of what, if memory grows, if files pile up, if
the store grows faster than its polls, if any month's bill is not the world's own to the last digit, or if what was closed and its
adjustments do not add up to that.
"""

import argparse
import json
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from collect_help import Rig
from hard_world import FAULTS, Collectors, assert_bill_is_the_worlds_own
from ledger_model import figures_of, key_of

from metering.api import Meter
from metering.books.closing import RefusedError
from metering.config import load_settings
from metering.model.period import SECONDS_PER_DAY, instant_seconds, instant_text, parse_period
from metering.sandbox import World, running
from metering.sandbox.server_faults import Faults
from metering.sandbox.world_life import GIB, Life, seeded_world
from metering.sandbox.world_money import Order

START, LOCATIONS, PROVIDER_CYCLE_S = "2026-10-01", ("GVA", "ZRH", "DUB"), 300
WEEK_S = 7 * SECONDS_PER_DAY
# Once in so many cycles, on the average.
HANGS, OUTAGES, READERS, KILLS, SECONDS, DELIVERIES, BACKDATED, PRICES, FREE = 400, 150, 90, 40, 16, 250, 300, 500, 6
# What may be needed more in the last quarter than in the first, and at the most.
RSS_GROWTH_KIB, STORE_GROWTH_PERCENT = 32 * 1_024, 25
# The list of all that was ever bought is as long as the year; a bomb is longer still.
MORE = "money_every = 20\n[limits]\nresponse_bytes = 2000000"
# No cycle may last longer: every fault is over after two tries of four seconds each.
SLOWEST_S = 120
KILLED = "import sys; sys.path.insert(0, sys.argv[1]); from soak import close_month; close_month(*sys.argv[2:])"


class SoakError(Exception):
    """What did not hold."""


class Slow:
    """A life that goes on once in so many seconds, at the instants of the collector's polls; backups are as rare as they were."""

    def __init__(self, life: Life, every_s: int) -> None:
        self._life, self._every_s = life, every_s
        turns = every_s // PROVIDER_CYCLE_S
        for plan in life.plans:
            plan.every, plan.phase = plan.every * turns, plan.phase * turns

    def __call__(self, world: World, now_s: int) -> None:
        if now_s % self._every_s == 0:
            self._life(world, now_s)


@dataclass(frozen=True)
class Measure:
    """What the process and its folders held at one moment; bytes, KiB of memory, numbers of files."""

    at_s: int
    rss_kib: int
    peak_kib: int
    store_bytes: int
    polls: int
    waiting: int
    done: int
    spool_bytes: int
    hidden: int
    temporary: int
    state: int

    def text(self) -> str:
        each = self.store_bytes // max(1, self.polls)
        return (
            f"{instant_text(self.at_s)[:10]}  rss {self.rss_kib // 1024:4} MiB, peak {self.peak_kib // 1024:4}  "
            f"store {self.store_bytes // 1024:6} KiB, {self.polls:6} polls, {each:4} bytes each  "
            f"spool {self.waiting:3} waiting, {self.done:4} done, {self.spool_bytes // 1024:6} KiB  "
            f"{self.hidden} unsealed, {self.temporary} temporary, {self.state} of state"
        )


class Collecting:
    """The resident process, cycle by cycle."""

    def __init__(self, rig: Rig, cycle_s: int, temporary: Path) -> None:
        self._command = [sys.executable, str(Path(__file__).with_name("resident.py")), str(rig.config), str(cycle_s)]
        self._environment = os.environ | {"TMPDIR": str(temporary)}
        self._stderr = (rig.folder / "told.txt").open("a")
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._stderr, text=True, env=self._environment
        )

    def cycle(self, now_s: int, *, free: bool, kill_after_ms: int = 0) -> dict | None:
        """Let it collect once; give what it says, nothing if it was killed before."""
        self._process.stdin.write(f"{now_s} {int(free)}\n")
        self._process.stdin.flush()
        if kill_after_ms:
            time.sleep(kill_after_ms / 1_000)
            self._process.kill()
            self._process.communicate()
            self.start()
            return None
        if not select.select([self._process.stdout], [], [], SLOWEST_S)[0]:
            self._process.send_signal(signal.SIGUSR1)
            time.sleep(2)
            raise SoakError(f"a cycle took more than {SLOWEST_S} s; told so far:\n{Path(self._stderr.name).read_text()[-20_000:]}")
        line = self._process.stdout.readline()
        if not line:
            raise SoakError(f"the collector ended with {self._process.wait()}")
        return json.loads(line)

    def memory_kib(self) -> tuple[int, int]:
        """Give what it holds now, and held at most since it was last asked."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        found = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        Path(f"/proc/{self._process.pid}/clear_refs").write_text("5")
        return tuple(int(found[name].split()[0]) for name in ("VmRSS", "VmHWM"))

    def end(self) -> None:
        self._process.communicate(timeout=60)
        self._stderr.close()
        if self._process.returncode:
            raise SoakError(f"told to stop, the collector ended with {self._process.returncode}")


def close_month(config: str, month: str, now_s: str) -> dict:
    """Close a month at a moment, with a reason if it cannot be closed without one; give its document."""
    with Meter(load_settings(Path(config)), clock=lambda: int(now_s)) as meter:
        try:
            return meter.close(month, by="soak").bill.document()
        except RefusedError:
            return meter.close(month, by="soak", reason="the provider was out").bill.document()


class Soak:
    """A year of a world and its collectors."""

    def __init__(self, folder: Path, days: int, cycle_s: int, seed: int, start: str = START) -> None:
        self.folder, self.cycle_s, self.chance = folder, cycle_s, random.Random(seed)
        self.start_s = instant_seconds(f"{start}T00:00:00Z")
        self.end_s = self.start_s + days * SECONDS_PER_DAY
        # Prices change where we say so, not where the seed does: the provider dates no price, so it is dated when it is read.
        self.world = seeded_world(
            seed + 6, start_s=self.start_s, days=3 * days + 3, elsewhere=True, accounts=2, drives=1, locations=LOCATIONS
        )
        self.world.lives[:] = [Slow(life, cycle_s) for life in self.world.lives]
        self.faults = Faults(seed=seed)
        self.told: Counter[str] = Counter()
        self.measures: list[Measure] = []
        self.frozen: dict[str, dict] = {}

    def happens(self, once_in: int) -> bool:
        return self.chance.randrange(once_in) == 0

    def run(self) -> None:
        """Live through it all.

        Raises:
            SoakError: something grew, or a process ended.
            AssertionError: a bill is not what it should be.
        """
        for name in ("first", "second", "temporary"):
            (self.folder / name).mkdir()
        settings = {"attempts": 2, "timeout": 4, "cycle": self.cycle_s, "store_wait": 0, "more": MORE}
        with running(self.world, faults=self.faults) as served:
            self.served = served
            self.rig, self.second = Rig(self.folder / "first", served, **settings), Rig(self.folder / "second", served, **settings)
            self.collecting = Collecting(self.rig, self.cycle_s, self.folder / "temporary")
            self.others = Collectors(self.second)
            try:
                self._live()
                self.collecting.end()
                self._judge()
            finally:
                self.collecting._process.kill()
                self.others.close()

    def _live(self) -> None:
        self._cycle(0)
        for percent, kind, where in FAULTS:
            self.faults.add(kind, percent=percent, **where)
        while self.world.now_s < self.end_s + 4 * self.cycle_s:
            now_s = self.world.now_s
            is_over = now_s >= self.end_s
            if is_over:
                self.faults.clear()
            self._happen(now_s)
            may_die = now_s < self.start_s + (self.end_s - self.start_s) // 8
            kill_after_ms = self.chance.randint(1, 300) if may_die and self.happens(KILLS) else 0
            self._cycle(kill_after_ms, free=is_over or self.happens(FREE))
            if (now_s - self.start_s) % WEEK_S == 0:
                self._measure(now_s)
            if is_over or self.happens(SECONDS):
                self.served.advance(self.cycle_s // 2)
                self._second()
            if now_s >= self.end_s or self.happens(DELIVERIES):
                self._deliver()
            self._close_what_ended(now_s)
            self.served.advance(now_s + self.cycle_s - self.world.now_s)
        self._measure(self.world.now_s)

    def _happen(self, now_s: int) -> None:
        """Let the provider fail for a while, a customer buy for times that are past, a price change."""
        location = self.chance.choice(LOCATIONS)
        if self.happens(HANGS):
            self.faults.add("hang", location=location, times=1)
        if self.happens(OUTAGES):
            self.told["outages of a location"] += 1
            self.faults.add("status", value=503, location=location, until_s=now_s + self.chance.randint(1, 20) * self.cycle_s)
        account = self.chance.choice(list(self.world.accounts.values()))
        if self.happens(BACKDATED):
            self.told["subscriptions bought for times past"] += 1
            from_s = max(self.start_s, now_s - self.chance.randint(1, 50) * SECONDS_PER_DAY)
            order = Order(
                self.chance.randint(1, 900) * GIB // 1_000, start_s=from_s, end_s=from_s + self.chance.randint(1, 40 * 86_400)
            )
            self.world.money.buy(account, location, [order], now_s)
        if now_s > self.start_s and (now_s - self.start_s) % (4 * WEEK_S) == 0:
            self._buy_anew(now_s)
        if self.happens(PRICES):
            self.told["prices changed"] += 1
            price = f"0.{self.chance.randint(200, 400)}"
            self.world.money.set_price(price, account.currency, self.chance.randint(1, 3), now_s)

    def _buy_anew(self, now_s: int) -> None:
        """Let what renews itself end, and buy the same from there on: a subscription is listed with all that renewed it.

        Of one that renewed itself daily for a year, the provider's list has 4 MB; nobody would see whether memory grows besides.
        """
        money = self.world.money
        for last in [each for each in money.subscriptions.values() if each.auto_renew and each.child is None]:
            order = Order(last.amount, start_s=last.end_s, period=last.period, auto_renew=True)
            money.buy(self.world.accounts[last.account], last.location, [order], now_s)
            last.auto_renew = False
            self.told["subscriptions bought anew"] += 1

    def _cycle(self, kill_after_ms: int, *, free: bool = True) -> None:
        now_s = self.world.now_s
        if kill_after_ms:
            self.told["collectors killed"] += 1
            self.collecting.cycle(now_s, free=free, kill_after_ms=kill_after_ms)
        if self.happens(READERS):
            self.told["cycles in which a reader held the store"] += 1
            with self.rig.meter() as meter, meter._store.reading():
                said = self.collecting.cycle(now_s, free=True)
        else:
            said = self.collecting.cycle(now_s, free=free)
        self.told["cycles"] += 1
        self.told["failures"] += said["failures"]
        self.told["cycles after which files waited"] += bool(said["waiting_files"])

    def _second(self) -> None:
        """Let the second collector poll, and kill it half of the times; what it has waits in its own spool."""
        ended = self.others.collect(free=False, kill_after_ms=self.chance.randint(1, 300) if self.happens(2) else 0)
        self.told["second collectors" if ended else "second collectors killed"] += 1

    def _deliver(self) -> None:
        """Take the second spool into the store, and what was delivered before once more."""
        new = self.second.folder / "spool" / "new"
        files = list(new.glob("*.gz")) if new.is_dir() else []
        if not files:
            return
        delivered = self.folder / "delivered"
        if self.happens(3):
            shutil.rmtree(delivered, ignore_errors=True)
        delivered.mkdir(exist_ok=True)
        for file in files:
            file.rename(delivered / file.name)
        with Meter(load_settings(self.rig.config), clock=lambda: self.world.now_s) as meter:
            outcome = meter.ingest(delivered)
        self.told["deliveries"] += 1
        self.told["polls that came late"] += outcome.polls.accepted
        self.told["polls that came again"] += outcome.polls.duplicate

    def _close_what_ended(self, now_s: int) -> None:
        """Close the month before, two cycles after its end or later; half of the closings are killed first."""
        month = instant_text(now_s - SECONDS_PER_DAY * 28)[:7]
        end_s = parse_period(month).end_s
        if month in self.frozen or now_s < end_s + 2 * self.cycle_s or end_s <= self.start_s:
            return
        if self.happens(2):
            command = [sys.executable, "-c", KILLED, str(Path(__file__).parent), str(self.rig.config), month, str(now_s)]
            with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
                time.sleep(self.chance.randint(300, 1_500) / 1_000)
                process.kill()
            self.told["closings killed"] += 1
            with Meter(load_settings(self.rig.config), clock=lambda: now_s) as meter:
                done = {closing.period.text for closing in meter.closings()}
                if parse_period(month).text in done:
                    self.frozen[month] = meter.bill(month).document()
                    return
        self.frozen[month] = close_month(str(self.rig.config), month, str(now_s))
        self.told["months closed"] += 1

    # --- what is watched ----------------------------------------------------------------------------------------------------

    def _measure(self, now_s: int) -> None:
        rss_kib, peak_kib = self.collecting.memory_kib()
        spool, store = self.rig.folder / "spool", self.rig.folder / "metering.duckdb"
        files = [path for path in spool.rglob("*") if path.is_file()]
        known = ("metering.duckdb", "metering.toml", "told.txt", "metering.duckdb.head", "metering.duckdb.lock")
        beside = [path for path in self.rig.folder.iterdir() if path.is_file() and path.name not in known]
        beside = [path for path in beside if not path.name.startswith("password-")]
        measure = Measure(
            at_s=now_s, rss_kib=rss_kib, peak_kib=peak_kib, store_bytes=store.stat().st_size,
            polls=self.rig.rows("select count(*) from polls")[0][0],
            waiting=len(list((spool / "new").iterdir())), done=sum(1 for path in files if path.is_relative_to(spool / "done")),
            spool_bytes=sum(path.stat().st_size for path in files), hidden=sum(1 for path in files if path.name.startswith(".")),
            temporary=len(list((self.folder / "temporary").rglob("*"))),
            state=sum(1 for path in files if path.parent == spool) + len(beside),
        )  # fmt: skip
        self.measures.append(measure)
        print(measure.text(), flush=True)

    def assert_nothing_grew(self) -> None:
        """Hold the last quarter against the first: memory, the store for each of its polls; and files at every moment.

        Raises:
            SoakError: it grew.
        """
        quarter = len(self.measures) // 4
        first, last = self.measures[max(1, quarter // 2) : quarter + 1], self.measures[-max(1, quarter) :]
        for what in ("rss_kib", "peak_kib"):
            before, after = (max((getattr(each, what) for each in part), default=0) for part in (first, last))
            if first and after > before + RSS_GROWTH_KIB:
                raise SoakError(f"memory grew: {what} was {before} in the first quarter and {after} in the last")
        if first:
            before, after = ((each.store_bytes, each.polls) for each in (first[-1], last[-1]))
            if after[0] * before[1] * 100 > before[0] * after[1] * (100 + STORE_GROWTH_PERCENT):
                raise SoakError(f"the store grew faster than its polls: bytes and polls were {before} and are {after}")
        days_s, a_day = SECONDS_PER_DAY, SECONDS_PER_DAY // self.cycle_s
        for each in self.measures:
            days = (each.at_s - self.start_s) // days_s + 2
            # A file of each kind for a day that is over, twice where some waited for the store until the next; those of today.
            bounds = {"waiting": 40 * FREE, "done": 4 * days + 8 * a_day, "hidden": 0, "temporary": 0, "state": 3}
            for what, most in bounds.items():
                if getattr(each, what) > most:
                    raise SoakError(f"files pile up: {getattr(each, what)} {what}, {most} at most: {each.text()}")

    def _judge(self) -> None:
        polls = self.rig.polls()
        months = [*self.frozen, self._open()]
        truths = {}
        for month in months:
            period = parse_period(month)
            from_s = max(self.start_s, period.start_s)
            bill = assert_bill_is_the_worlds_own(self.rig, period.start_s, period.end_s, polls=polls, cycle_s=self.cycle_s)
            truths[month] = {key_of(line): figures_of(line) for line in bill["lines"] if line["kind"] == "burst"}
            self.told["lines of the bills"] += len(bill["lines"])
            assert from_s < period.end_s
        self._assert_books_add_up(truths)
        with Meter(load_settings(self.rig.config), clock=lambda: self.world.now_s) as meter:
            assert not meter.verify().differences
        for name in ("rejections", "conflicting_samples"):
            assert self.rig.rows(f"select count(*) from {name}") == [(0,)]
        assert not list((self.rig.folder / "spool" / "bad").iterdir())
        self.told["polls"] = sum(map(len, polls.values()))
        struck = Counter(hit.kind for hit in self.faults.hits)
        print(json.dumps(self.told | {"faults": sum(struck.values()), "kinds of them": len(struck)}, indent=1))
        self.assert_nothing_grew()

    def _open(self) -> str:
        return instant_text(self.world.now_s)[:7]

    def _assert_books_add_up(self, truths: dict[str, dict]) -> None:
        """For each line of each closed month: what was billed, and all adjustments, the open month's too, are what is true now."""
        with Meter(load_settings(self.rig.config), clock=lambda: self.world.now_s) as meter:
            documents = self.frozen | {self._open(): meter.bill(self._open()).document()}
        sums: dict[str, dict] = {month: defaultdict(lambda: (0, 0, Fraction(0))) for month in self.frozen}
        for month, document in documents.items():
            for line in document["lines"]:
                of = line["adjusts"] if line["kind"] == "adjustment" else month
                self.told["adjustments"] += line["kind"] == "adjustment"
                if of in sums:
                    figures = zip(sums[of][key_of(line)], figures_of(line), strict=True)
                    sums[of][key_of(line)] = tuple(before + more for before, more in figures)
        for month, found in sums.items():
            left = {key: figures for key, figures in found.items() if any(figures)}
            assert left == truths[month], f"{month}: closed and adjustments are not what is true"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--cycle", type=int, default=3_600, help="seconds between two polls; a multiple of 300")
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--start", default=START)
    parser.add_argument("--keep", action="store_true", help="leave the folder, to look into what was found")
    given = parser.parse_args()
    begun = time.monotonic_ns()
    folder = Path(tempfile.mkdtemp(prefix="metering-soak-"))
    try:
        Soak(folder, given.days, given.cycle, given.seed, given.start).run()
    except SoakError as error:
        raise SystemExit(f"seed {given.seed}: {error}") from error
    finally:
        if given.keep:
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder)
    print(f"{given.days} days of {given.cycle} s in {(time.monotonic_ns() - begun) // 1_000_000_000} s: passed")


if __name__ == "__main__":
    main()
