"""The collector as a program: one cycle, or one after the other until it is told to stop."""

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from metering.collector.client import now_us
from metering.collector.collect import Collector
from metering.collector.cycle import CycleReport, collections_of
from metering.collector.loops import run_to_end
from metering.collector.spool import Spool
from metering.collector.spool_ingest import SpoolOutcome, ingest_waiting
from metering.collector.targets import Targets
from metering.engine.duckdb import Engine, reason_of, trouble_of_machine
from metering.model.errors import StoreError
from metering.store import Store

# While an endpoint hangs, what came from the others goes into the store this often.
_INGEST_EVERY_S = 15


@dataclass(frozen=True, slots=True)
class Service:
    """What a collector needs beside its settings: where facts go, how long to wait for the store, whom to tell, what time it is."""

    store: Callable[[int], Store]
    store_wait_s: int
    tell_cycle: Callable[[CycleReport], None]
    tell: Callable[[str], None]
    clock: Callable[[], int] = now_us


def collect(targets: Targets, service: Service, *, every_s: int, once: bool) -> CycleReport:
    """Collect until SIGTERM, SIGINT or SIGHUP, or once; gives the last cycle's report.

    Raises:
        MisuseError: the settings name nothing to collect.
        StoreError: another collector holds the spool.
        InputError: the spool cannot be written.
    """
    collections_of(targets)  # what is misconfigured leaves no trace
    spool = Spool(targets.collect.spool, clock=service.clock)
    with spool.held():
        return run_to_end(_run(targets, service, spool, every_s, once=once))


async def _run(targets: Targets, service: Service, spool: Spool, every_s: int, *, once: bool) -> CycleReport:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    deadline_s = targets.collect.deadline_s(every_s)
    with _signals(stop):
        async with Collector(targets, spool, clock=service.clock) as collector:
            begin = loop.time()
            while True:
                report = await _cycle(collector, service, spool, deadline_s, begin + every_s, stop)
                service.tell_cycle(report)
                if once or stop.is_set():
                    return report
                # A cycle that should have begun while this machine slept is gone; the next begins on the beat.
                begin += every_s * max(1, int(-((begin - loop.time()) // every_s)))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout_at(begin):
                        await stop.wait()
                if stop.is_set():
                    return report


async def _cycle(
    collector: Collector, service: Service, spool: Spool, deadline_s: int, next_begin: float, stop: asyncio.Event
) -> CycleReport:
    not_taken: list[str] = []
    polling = asyncio.create_task(collector.cycle(deadline_s, stop))
    while not polling.done():
        await asyncio.wait({polling}, timeout=_INGEST_EVERY_S)
        if not polling.done():
            await _ingest(service, spool, 0, stop, not_taken)
    report = await polling
    left_s = int(next_begin - asyncio.get_running_loop().time()) - 1
    report.store_trouble = await _ingest(service, spool, max(0, min(service.store_wait_s, left_s)), stop, not_taken)
    report.not_taken = len(not_taken)
    # If they cannot be counted, they could not be taken either, which is told.
    with contextlib.suppress(OSError):
        report.waiting_files = len(spool.waiting())
    try:
        await asyncio.to_thread(spool.compact)
    except OSError as error:
        service.tell(f"the spool's days could not be put together ({error.strerror}); tried again after the next cycle")
    return report


async def _ingest(service: Service, spool: Spool, wait_s: int, stop: asyncio.Event, not_taken: list[str]) -> str | None:
    """Take what waits into the store, waiting for others to let go of it as long as there is time; say why it did not work.

    What can never be taken is told, and added to `not_taken`.
    """
    until = asyncio.get_running_loop().time() + wait_s
    while True:
        try:
            outcome = await asyncio.to_thread(ingest_waiting, service.store(0), spool, service.clock() // 1_000_000)
        except StoreError as error:
            trouble = str(error)
        except (OSError, MemoryError, Engine.Error) as error:
            trouble = trouble_of_machine(error) or reason_of(error)
        else:
            not_taken += outcome.set_aside + outcome.rejected
            _tell(service, outcome)
            if not outcome.left:
                return None
            # The same again would need as much: they are tried after the next cycle, and others went before them.
            more = f", and {len(outcome.left) - 1} more" if len(outcome.left) > 1 else ""
            return f"{outcome.left[0]}{more}"
        if stop.is_set() or asyncio.get_running_loop().time() >= until:
            return trouble
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                await stop.wait()


def _tell(service: Service, outcome: SpoolOutcome) -> None:
    for text in outcome.set_aside:
        service.tell(f"cannot be read, set aside: {text}")
    for text in outcome.rejected:
        service.tell(f"rejected: {text}")
    if outcome.conflicting_polls:
        service.tell(f"conflicting: {outcome.conflicting_polls} polls are known with other content: the first stays")


@contextlib.contextmanager
def _signals(stop: asyncio.Event) -> Iterator[None]:
    """Stop cleanly on SIGTERM, SIGINT and SIGHUP; a second one ends the program at once. Only the main thread is told of them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    names = [signal.SIGTERM, signal.SIGINT]
    # Who started it with `nohup` wants it to outlive the terminal.
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        names.append(signal.SIGHUP)

    def told() -> None:
        stop.set()
        for name in names:
            loop.remove_signal_handler(name)

    for name in names:
        loop.add_signal_handler(name, told)
    try:
        yield
    finally:
        for name in names:
            loop.remove_signal_handler(name)
