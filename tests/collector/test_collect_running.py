"""A collector that really runs, `metering collect --every`, while the machine around it, its disk or its provider misbehaves.

Every fault comes from outside, by a signal, a mount, a file or a socket; what is judged is the store, the bill, what was said, and
the exit code. A second of the machine is a cycle of the emulated provider.
"""

import contextlib
import gzip
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from collect_help import Rig, assert_nothing_is_lost_or_doubled, collecting
from faulty_disk import compiled
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
    """Let the newest snapshot grow, whose drive is written to, in a second in which nobody was answered before."""
    with rig.world.lock:
        answered_s = rig.world.now_s
        while rig.world.now_s <= answered_s:
            time.sleep(0.005)
            rig.sandbox.sandbox.catch_up()
        drive = list(rig.world.drives.values())[-1]
        rig.world.write(drive, range(40, 50))


def assert_billed_as_owed(rig, *, rejected=0):
    """Nothing is lost or doubled, and a bill from when every price was known on is what the world owes."""
    assert_nothing_is_lost_or_doubled(rig, rejected=rejected)
    rig.sandbox.sandbox.set_speed(0)
    ((begun_s,),) = rig.rows(
        "select max(first_s) from (select min(effective_from_s) as first_s from prices group by location, currency, level "
        "union all select min(effective_from_s) from burst_levels group by location)"
    )
    bill = assert_bill_is_the_worlds_own(rig, begun_s, rig.world.now_s)
    assert bill["lines"]
    return bill


def test_a_machine_that_slept_misses_time_and_polls_on_without_catching_up(rig):
    with collecting(rig) as collector:
        collector.live()
        collector.process.send_signal(signal.SIGSTOP)
        time.sleep(0.2)
        before, asleep_s = len(collector.cycles), rig.world.now_s
        grow(rig)
        time.sleep(3.5)
        rig.sandbox.sandbox.catch_up()
        woken_s = rig.world.now_s
        woken_ns = time.monotonic_ns()
        collector.process.send_signal(signal.SIGCONT)
        collector.live()
        assert len(collector.cycles) - before <= (time.monotonic_ns() - woken_ns) // 10**9 + 2
        assert collector.end() == 0
    assert woken_s - asleep_s >= 3 * CYCLE_S
    for times in rig.polls().values():
        # What was asked for before it slept may have been answered then; nobody polled meanwhile.
        assert not [poll_s for poll_s in times if asleep_s + CYCLE_S < poll_s < woken_s - CYCLE_S]
    bill = assert_billed_as_owed(rig)
    assert {row["missing_seconds"] > 0 for row in bill["usage"]} == {True}
    assert collector.complaints == []


def test_a_terminal_that_is_closed_while_lines_become_durable_ends_it_with_0_and_they_are_counted(rig):
    with collecting(rig) as collector:
        collector.live()
        new = rig.folder / "spool" / "new"
        collector.until(lambda: any(path.name.startswith(".") for path in new.iterdir()))
        assert collector.end(signal.SIGHUP) == 0
        told = collector.cycles
    assert sum(cycle["polls"] for cycle in told) == sum(map(len, rig.polls().values()))
    assert collector.complaints == []
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
    assert collector.complaints == []
    assert max(map(len, rig.polls().values())) == 2
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


# --- files that are damaged while they wait ---


def _flipped(path, sound):
    path.write_bytes(sound[:-20] + bytes([sound[-20] ^ 4]) + sound[-19:])


def _cut(path, sound):
    path.write_bytes(sound[: len(sound) // 2])


def _empty(path, _sound):
    path.touch()


def _other_text(path, _sound):
    path.write_bytes(gzip.compress(b"\x00\xff not JSON\n"))


def _folder(path, sound):
    path.mkdir()
    (path / "x.capture.ndjson.gz").write_bytes(sound)


def _terabyte(path, _sound):
    path.touch()
    os.truncate(path, 2**40)


def _bomb(path, _sound):
    path.write_bytes(gzip.compress(bytes(2**28), 1))


def _link_to_itself(path, _sound):
    path.symlink_to(path)


def _link_to_nothing(path, _sound):
    path.symlink_to("nowhere")


def _pipe(path, _sound):
    os.mkfifo(path)


def _unreadable(path, sound):
    path.write_bytes(sound)
    path.chmod(0)


DAMAGES = (_flipped, _cut, _empty, _folder, _terabyte, _link_to_itself, _link_to_nothing, _pipe, _unreadable)
# These can be read, and hold no line that is a poll.
NO_POLLS = (_other_text, _bomb)
# Root may read everything, unless it gives that up.
AS_A_USER = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.geteuid() == 0 else ()


def damaged(rig, *damages):
    """Put one file of each damage among those that wait; give their names."""
    sound = next((rig.folder / "spool" / "done").rglob("*.capture.ndjson.gz")).read_bytes()
    names = set()
    for damage in damages:
        name = f"20260101T000000000000-1-{damage.__name__[1:]}.capture.ndjson.gz"
        damage(rig.folder / name, sound)
        (rig.folder / name).rename(rig.folder / "spool" / "new" / name)
        names.add(name)
    return names


def test_files_that_are_damaged_while_they_wait_are_set_aside_and_the_rest_goes_on(rig):
    with collecting(rig, before=AS_A_USER) as collector:
        collector.live()
        names, others = damaged(rig, *DAMAGES), damaged(rig, *NO_POLLS)
        collector.until(lambda: {path.name for path in (rig.folder / "spool" / "bad").iterdir()} == names)
        collector.until(lambda: collector.said.count("rejected: ") >= len(others))
        grow(rig)
        collector.live()
        assert collector.end() == 0
    told = collector.cycles
    assert sum(cycle["not_taken"] for cycle in told) == len(names) + len(others)
    assert told[-1]["waiting_files"] == 0
    said = collector.complaints
    assert len(said) == len(names) + len(others)
    for name in names:
        assert [line for line in said if line.startswith("cannot be read, set aside: ") and f"/bad/{name}: " in line]
    for name in others:
        assert [line for line in said if line.startswith("rejected: ") and name in line and len(line) < 1_000]
    for name in names:
        path = rig.folder / "spool" / "bad" / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in (rig.folder / "spool" / "done").glob("2026-01-01-*"):
        path.unlink()
    assert_billed_as_owed(rig, rejected=len(others))


# --- a clock that jumps ---


@pytest.fixture
def ticking(tmp_path):
    """A rig whose provider's clock goes as ours does, in another month, and what sets ours."""
    library = compiled(tmp_path, Path(__file__).parents[1] / "jumping_clock.c")
    assert library is not None, "it takes a C compiler to make a clock jump"
    world = small_world(locations=("ZRH", "GVA"))
    with_snapshots(world, 3)
    with running(world, speed=1) as served:
        rig = Rig(tmp_path, served, attempts=1, timeout=3, cycle=2)
        rig.config.write_text(rig.config.read_text().replace('clock = "provider"', 'clock = "ours"'))
        right_s = world.now_s - int(time.time())
        offset = tmp_path / "offset"

        def jump(seconds):
            with offset.open("r+b" if offset.exists() else "wb") as file:
                file.write((right_s + seconds).to_bytes(8, sys.byteorder, signed=True))

        jump(0)
        yield rig, jump, os.environ | {"LD_PRELOAD": str(library), "JUMPING_CLOCK": str(offset)}


def test_a_clock_that_jumps_is_told_and_neither_stops_nor_hurries_the_cycles(ticking):
    rig, jump, environment = ticking
    begun_ns = time.monotonic_ns()
    with collecting(rig, "2s", env=environment) as collector:
        collector.live()
        assert collector.complaints == []
        for seconds, side in ((2 * 86_400, "ahead of"), (-3_600, "behind")):
            jump(seconds)
            told = [rf"odd: {endpoint}: our clock, .* is \d+ s {side} the provider's: set it" for endpoint in ("ZRH", "GVA")]
            collector.until(lambda told=told: all(re.search(line, collector.said) for line in told))
        jump(0)
        collector.live()
        count = len(collector.complaints)
        collector.live()
        assert len(collector.complaints) == count, "a clock that is right again is no news"
        assert collector.end() == 0
    assert len(collector.cycles) <= (time.monotonic_ns() - begun_ns) // (2 * 10**9) + 1
    assert_nothing_is_lost_or_doubled(rig)


# --- a disk that cannot be written, for real ---


def mount(*words):
    subprocess.run(["mount", *words], check=True)


@contextlib.contextmanager
def small_disk(folder):
    """A disk of its own below a folder."""
    folder.mkdir()
    mount("-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder))
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@contextlib.contextmanager
def filled(disk):
    """Leave no byte of a disk for as long as the block runs."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4_096))
    yield
    filler.unlink()


@contextlib.contextmanager
def read_only(disk):
    """Let nothing be written to a disk for as long as the block runs."""
    mount("-o", "remount,ro", str(disk))
    yield
    mount("-o", "remount,rw", str(disk))


@contextlib.contextmanager
def taken_away(disk):
    """Let the store's folder be elsewhere for as long as the block runs."""
    (disk / "books").rename(disk / "elsewhere")
    yield
    (disk / "elsewhere").rename(disk / "books")


@contextlib.contextmanager
def no_more_files(process):
    """Let a process open no file more for as long as the block runs."""
    most = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (4, most[1]))
    yield
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, most)


STORE_TROUBLES = {filled: "the disk is full", read_only: "the disk may only be read", taken_away: "was removed or replaced"}


def test_polls_wait_while_the_store_cannot_be_written_and_are_delivered_when_it_can(rig, tmp_path, request):
    if os.geteuid() != 0:
        # In a namespace of its own anybody may mount.
        words = ["unshare", "-Urm", sys.executable, "-m", "pytest", f"{__file__}::{request.node.name}"]
        assert subprocess.run(words, check=False).returncode == 0
        return
    with small_disk(tmp_path / "disk") as disk, small_disk(tmp_path / "spool") as spool:
        (disk / "books").mkdir()
        rig.config.write_text(rig.config.read_text().replace("/metering.duckdb", "/disk/books/metering.duckdb"))
        with collecting(rig) as collector:
            collector.live()
            for trouble, said in STORE_TROUBLES.items():
                with trouble(disk):
                    known = len(collector.said)
                    collector.until(lambda known=known: "wait in the spool, none is lost" in collector.said[known:])
                    assert said in collector.said[known:]
                    grow(rig)
                collector.until(lambda: collector.cycles[-1]["waiting_files"] == 0)
            for trouble, said in (
                (filled(spool), f"{spool} cannot be written: No space left on device"),
                (no_more_files(collector.process), "Too many open files"),
            ):
                with trouble:
                    known = len(collector.cycles)
                    collector.until(lambda known=known: any(cycle["polls"] == 0 for cycle in collector.cycles[known:]))
                assert said in collector.said
                collector.until(lambda: collector.cycles[-1]["polls"] == 4)
            assert collector.end() == 0
        assert_billed_as_owed(rig)


# --- two collectors ---


def test_a_second_collector_is_refused_and_the_first_goes_on(rig):
    words = [sys.executable, "-m", "metering", "collect", "--once", "--config", str(rig.config)]
    with collecting(rig) as collector:
        collector.live()
        second = subprocess.run(words, capture_output=True, text=True, check=False)
        assert (second.returncode, second.stdout) == (1, "")
        (said,) = second.stderr.splitlines()
        assert f"process {collector.process.pid} collects into {rig.folder}/spool already: one collector a spool" in said
        collector.live()
        assert collector.end() == 0
    assert collector.complaints == []
    assert_nothing_is_lost_or_doubled(rig)


@pytest.mark.parametrize("part", ["new", "lease"])
def test_who_has_no_right_to_a_spool_is_told_so_and_changes_nothing(rig, part):
    """As another user: here, one who has no right to what somebody made for himself only."""
    rig.collect()
    rig.sandbox.advance(CYCLE_S)
    kept = {path: path.read_bytes() for path in rig.folder.rglob("*") if path.is_file()}
    place = rig.folder / "spool" / part
    mode = place.stat().st_mode
    place.chmod(0)
    try:
        words = [*AS_A_USER, sys.executable, "-m", "metering", "collect", "--once", "--config", str(rig.config)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    finally:
        place.chmod(mode)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert f"the spool {rig.folder}/spool cannot be written: Permission denied; name another in [collect]" in done.stderr
    assert {path: path.read_bytes() for path in rig.folder.rglob("*") if path.is_file()} == kept
