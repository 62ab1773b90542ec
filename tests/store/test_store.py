"""The store is one file that is whole or says what it is instead; one writes, others wait; a batch is all or nothing."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pytest
from hour_facts import HOUR, an_hour, at, bill_json, counts, ingested, sample, write_facts

import metering
from metering.api import Meter
from metering.config import Settings
from metering.model.errors import MisuseError, NoDataError, StoreError, StoreHeldError
from metering.schema import SCHEMA_VERSION
from metering.store import Store

HOLD = """
import sys
from metering.store import Store, transaction
with Store(sys.argv[1]).{how}() as engine:
    print("holding", flush=True)
    sys.stdin.readline()
"""
# Ingests and is killed, as by `kill -9`, at the step that it is told.
KILLED = """
import os, signal, sys
import metering

def die(step, done, steps):
    if done == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)

with metering.open(sys.argv[1]) as meter:
    meter.ingest(sys.argv[2], progress=die)
"""


@pytest.fixture
def store(tmp_path):
    return tmp_path / "metering.duckdb"


@pytest.fixture
def filled(store, facts):
    ingested(facts, store=store)
    return store


def hold(store, how):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD.format(how=how), str(store)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "holding\n"
    return process


def let_go(process):
    process.communicate("\n", timeout=60)


# Without the seals, which digest when, and from which files, facts came: their own tests hold them.
def digest(store):
    """Every row of every table, in an order of their own."""
    connection = duckdb.connect(str(store), read_only=True)
    tables = connection.execute(
        "select table_name from duckdb_tables() where not internal and table_name <> 'seals' order by 1"
    ).fetchall()
    found = {
        name: sorted(map(repr, connection.execute(f'select * exclude (ingested_at_s) from "{name}"').fetchall()))
        if name == "ingests"
        else sorted(map(repr, connection.execute(f'from "{name}"').fetchall()))
        for (name,) in tables
    }
    connection.close()
    return json.dumps(found)


def refusal(store, pattern):
    before = store.read_bytes() if store.is_file() else None
    with metering.open(str(store), store_wait=0) as meter:
        with pytest.raises(StoreError, match=pattern) as caught:
            meter.bill(HOUR)
        assert "\n" not in str(caught.value)
        with pytest.raises(StoreError, match=pattern):
            meter.ingest(write_facts(store.parent / "some", {"samples": [sample(at(0))]}))
    if before is not None:
        assert store.read_bytes() == before


def test_a_store_of_a_newer_version_is_refused_and_left_alone(filled):
    connection = duckdb.connect(str(filled))
    connection.execute("update store_info set value = cast(cast(value as int) + 1 as varchar) where key = 'schema_version'")
    connection.close()
    refusal(filled, rf"is a store of version {SCHEMA_VERSION + 1}, and this program knows versions up to {SCHEMA_VERSION}: update")


def test_another_duckdb_file_is_refused_and_left_alone(store):
    connection = duckdb.connect(str(store))
    connection.execute("create table orders (id int)")
    connection.close()
    refusal(store, "is a DuckDB file, but no store of metering: name another file")


@pytest.mark.parametrize(
    ("change", "lack"),
    [
        ("drop table prices", "the table prices"),
        ("drop table closed_statements", "the table closed_statements"),
        ("alter table accounts drop column name", "the column name of accounts"),
        ("alter table closings rename column hash to digest", "the column hash of closings"),
    ],
)
def test_a_store_that_lacks_something_is_refused_and_left_alone(filled, change, lack):
    connection = duckdb.connect(str(filled))
    connection.execute(change)
    connection.close()
    refusal(filled, f"lacks {lack}, so it was changed by hand; restore it from a backup$")


@pytest.mark.parametrize("content", [b"just some text\n" * 1000, b"PK\x03\x04", b"\x00" * 100_000, b"SQLite format 3\x00" * 300])
def test_a_file_that_is_no_database_is_refused_and_left_alone(store, content):
    store.write_bytes(content)
    refusal(store, "cannot be opened as a store: it is no DuckDB file")


def test_a_file_of_no_bytes_is_refused_and_left_alone(store):
    store.write_bytes(b"")
    refusal(store, "is empty, which no store is: restore it from a backup, or remove it to begin anew")


@pytest.mark.parametrize("share", [1, 2, 3, 7])
def test_a_store_that_was_cut_off_is_refused_in_one_line(filled, share):
    whole = filled.read_bytes()
    filled.write_bytes(whole[: len(whole) * share // 8])
    with metering.open(str(filled), store_wait=0) as meter, pytest.raises(StoreError) as caught:
        meter.bill(HOUR)
    assert str(caught.value).endswith("restore it from a backup")
    assert "\n" not in str(caught.value)


def test_bits_that_flipped_are_found_before_anything_is_billed(filled):
    """DuckDB checks a sum over every block that it reads."""
    whole, expected, found = filled.read_bytes(), bill_json(store=filled), 0
    for place in range(20_000, len(whole), max(1, len(whole) // 25)):
        filled.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        try:
            assert bill_json(store=filled) == expected, "what was flipped is part of nothing that was read"
        except StoreError as error:
            assert str(error).endswith("restore it from a backup")  # noqa: PT017 -- either of two outcomes
            found += 1
    assert found


def test_a_directory_is_no_store(tmp_path):
    refusal(tmp_path, "is a directory, not a store: name a file such as")


def test_the_command_that_makes_a_store_can_be_pasted_whatever_it_is_called(tmp_path, monkeypatch, facts):
    monkeypatch.chdir(tmp_path)
    with metering.open("my store's.duckdb") as meter, pytest.raises(StoreError) as refused:
        meter.bill(HOUR)
    (told,) = re.findall(r"there is no store at my store's\.duckdb: `metering (.*)` makes one", str(refused.value))
    words = [str(facts) if word == "FACTS" else word for word in shlex.split(told)]
    subprocess.run([sys.executable, "-m", "metering", *words], check=True, capture_output=True)
    assert (tmp_path / "my store's.duckdb").exists()


def test_a_store_that_is_not_there_is_made_by_ingesting_and_by_nothing_else(store, facts):
    with metering.open(str(store)) as meter:
        with pytest.raises(StoreError, match=r"there is no store at .*: `metering ingest FACTS --store .*` makes one"):
            meter.bill(HOUR)
        assert not store.exists()
        meter.ingest(facts)
    assert store.exists()


def test_a_store_is_made_for_its_owner_only_and_stays_as_its_owner_opened_it(filled, facts):
    assert filled.stat().st_mode & 0o777 == 0o600
    filled.chmod(0o640)
    ingested(facts, store=filled)
    assert filled.stat().st_mode & 0o777 == 0o640


def test_a_store_in_a_directory_that_is_not_there_is_refused(tmp_path, facts):
    nowhere = tmp_path / "no" / "such" / "store.duckdb"
    with metering.open(str(nowhere)) as meter, pytest.raises(StoreError, match="its directory is not there or may not be written"):
        meter.ingest(facts)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only to root")
def test_a_store_in_a_directory_that_may_not_be_written_is_refused(tmp_path, facts):
    (tmp_path / "locked").mkdir(mode=0o500)
    with metering.open(str(tmp_path / "locked" / "store.duckdb")) as meter, pytest.raises(StoreError, match="may not be written"):
        meter.ingest(facts)


@pytest.mark.parametrize("name", ["what?.duckdb", "fol?der/metering.duckdb"])
@pytest.mark.parametrize("is_told", [True, False])
def test_a_name_with_a_question_mark_is_refused_before_anything_is_made(tmp_path, monkeypatch, facts, name, is_told):
    place = tmp_path / name
    place.parent.mkdir(exist_ok=True)
    monkeypatch.chdir(place.parent)
    said = r"has a \? in its name, where DuckDB would put its log elsewhere: name another place"
    with metering.open(str(place if is_told else place.name)) as meter, pytest.raises(StoreError, match=said):
        meter.ingest(facts)
    assert list(place.parent.glob("*.duckdb*")) == []
    assert json.loads(bill_json(facts))


def test_a_store_in_memory_keeps_nothing_and_serves_its_meter(tmp_path, facts, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with metering.open(":memory:") as meter:
        assert meter.ingest(facts).ingest_seq == 1
        assert meter.ingest(facts).ingest_seq is None
        assert meter.bill(HOUR).usage
    assert [path.name for path in tmp_path.iterdir()] == ["facts"]


def test_a_reader_waits_for_the_writer_and_then_says_who_holds_the_store(filled):
    writer = hold(filled, "writing")
    try:
        held = rf"is held by process {writer.pid} \(python[^)]*\): waited 0 s; try again"
        with metering.open(str(filled), store_wait=0) as meter, pytest.raises(StoreError, match=held):
            meter.bill(HOUR)
    finally:
        let_go(writer)
    assert json.loads(bill_json(store=filled))["usage"]


def test_a_reader_that_waits_gets_its_turn(filled):
    writer = hold(filled, "writing")
    reader = subprocess.Popen(
        [sys.executable, "-m", "metering", "bill", HOUR, "--store", str(filled), "--format", "json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    time.sleep(1)
    assert reader.poll() is None, "it waits"
    let_go(writer)
    out, err = reader.communicate(timeout=120)
    assert (reader.returncode, err) == (0, "")
    assert json.loads(out)["usage"]


def test_a_writer_waits_for_the_reader_and_then_says_who_holds_the_store(filled, facts):
    reader = hold(filled, "reading")
    try:
        with pytest.raises(StoreError, match=rf"is held by process {reader.pid}"):
            metering.open(str(filled), store_wait=0).ingest(facts)
        assert json.loads(bill_json(store=filled))["usage"], "readers do not hinder each other"
    finally:
        let_go(reader)


@pytest.mark.parametrize("in_memory", [False, True])
def test_threads_of_one_program_wait_for_each_other(store, facts, in_memory):
    """A server that asks for one bill in each of its threads gets each of them; those that write among them, too."""
    with metering.open(":memory:" if in_memory else str(store), threads=1, store_wait=60) as meter, ThreadPoolExecutor(4) as pool:
        meter.ingest(facts)
        expected = meter.bill(HOUR).document()
        bills = [pool.submit(meter.bill, HOUR) for _ in range(6)]
        ingests = [pool.submit(meter.ingest, facts) for _ in range(2)]
        assert [bill.result().document() for bill in bills] == [expected] * 6
        assert [outcome.result().ingest_seq for outcome in ingests] == [None, None]


@pytest.mark.parametrize("how", ["reading", "writing"])
def test_a_thread_that_asks_lets_no_other_program_in(filled, tmp_path, how):
    """The kernel's lock is a program's, and goes where any of its threads closes the file: both would write, and one be lost."""
    linked = tmp_path / "linked.duckdb"
    linked.symlink_to(filled)
    with Store(filled).writing(), ThreadPoolExecutor(1) as pool:
        for name in (filled, linked):
            with pytest.raises(StoreHeldError, match="is held by another thread of this program"):
                pool.submit(getattr(Store(name, wait_seconds=0), how)().__enter__).result()
        other = subprocess.run(
            [sys.executable, "-m", "metering", "bill", HOUR, "--store", str(filled)],
            capture_output=True, text=True, check=False, env=os.environ | {"METERING_STORE_WAIT": "0"},
        )  # fmt: skip
    assert (other.returncode, other.stdout) == (1, "")
    assert f"is held by process {os.getpid()}" in other.stderr


@pytest.mark.parametrize("in_memory", [False, True])
def test_a_thread_that_holds_the_store_is_named_to_the_others(filled, in_memory):
    with metering.open(":memory:" if in_memory else str(filled), store_wait=0) as meter, ThreadPoolExecutor(1) as pool:
        meter.ingest(filled.parent / "facts")
        with meter.computed(HOUR):
            held = pool.submit(meter.bill, HOUR).exception()
        assert isinstance(held, StoreHeldError)
        assert str(held) == (
            f"{':memory:' if in_memory else filled} is held by another thread of this program: waited 0 s; "
            "try again once it is done, or wait longer with METERING_STORE_WAIT"
        )
        assert meter.bill(HOUR).usage


def test_an_ingest_that_is_killed_at_any_step_leaves_all_or_nothing_and_can_be_run_again(tmp_path, facts):
    once, seen = tmp_path / "once.duckdb", []
    with metering.open(str(once)) as meter:
        meter.ingest(facts, progress=lambda _step, done, _steps: seen.append(done))
    expected = digest(once)
    for step in sorted({1, len(seen) // 2, len(seen) - 2, len(seen)}):
        store = tmp_path / f"killed-{step}.duckdb"
        killed = subprocess.run([sys.executable, "-c", KILLED, str(store), str(facts), str(seen[step - 1])], check=False)
        assert killed.returncode == -signal.SIGKILL
        with metering.open(str(store)) as meter:
            assert meter.ingest(facts).ingest_seq == 1, "nothing of it was there"
        assert digest(store) == expected


def test_an_ingest_that_fails_leaves_the_store_as_it_was(filled, tmp_path):
    before = digest(filled)

    def fail(step, _done, _steps):
        if step == "written":
            raise RuntimeError("the power went")

    with metering.open(str(filled)) as meter, pytest.raises(RuntimeError, match="the power went"):
        meter.ingest(write_facts(tmp_path / "more", {"samples": [sample(at(0), account="new")]}), progress=fail)
    assert digest(filled) == before


def test_the_same_facts_in_two_batches_are_known_by_when_they_came(tmp_path, store):
    times = iter([1_000, 2_000])
    first, second = ([sample(at(0), 5)], [sample(at(5), 9)])
    with Meter(Settings(store=str(store)), clock=lambda: next(times)) as meter:
        meter.ingest(write_facts(tmp_path / "first", {"samples": first}))
        meter.ingest(write_facts(tmp_path / "second", {"samples": second}))
    with metering.open(str(store)) as meter:

        def peak(known_at):
            return meter.bill(HOUR, known_at=known_at).usage[0].peak_occupied_bytes

        assert [peak(at) for at in (1, "1", 2, "0002", None)] == [5, 5, 9, 9, 9]
        assert [peak(f"1970-01-01T00:{minute}Z") for minute in ("16:40", "33:19", "33:20")] == [5, 5, 9]
        for early in ("1970-01-01T00:16:39Z", 0):
            with pytest.raises(NoDataError, match=r"nothing was known of .* by then: the first polls came with ingest 1"):
                peak(early)
        for later in (3, 99):
            with pytest.raises(MisuseError, match=f"--known-at {later} is no ingest: the last is 2"):
                peak(later)
        for wrong in ("-1", "1.5", "yesterday", "1970-01-01T00:00:00", ""):
            with pytest.raises(MisuseError, match="give an ingest number or an instant"):
                peak(wrong)


def test_a_clock_that_was_set_back_never_puts_an_ingest_before_the_last(tmp_path, store):
    times = iter([2_000, 1_000])
    with Meter(Settings(store=str(store)), clock=lambda: next(times)) as meter:
        for number in range(2):
            meter.ingest(write_facts(tmp_path / str(number), {"samples": [sample(at(number * 5))]}))
    connection = duckdb.connect(str(store), read_only=True)
    assert connection.execute("select ingested_at_s from ingests order by ingest_seq").fetchall() == [(2_000,), (2_000,)]


def test_time_ends_at_as_of_and_later_polls_are_not_used(filled):
    with metering.open(str(filled)) as meter:
        early = meter.bill(HOUR, as_of="2026-10-05T00:12:30Z")
    assert {row.account: row.measured_seconds for row in early.usage if row.location in ("ZRH", "NA")} == {"00123": 750, "b": 750}
    assert json.loads(bill_json(store=filled, as_of="2026-10-05T01:00:00Z")) == json.loads(bill_json(store=filled))


def test_what_is_stored_does_not_depend_on_the_order_of_what_came_at_once(tmp_path, facts):
    again = write_facts(tmp_path / "shuffled", an_hour(), "parquet", seed=11)
    for folder, store in ((facts, tmp_path / "a.duckdb"), (again, tmp_path / "b.duckdb")):
        ingested(folder, store=store)
    # Both name the files that they came from.
    named = ("ingest_files", "ingests")
    without_files = [
        {name: rows for name, rows in json.loads(digest(tmp_path / f"{name}.duckdb")).items() if name not in named} for name in "ab"
    ]
    assert without_files[0] == without_files[1]


def test_counts_of_a_second_ingest_are_duplicates_only(filled, facts):
    outcome = ingested(facts, store=filled)
    assert outcome.ingest_seq is None
    assert [counts(outcome, table)[0] for table in outcome.tables] == [0] * 5
    assert Path(filled).exists()


def test_a_program_without_a_file_gets_no_progress_among_its_results(tmp_path):
    asked = (
        "import sys; from pathlib import Path; from metering.engine.duckdb import connect; import duckdb; "
        "setting = \"select current_setting('enable_progress_bar')\"; "
        "ours = connect(':memory:', read_only=False, spill_folder=None, places=[Path(sys.argv[1])]); "
        "print(duckdb.connect().execute(setting).fetchone()[0], ours.execute(setting).fetchone()[0])"
    )
    done = subprocess.run([sys.executable, "-c", asked, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout == "True False\n", "DuckDB's own choice, and ours"


@pytest.mark.parametrize("name", ["what\\ever.duckdb", "fol\\der/metering.duckdb"])
@pytest.mark.parametrize("is_told", [True, False])
def test_a_name_with_a_backslash_is_refused_before_anything_is_made_or_read(tmp_path, monkeypatch, facts, name, is_told):
    """DuckDB takes it for a slash, and would read the store of another folder."""
    other = tmp_path / name.replace("\\", "/")
    other.parent.mkdir(parents=True)
    ingested(facts, store=other)
    place = tmp_path / name
    place.parent.mkdir(exist_ok=True)
    monkeypatch.chdir(place.parent)
    with metering.open(str(place if is_told else place.name)) as meter:
        for ask in (lambda: meter.ingest(facts), lambda: meter.bill(HOUR)):
            with pytest.raises(StoreError, match=r"has a \\ in its name, which DuckDB takes for a /: name another place"):
                ask()
    assert list(place.parent.glob("*.duckdb*")) == []


@pytest.mark.parametrize("name", ["~x.duckdb", "md:x", ":memory:x", "file:x.duckdb", "sqlite:x"])
def test_a_name_that_means_something_to_duckdb_is_that_of_a_file(tmp_path, monkeypatch, facts, name):
    """A store called `~x` had its facts beside the home of whoever ran it, and an empty file under its name."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(folder)
    ingested(facts, store=name)
    assert [place.name for place in folder.iterdir()] == [name]
    assert {place.name for place in tmp_path.iterdir()} == {"facts", "here"}
    assert bill_json(store=folder / name) == bill_json(facts)


def test_facts_in_a_folder_that_begins_like_a_home_are_read(tmp_path, monkeypatch, facts):
    shutil.copytree(facts, tmp_path / "~facts")
    monkeypatch.chdir(tmp_path)
    assert ingested(Path("~facts"), store="s.duckdb").ingest_seq == 1


def test_a_link_that_leads_to_itself_and_a_pipe_are_refused(tmp_path, facts):
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe")
    with metering.open(str(tmp_path / "loop")) as meter, pytest.raises(StoreError, match="there is no store at"):
        meter.bill(HOUR)
    with (
        metering.open(str(tmp_path / "loop")) as meter,
        pytest.raises(StoreError, match="is a link that leads to itself: name a file"),
    ):
        meter.ingest(facts)
    refusal(tmp_path / "pipe", "is a device or a pipe, not a store: name a file")
    with metering.open(str(tmp_path / "pipe")) as meter, pytest.raises(StoreError, match="is a device or a pipe"):
        meter.ingest(facts)


@pytest.mark.skipif(shutil.which("setpriv") is None or os.geteuid() != 0, reason="needs root, to put its powers away")
@pytest.mark.parametrize(("mode", "words"), [(0o444, "ingest {facts}"), (0, "bill {HOUR}")])
def test_a_store_of_another_user_is_told_as_that(filled, facts, mode, words):
    filled.chmod(mode)
    os.chown(filled, 65534, 65534)
    powerless = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", sys.executable, "-m", "metering"]
    command = [*powerless, *words.format(facts=facts, HOUR=HOUR).split(), "--store", str(filled)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    said = "this user may not read or write it, as the command does: run it as its owner, or name another file"
    assert (done.returncode, done.stderr) == (1, f"metering: {filled} cannot be opened as a store: {said}\n")
