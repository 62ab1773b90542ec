"""A resident collector whose time is simulated: it waits for no cycle, and is told what time it is.

    python tests/resident.py SETTINGS EVERY

It is `metering collect --every`: one process, one event loop, one cycle after the other. Before each, it reads a line `NOW FREE`:
the second that it is, and whether the store is free (else polls wait in the spool); an end of the input ends it as SIGTERM does.
After each it writes a line of JSON. Between two cycles the event loop's clock is put ahead, so that the next one begins at once.
"""

import asyncio
import dataclasses
import json
import os
import signal
import sys
import time
from pathlib import Path

import stamina

from metering.api import Meter
from metering.collector import keeper, service
from metering.config import load_settings
from metering.model.errors import StoreError


class Resident:
    """One collector's time and what it says; the loop's clock is ahead of the machine's."""

    def __init__(self, every_s: int) -> None:
        self.every_s = every_s
        self._now_s, self._free = 0, True
        self._ahead_ms = 0
        self._begun_ms: int | None = None
        self._took = service.ingest_waiting
        service.ingest_waiting = self._take
        asyncio.BaseEventLoop.time = lambda _loop: self._ahead_ms / 1_000 + time.monotonic()

    def _tell_tasks(self) -> None:
        for task in asyncio.all_tasks():
            task.print_stack(file=sys.stderr)
        sys.stderr.flush()

    def listen(self) -> None:
        line = sys.stdin.readline()
        if line:
            self._now_s, self._free = map(int, line.split())
        else:
            os.kill(os.getpid(), signal.SIGTERM)

    def clock(self) -> int:
        """Give the microsecond that it is; it stands while a cycle lasts."""
        if self._begun_ms is None:
            self._begun_ms = time.monotonic_ns() // 1_000_000
            asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, self._tell_tasks)
        return self._now_s * 1_000_000

    def say(self, report) -> None:
        names = ("polls", "samples", "waiting_files", "store_trouble")
        said = {name: getattr(report, name) for name in names} | {"failures": len(report.failures)}
        print(json.dumps(said), flush=True)
        self.listen()
        # Half a cycle passes before the collector decides when the next one begins, the rest when it waits for that.
        took_ms = time.monotonic_ns() // 1_000_000 - (self._begun_ms or 0)
        self._ahead_ms += max(0, self.every_s * 500 - took_ms)
        asyncio.get_running_loop().call_soon(self._pass_the_rest)
        self._begun_ms = None

    def _pass_the_rest(self) -> None:
        self._ahead_ms += self.every_s * 500

    def _take(self, store, spool, now_s):
        if not self._free:
            raise StoreError("somebody else has it")
        return self._took(store, spool, now_s)


def main() -> None:
    keeper._LINGER_MS = 20
    resident = Resident(int(sys.argv[2]))
    with stamina.set_testing(True, attempts=10, cap=True), Meter(load_settings(Path(sys.argv[1]))) as meter:
        resident.listen()
        settings = meter._service(resident.say, lambda text: print(f"told: {text}", file=sys.stderr, flush=True))
        mine = dataclasses.replace(settings, clock=resident.clock)
        service.collect(meter.settings.targets, mine, every_s=resident.every_s, once=False)


if __name__ == "__main__":
    main()
