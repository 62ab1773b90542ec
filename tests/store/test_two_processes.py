"""Several processes at one store, and one that dies behind its commit or in an export: everything once, and never half of it."""

import json
import os
import shutil
import signal
import subprocess
import sys

import pytest
from faulty import PowerError, Trip, digest, power_goes, watched
from hour_facts import HOUR, at, bill_json, ingested, sample, write_facts

import metering

INGEST = [sys.executable, "-m", "metering", "ingest", "--format", "json", "-q"]
# Exports, and is killed when it syncs what it wrote.
KILLED = """
import os, signal, sys
import metering
os.fsync = lambda _descriptor: os.kill(os.getpid(), signal.SIGKILL)
metering.open(sys.argv[1]).export("usage", sys.argv[2], period=sys.argv[3])
"""

# Runs a command, and is told to end when it syncs what it wrote.
ENDED = """
import os, signal, sys
from metering.cli import main
number = int(sys.argv.pop(1))
os.fsync = lambda _descriptor: os.kill(os.getpid(), number)
main()
"""

# Runs a command, and is told to end when it loads a module.
EARLY = """
import os, sys
from metering.cli import main
number, module = int(sys.argv.pop(1)), sys.argv.pop(1)
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == module:
            os.kill(os.getpid(), number)
sys.meta_path.insert(0, Finder())
main()
"""

# Where a file has one name only, as on a stick or a share, and it takes a while to look whether another has the name.
ONE_NAME = """
import errno, os, time
from metering.cli import main
def refused(*_args, **_named):
    raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
def slowly(path, lexists=os.path.lexists):
    found = lexists(path)
    time.sleep(0.5)
    return found
os.link, os.path.lexists = refused, slowly
main()
"""


def started(facts, store, ingest=INGEST):
    return subprocess.Popen(
        [*ingest, str(facts), "--store", str(store)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"METERING_STORE_WAIT": "300"},
    )  # fmt: skip


def test_two_processes_that_ingest_the_same_facts_at_once_bring_them_once(tmp_path, facts):
    store = tmp_path / "store.duckdb"
    both = [started(facts, store) for _ in range(2)]
    printed = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [0, 0], printed
    accepted = sorted(json.loads(out)["tables"]["polls"]["accepted"] for out, _ in printed)
    assert accepted[0] == 0 < accepted[1]
    assert bill_json(store=store) == bill_json(facts)


def test_two_processes_that_make_the_same_store_at_once_where_files_have_one_name_lose_nothing(tmp_path, facts):
    store, more = tmp_path / "store.duckdb", write_facts(tmp_path / "more", {"samples": [sample(at(30), 7, account="new")]})
    ingest = [sys.executable, "-c", ONE_NAME, *INGEST[3:]]
    both = [started(folder, store, ingest) for folder in (facts, more)]
    printed = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [0, 0], printed
    assert bill_json(store=store) == bill_json(facts, more)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["facts", "more", "store.duckdb"]


def test_a_report_while_facts_come_sees_what_was_before_or_what_is_after(tmp_path, facts):
    store = tmp_path / "store.duckdb"
    ingested(facts, store=store)
    more = write_facts(tmp_path / "more", {"samples": [sample(at(minute), 7, account="new") for minute in range(60)]})
    seen = [bill_json(store=store)]
    writer = started(more, store)
    while writer.poll() is None:
        with metering.open(str(store), store_wait=60) as meter:
            seen.append(json.dumps(meter.bill(HOUR).document(), ensure_ascii=False, indent=1))
    writer.communicate()
    seen.append(bill_json(store=store))
    assert writer.returncode == 0
    assert set(seen) == {seen[0], seen[-1]}
    assert seen[0] != seen[-1]
    assert seen == sorted(seen, key=[seen[0], seen[-1]].index), "once it is there it stays"


def test_who_did_not_hear_that_it_was_committed_tries_again_and_adds_nothing(tmp_path, facts):
    store = tmp_path / "store.duckdb"
    ingested(facts, store=store)
    more, before = write_facts(tmp_path / "more", {"samples": [sample(at(30), 7, account="new")]}), digest(store)
    counted = Trip()
    shutil.copy(store, tmp_path / "copy.duckdb")
    with watched(metering.open(str(tmp_path / "copy.duckdb")), counted) as meter:
        meter.ingest(more)
    with watched(metering.open(str(store)), Trip(2 * counted.commits[-1], power_goes)) as meter, pytest.raises(PowerError):
        meter.ingest(more)
    struck = digest(store)
    assert struck != before
    assert ingested(more, store=store).ingest_seq is None
    assert digest(store) == struck
    assert bill_json(store=store) == bill_json(facts, more)


def test_an_export_that_is_killed_leaves_the_file_that_was_there(tmp_path, facts):
    store, place = tmp_path / "store.duckdb", tmp_path / "usage.csv"
    ingested(facts, store=store)
    place.write_text("what was there before")
    killed = subprocess.run([sys.executable, "-c", KILLED, str(store), str(place), HOUR], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert place.read_text() == "what was there before"
    with metering.open(str(store)) as meter:
        meter.export("usage", place, period=HOUR)
    assert place.read_text().startswith("account,location,")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("words", ["backup {}/backup.duckdb", "export usage --period {HOUR} -o {}/usage.csv", "ingest {}/../facts"])
def test_a_command_that_is_told_to_end_leaves_no_unfinished_file(tmp_path, facts, number, words):
    """As `timeout` does, or a terminal that is closed: what it leaves would hold a copy of all facts, each time another."""
    folder = tmp_path / "folder"
    folder.mkdir()
    store = folder / "new.duckdb" if words.startswith("ingest") else tmp_path / "store.duckdb"
    ingested(facts, store=tmp_path / "store.duckdb")
    command = [sys.executable, "-c", ENDED, str(int(number)), *words.format(folder, HOUR=HOUR).split(), "--store", str(store)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stdout) == (-number, "")
    assert done.stderr in ("metering: interrupted; the store is as it was before\n", "")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, -signal.SIGTERM), (signal.SIGINT, 130)])
@pytest.mark.parametrize(
    ("words", "module"),
    [
        ("bill {HOUR}", "metering.cli.app"),
        ("bill {HOUR}", "metering.api"),
        ("sandbox facts -o w", "metering.sandbox.world_life"),
    ],
)
def test_who_interrupts_a_command_that_has_done_nothing_yet_is_told_that_too(tmp_path, number, code, words, module):
    command = [sys.executable, "-c", EARLY, str(int(number)), module, *words.format(HOUR=HOUR).split()]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "metering: interrupted\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_who_interrupts_a_closing_that_is_committed_is_told_that_it_stands(tmp_path, facts, number):
    """What is synced last is the head file, and by then the closing is in the store."""
    store = tmp_path / "store.duckdb"
    ingested(facts, store=store)
    command = [
        sys.executable,
        "-c",
        ENDED,
        str(int(number)),
        "close",
        HOUR,
        "--by",
        "ann",
        "--reason",
        "why",
        "--store",
        str(store),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == (130 if number == signal.SIGINT else -number)
    assert done.stderr == "metering: interrupted; what was brought into the store before stands; run it again\n"
    with metering.open(str(store)) as meter:
        assert len(meter.closings()) == 1
