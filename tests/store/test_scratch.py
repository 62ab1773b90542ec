"""What a killed command leaves of its temporary files may hold customers' facts: the next command removes it, and nothing else."""

import gzip
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from metering.durable import ScratchFolder

SAMPLES = "poll_time,location,account,snapshot,allocated_size\n"
HOLDER = """
import sys
from pathlib import Path
from metering.durable import ScratchFolder
with ScratchFolder() as folder:
    (Path(folder) / "facts").write_text("of a customer")
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """The system's folder of temporary files, for this process and those that it starts."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def holder():
    """Start a process that holds a folder, and give both."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    return process, Path(process.stdout.readline().strip())


def killed(process):
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_a_folder_is_gone_with_its_end(temporary):
    with ScratchFolder() as folder:
        assert Path(folder).parent == temporary
        assert Path(folder).stat().st_mode & 0o777 == 0o700
    assert list(temporary.iterdir()) == []


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_holds_is_kept(temporary):
    dead, left = holder()
    living, held = holder()
    try:
        killed(dead)
        assert (left / "facts").exists()
        with ScratchFolder():
            assert not left.exists()
            assert (held / "facts").read_text() == "of a customer"
    finally:
        living.communicate("")
    assert list(temporary.iterdir()) == []


def test_what_is_not_known_to_be_left_by_one_of_us_is_kept(temporary, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    dead, left = holder()
    killed(dead)
    left.rename(tmp_path / "elsewhere" / "moved")
    (temporary / "metering-link").symlink_to(tmp_path / "elsewhere" / "moved")
    (temporary / "metering-unmarked").mkdir()
    (temporary / "metering-file").write_text("mine")
    with ScratchFolder():
        pass
    assert {place.name for place in temporary.iterdir()} == {"metering-link", "metering-unmarked", "metering-file"}
    assert (tmp_path / "elsewhere" / "moved" / "facts").exists()


@pytest.mark.usefixtures("temporary")
def test_what_another_user_left_is_kept(monkeypatch):
    dead, left = holder()
    killed(dead)
    with monkeypatch.context() as patched:
        patched.setattr(os, "geteuid", lambda: left.stat().st_uid + 1)
        with ScratchFolder():
            assert (left / "facts").exists()
    with ScratchFolder():
        assert not left.exists()


def test_facts_that_a_killed_ingest_unpacked_are_gone_after_the_next(temporary, tmp_path):
    lines = "".join(f"2026-10-05T00:00:00Z,ZRH,a,s{number},5\n" for number in range(400_000))
    with gzip.open(tmp_path / "samples.csv.gz", "wt", compresslevel=1) as large:
        large.write(SAMPLES + lines)
    (tmp_path / "samples.csv").write_text(SAMPLES + "2026-10-05T00:00:00Z,ZRH,a,s,5\n")
    command = [sys.executable, "-m", "metering", "ingest", "--store", str(tmp_path / "s.duckdb")]
    ingest = subprocess.Popen([*command, tmp_path / "samples.csv.gz"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    until = time.monotonic() + 60
    while not (unpacked := [place for place in temporary.glob("metering-*/*.text") if place.stat().st_size]):
        assert time.monotonic() < until
        assert ingest.poll() is None
        time.sleep(0.005)
    killed(ingest)
    assert unpacked[0].exists()
    subprocess.run([*command, tmp_path / "samples.csv"], capture_output=True, check=True)
    assert list(temporary.iterdir()) == []
