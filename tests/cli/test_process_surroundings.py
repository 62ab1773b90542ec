"""Whatever surrounds the process (streams, locales, names, bounds of the system) ends in an answer or one line."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hour_facts import HOUR, an_hour, write_facts

ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("surroundings")
    facts = an_hour()
    facts["accounts"][0]["name"] = "Käserei 雪"
    write_facts(folder / "facts", facts)
    ran(folder, "metering ingest facts --store s.duckdb")
    return folder


def ran(folder, line, *, code=0, **environment):
    """Run a line of a shell, whose `metering` is this one; give what it said on both streams, as bytes."""
    shim = f'metering() {{ "{sys.executable}" -m metering "$@"; }}; '
    command = ["bash", "-c", shim + line]
    ended = subprocess.run(command, cwd=folder, env=os.environ | environment, capture_output=True, check=False)
    assert ended.returncode == code, (line, ended.stderr)
    assert b"defect of ours" not in ended.stderr, (line, ended.stderr)
    assert b"Traceback" not in ended.stderr, (line, ended.stderr)
    assert b"Exception ignored" not in ended.stderr, (line, ended.stderr)
    return ended.stdout, ended.stderr


BILL = f"metering bill {HOUR} --store s.duckdb"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_stream_that_is_closed_is_none_and_no_file_takes_its_place(filled, closed, tmp_path):
    said, _ = ran(filled, f"{BILL} --format json {closed}")
    assert bool(said) == (">&-" not in closed or closed == "2>&-")
    shutil.copy(filled / "s.duckdb", tmp_path / "closed.duckdb")
    ran(filled, f"metering close {HOUR} --store {tmp_path}/closed.duckdb --by ann --reason why {closed}")
    found = json.loads(ran(filled, f"metering verify --store {tmp_path}/closed.duckdb --format json")[0])
    assert len(found["closings"]) == 1


@pytest.mark.parametrize("words", [f"bill {HOUR}", f"report usage --period {HOUR}", f"audit --period {HOUR} -q"])
@pytest.mark.parametrize("form", ["json", "csv", "table"])
def test_an_output_that_is_full_is_told_in_one_line(filled, words, form):
    _, said = ran(filled, f"metering {words} --format {form} --store s.duckdb >/dev/full", code=1)
    assert said.decode() == "metering: the output cannot be written: No space left on device\n"


def test_a_reader_that_goes_away_is_no_error(filled):
    ran(filled, f"{BILL} --format json | exec <&-; exit ${{PIPESTATUS[0]}}", code=141)


@pytest.mark.parametrize("form", ["json", "csv", "table"])
@pytest.mark.parametrize("environment", [ASCII, {"PYTHONIOENCODING": "latin-1"}, {"LC_ALL": "de_CH.ISO-8859-1"}, {"TERM": "dumb"}])
def test_no_locale_changes_a_byte(filled, form, environment):
    plain, _ = ran(filled, f"{BILL} --format {form}", LC_ALL="C.UTF-8")
    assert "Käserei 雪".encode() in plain
    assert ran(filled, f"{BILL} --format {form}", **environment)[0] == plain


def test_a_width_of_0_is_none(filled):
    """So it is where a shell or a container does not know; a bill of no width was empty, with exit code 0."""
    plain, _ = ran(filled, f"unset COLUMNS; {BILL} --format table")
    assert b"Due in all" in plain
    assert ran(filled, f"{BILL} --format table", COLUMNS="0")[0] == plain
    terminal, _ = ran(filled, f"{BILL} --format table", COLUMNS="0", TTY_COMPATIBLE="1")
    assert b"Due in all" in terminal


def test_a_name_that_is_no_text_is_told_in_one_line(filled, tmp_path):
    raw = os.fsencode(tmp_path) + b"/facts-\xff"
    os.makedirs(raw)  # noqa: PTH103 -- a name that no Path of text has
    shutil.copy(filled / "facts" / "samples.csv", raw + b"/samples.csv") if (filled / "facts" / "samples.csv").exists() else None
    _, said = ran(tmp_path, "metering ingest facts-* --store n.duckdb", code=1)
    assert b"is no name in UTF-8: rename it" in said
    (tmp_path / "folder").mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/folder/samples-\xfe.csv")).write_bytes(b"x")
    _, said = ran(tmp_path, "metering ingest folder --store n.duckdb", code=1)
    assert b"is no name in UTF-8: rename it" in said
    _, said = ran(tmp_path, "metering ingest Zürich --store n.duckdb", code=1, **ASCII)
    assert said.count(b"\n") == 1


@pytest.mark.parametrize("bound", ["-n 24", "-f 100", "-v 500000"])
def test_a_bound_of_the_system_is_survived_or_told_in_one_line(filled, bound):
    store = f"bound{bound.replace(' ', '')}.duckdb"
    # Either it is enough, or one line says what was not; then the same again without the bound brings everything.
    code, _ = ran(filled, f"(ulimit {bound}; metering ingest facts --store {store} -q >out 2>err); echo $?")
    said = (filled / "err").read_text()
    assert len(said.splitlines()) <= 1
    # Where there is no room for what a thread calls its own, the C library ends the process, and no handler of ours is asked.
    assert int(code) <= 1 or said == "cannot allocate memory for thread-local data: ABORT\n"
    ran(filled, f"metering ingest facts --store {store} -q")
    bills = [json.loads(ran(filled, f"metering bill {HOUR} --store {name} --format json")[0]) for name in ("s.duckdb", store)]
    assert bills[0] == bills[1]


def test_a_picture_that_would_open_too_many_files_is_told_in_one_line(filled):
    """What draws gives up on its own terms, on some of its threads, and nobody can catch that."""
    _, said = ran(filled, f"ulimit -n 14; metering plot usage --period {HOUR} -o usage.svg --store s.duckdb", code=1)
    told = "charts need 20 more open files (Too many open files): raise the bound (ulimit -n)"
    assert said.decode() == f"metering: {told}\n"


@pytest.mark.parametrize("words", ["plot usage --period {} -o few.svg", "report html --period {} -o few.html"])
def test_pictures_for_which_there_are_too_few_addresses_are_told_in_one_line(filled, words):
    """What draws reserves more than most machines have, uses little of it, and without it traps the process."""
    _, said = ran(filled, f"ulimit -v 16000000; metering {words.format(HOUR)} --store s.duckdb", code=1)
    told = "charts need 65 GiB of addresses, of memory a hundredth (Cannot allocate memory): raise the bound (ulimit -v)"
    assert said.decode() == f"metering: {told}\n"
    assert not list(filled.glob("few.*"))


@pytest.mark.parametrize(
    ("words", "file"),
    [
        ("export facts -o grown --facts-format csv", "grown/samples.csv"),
        (f"report usage --period {HOUR} -o grown.parquet", "grown.parquet"),
    ],
)
def test_a_file_that_cannot_be_written_is_named_and_not_the_store_that_is_read(filled, words, file):
    _, said = ran(filled, f"ulimit -f 1; metering {words} --store s.duckdb", code=1)
    cause = "a file may not grow that large (see ulimit -f)"
    assert said.decode() == f"metering: {file} cannot be written ({cause}): it stays as it was\n"
    assert not (filled / file).exists()


@pytest.mark.parametrize("variable", ["HOME", "TMPDIR", "USER", "PATH", "TERM", "COLUMNS"])
def test_nothing_of_the_environment_is_needed(filled, variable):
    plain, _ = ran(filled, f"{BILL} --format json")
    assert ran(filled, f"unset {variable}; {BILL} --format json")[0] == plain
    assert ran(filled, f"{BILL} --format json", **{variable: "/nowhere/at/all"} if variable != "PATH" else {})[0] == plain
