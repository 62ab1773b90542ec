"""A collector that really runs, `metering collect --every`, while the machine around it, its disk or its provider misbehaves.

Every fault comes from outside, by a signal, a mount, a file or a socket; what is judged is the store, the bill, what was said, and
the exit code. A second of the machine is a cycle of the emulated provider.
"""

import contextlib
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest
from collect_help import Rig, assert_nothing_is_lost_or_doubled, collecting
from hard_world import assert_bill_is_the_worlds_own
from sandbox_help import running, small_world, with_snapshots

CYCLE_S = 300


@pytest.fixture
def rig(tmp_path):
    world = small_world(locations=("ZRH", "GVA"))
    with_snapshots(world, 3)
    with running(world, speed=CYCLE_S) as served:
        yield Rig(tmp_path, served, attempts=1, timeout=3)


def grow(rig):
    """Let the newest snapshot grow, whose drive is written to."""
    with rig.world.lock:
        drive = list(rig.world.drives.values())[-1]
        rig.world.write(drive, range(40, 50))


def assert_billed_as_owed(rig):
    """Nothing is lost or doubled, and a bill from the second poll on (prices come with the first) is what the world owes."""
    assert_nothing_is_lost_or_doubled(rig)
    rig.sandbox.sandbox.set_speed(0)
    begun_s = max(times[1] for times in rig.polls().values())
    bill = assert_bill_is_the_worlds_own(rig, begun_s, rig.world.now_s)
    assert bill["lines"]
    return bill


def test_a_machine_that_slept_misses_time_and_polls_on_without_catching_up(rig):
    with collecting(rig) as collector:
        collector.live(2)
        collector.process.send_signal(signal.SIGSTOP)
        time.sleep(0.2)
        before, asleep_s = len(collector.cycles), rig.world.now_s
        grow(rig)
        time.sleep(3)
        rig.sandbox.sandbox.catch_up()
        woken_s = rig.world.now_s
        collector.process.send_signal(signal.SIGCONT)
        collector.live(2)
        told = collector.cycles[before:]
        assert collector.end() == 0
        assert len(told) == 2
    assert woken_s - asleep_s >= 3 * CYCLE_S
    for times in rig.polls().values():
        # What was asked for before it slept may have been answered then; nobody polled meanwhile.
        assert not [poll_s for poll_s in times if asleep_s + CYCLE_S < poll_s < woken_s - CYCLE_S]
    bill = assert_billed_as_owed(rig)
    assert {row["missing_seconds"] > 0 for row in bill["usage"]} == {True}
    assert collector.said == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_told_to_end_while_lines_become_durable_it_counts_them_and_ends_with_0(rig, number):
    with collecting(rig) as collector:
        collector.live()
        new = rig.folder / "spool" / "new"
        collector.until(lambda: any(path.name.startswith(".") for path in new.iterdir()))
        assert collector.end(number) == 0
        told = collector.cycles
    assert sum(cycle["polls"] for cycle in told) == sum(map(len, rig.polls().values()))
    assert collector.said == ""
    assert_nothing_is_lost_or_doubled(rig)


def test_a_terminal_that_is_closed_ends_no_collector_that_was_told_to_stay(rig):
    with collecting(rig, before=("nohup",)) as collector:
        collector.live()
        collector.process.send_signal(signal.SIGHUP)
        collector.live()
        assert collector.end() == 0
    assert_nothing_is_lost_or_doubled(rig)


def test_interrupted_while_it_begins_it_ends_without_a_traceback(rig):
    codes = set()
    for pause_ms in (100, 250, 600):
        with collecting(rig) as collector:
            time.sleep(pause_ms / 1_000)
            codes.add(collector.end(signal.SIGINT))
            assert "Traceback" not in collector.said, pause_ms
    assert codes <= {0, 130, -signal.SIGINT}
    if (rig.folder / "metering.duckdb").exists():
        assert_nothing_is_lost_or_doubled(rig)


def test_a_reader_that_goes_away_ends_it_with_everything_in_the_store(rig):
    with collecting(rig, stdout=subprocess.PIPE) as collector:
        assert collector.process.stdout.readline()
        collector.process.stdout.close()
        assert collector.process.wait(timeout=30) == 141
    assert collector.said == ""
    assert {len(times) for times in rig.polls().values()} == {2}
    assert_nothing_is_lost_or_doubled(rig)


# --- a provider that answers, and never comes to an end ---

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def _drip(send):
    send(HEAD + b"Content-Length: 1000000\r\n\r\n")
    for _ in range(1_000):
        send(b" ")
        time.sleep(0.05)


def _never_ends(send):
    send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    while True:
        send(b"400\r\n" + b" " * 1_024 + b"\r\n")
        time.sleep(0.02)


def _slow_head(send):
    send(HEAD + b"X-Slow: ")
    while True:
        send(b"x")
        time.sleep(0.05)


def _long_head(send):
    send(HEAD + b"X-Long: ")
    while True:
        send(b"x" * 65_536)


def _continues(send):
    while True:
        send(b"HTTP/1.1 100 Continue\r\n\r\n" * 10)
        time.sleep(0.02)


BAD_SERVERS = {"DRIP": _drip, "ENDLESS": _never_ends, "SLOWHEAD": _slow_head, "LONGHEAD": _long_head, "CONTINUES": _continues}


@contextlib.contextmanager
def serving(way):
    """Answer every connection on a port of this machine in a way, until the other side has gone."""

    def answer(connection):
        with connection, contextlib.suppress(OSError):
            connection.recv(65_536)
            way(connection.sendall)

    def accept():
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=answer, args=(listening.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=accept, daemon=True).start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)


def test_a_server_that_never_comes_to_an_end_costs_its_own_polls_only(rig):
    # One request may take longer than a cycle: what ends it is the cycle's deadline.
    text = rig.config.read_text().replace("request_timeout = 3", "request_timeout = 60")
    with contextlib.ExitStack() as servers:
        for name, way in BAD_SERVERS.items():
            port = servers.enter_context(serving(way))
            text = text.replace("[accounts.a0]", f'[endpoints.{name}]\nurl = "http://127.0.0.1:{port}/api/2.0/"\n[accounts.a0]')
        rig.config.write_text(text)
        with collecting(rig, "2s") as collector:
            told = collector.live(2)
            peak_kib = int(Path(f"/proc/{collector.process.pid}/status").read_text().split("VmHWM:")[1].split()[0])
            assert collector.end() == 0
    failures = [failure for cycle in told for failure in cycle["failures"] if failure["endpoint"] in BAD_SERVERS]
    assert {failure["endpoint"] for failure in failures} == set(BAD_SERVERS)
    assert {failure["cause"] for failure in failures} == {"timeout", "malformed"}
    assert {endpoint for endpoint, _ in rig.polls()} == {"ZRH", "GVA"}
    assert all(cycle["milliseconds"] < 10_000 for cycle in told)
    assert peak_kib < 400_000
    assert_nothing_is_lost_or_doubled(rig)
