"""What a collector has to bear in a simulated world, and how what it brought is judged: for weeks and years under faults."""

import subprocess
import sys
import textwrap
from decimal import Decimal

from metering.model.period import Period, instant_text
from metering.sandbox.world_bill import world_bill

# Each strikes so many percent of the listings asked for.
FAULTS = (
    (3, "status", {"value": 503}), (3, "status", {"value": 429, "retry_after": 1}), (2, "status", {"value": 401}), (3, "html", {}),
    (2, "xml", {}), (2, "error_object", {}), (2, "empty", {}), (2, "cut_json", {}), (2, "cut_gzip", {}), (3, "cut", {}),
    (3, "lost", {}), (4, "page_cap", {"value": 3}), (3, "list_changes", {}), (3, "repeat_object", {}), (2, "shuffle", {}),
    (2, "twice", {}), (3, "total_count", {"value": 0}), (1, "bad_size", {"value": "NaN"}), (1, "bad_size", {"value": "1e400"}),
    (1, "bad_size", {"value": "true"}), (1, "bad_size", {"value": '"12.0"'}), (2, "duplicate_keys", {}),
    (3, "foreign", {"value": 3}), (3, "drive_null", {}), (2, "redirect", {"value": "http://127.0.0.1:1/"}),
    (1, "deep", {"value": 5_000}), (1, "flood", {"value": 300_000}), (1, "bomb", {"value": 3_000_000}),
)  # fmt: skip
# No answer may be larger than the flood and the bomb among them.
LIMITS = "[limits]\nresponse_bytes = 200000"

# For each line that it reads, forks a collector; the line says whether the store is free, and after how many milliseconds to kill
# the collector, if it has not ended by then.
FORKING = textwrap.dedent(
    """
    import os, signal, sys, time
    from pathlib import Path
    import anyio._backends._asyncio, concurrent.futures.thread, httpcore, stamina
    import metering.ingest.ingest, metering.collector.metrics
    from metering.api import Meter
    from metering.config import load_settings
    from metering.collector import keeper, service
    from metering.model.errors import StoreError

    def held(*_):
        raise StoreError("somebody else has it")

    keeper._LINGER_MS = 20
    for line in sys.stdin:
        free, kill_after_ms = map(int, line.split())
        child = os.fork()
        if not child:
            code = 1
            if not free:
                service.ingest_waiting = held
            try:
                with stamina.set_testing(True, attempts=10, cap=True), Meter(load_settings(Path(sys.argv[1]))) as meter:
                    meter.collect()
                code = 0
            finally:
                os._exit(code)
        until = time.monotonic() + kill_after_ms / 1000
        ended = 0
        while not ended:
            ended, status = os.waitpid(child, os.WNOHANG if kill_after_ms else 0)
            if not ended and time.monotonic() >= until:
                os.kill(child, signal.SIGKILL)
                ended, status = os.waitpid(child, 0)
            elif not ended:
                time.sleep(0.002)
        print(os.waitstatus_to_exitcode(status), flush=True)
    """
)


class Collectors:
    """Collects as many times as asked, each time in a process of its own."""

    def __init__(self, rig):
        program = [sys.executable, "-c", FORKING, str(rig.config)]
        self._process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def collect(self, *, free=True, kill_after_ms=0):
        """Collect once; say whether it came to its end, or was killed before."""
        self._process.stdin.write(f"{int(free)} {kill_after_ms}\n")
        self._process.stdin.flush()
        code = int(self._process.stdout.readline())
        assert code in ((0, -9) if kill_after_ms else (0,))
        return code == 0

    def close(self):
        self._process.communicate()


def plain(document, *names):
    """Give the rows of a bill with their money as numbers: `0.30` and `0.3` are one price."""

    def value(name, found):
        return Decimal(found) if name in ("price", "amount", "burst_amount", "amount_due") and found is not None else found

    left_out = ("charge_id",)
    return {name: [{k: value(k, v) for k, v in row.items() if k not in left_out} for row in document[name]] for name in names}


def assert_bill_is_the_worlds_own(rig, start_s, end_s, *, polls=None, cycle_s=300):
    """A bill of what is known now, closed or not, is what the world itself owes, to the last digit; give it."""
    period = Period(start_s, end_s).text
    with rig.meter() as meter:
        bill = meter.bill(period, as_of=instant_text(rig.world.now_s)).document()
    found = rig.polls() if polls is None else polls
    clocks = {"cycle_s": cycle_s, "max_hold_s": 3 * cycle_s}
    truth = world_bill(rig.world, start_s, end_s, polls=found, as_of_s=rig.world.now_s, **clocks)
    own = bill | {"lines": [line for line in bill["lines"] if line["kind"] == "burst"]}
    for name in ("usage", "lines", "episodes"):
        ours, theirs = plain(own, name)[name], plain(truth, name)[name]
        differing = [f"- {row}" for row in theirs if row not in ours] + [f"+ {row}" for row in ours if row not in theirs]
        assert ours == theirs, f"{name} of {period}:\n" + "\n".join(differing[:10])
    if len(own["lines"]) == len(bill["lines"]):  # else the statements carry adjustments of closed periods, too
        assert plain(bill, "statements") == plain(truth, "statements")
    return bill
