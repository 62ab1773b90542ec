"""Whatever change of a disk fails, a command leaves what was there or what should be, never a mixture; run again, it ends well.

Every write, sync, rename, cut and new file counts, those of DuckDB too (tests/faulty_disk.c). A process is killed before a change
or in the middle of a write, or told to end, or the disk fails from there on with EIO or ENOSPC. The suite tries a few places
of each; METERING_EXAMPLES=1000 tries every one, in every way.
"""

import json
import os
import random
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from faulty_disk import WAYS, compiled, on_a_faulty_disk
from small_world import ACCOUNTS, GIB, polls, price, write
from typer.testing import CliRunner

from metering.cli.app import app
from metering.journal import last_ingest
from metering.store import Store

DAY = "2026-10-01"
PLACES = int(os.environ.get("METERING_EXAMPLES", "3"))


@dataclass(frozen=True)
class Command:
    """A command, the words before it that make what it finds, and its own; `{}` is the folder that fails."""

    before: tuple[str, ...]
    words: str


FILLED = ("ingest {}/../facts-1 --store {}/store.duckdb",)
FULL = (*FILLED, "ingest {}/../facts-2 --store {}/store.duckdb")
COMMANDS = {
    "the first ingest": Command((), "ingest {}/../facts-1 --store {}/store.duckdb"),
    "a later ingest": Command(FILLED, "ingest {}/../facts-2 --store {}/store.duckdb"),
    "a closing": Command(FULL, "close 2026-10-01 --store {}/store.duckdb --by ann"),
    "a backup": Command(
        (*FILLED, "backup {}/backup.duckdb --store {}/store.duckdb", FULL[1]),
        "backup {}/backup.duckdb --overwrite --store {}/store.duckdb",
    ),
    "a restore": Command(
        (*FILLED, "backup {}/backup.duckdb --store {}/store.duckdb", FULL[1]), "restore {}/backup.duckdb --store {}/store.duckdb"
    ),
    "an export": Command(
        (*FILLED, "export usage --period 2026-10-01 -o {}/usage.csv --store {}/store.duckdb", FULL[1]),
        "export usage --period 2026-10-01 -o {}/usage.csv --store {}/store.duckdb",
    ),
    "an export of facts": Command(FILLED, "export facts -o {}/facts --store {}/store.duckdb"),
    "a page": Command(FILLED, "report html --period 2026-10-01 --as-of 2026-10-10 -o {}/page.html --store {}/store.duckdb"),
}
# What a process ends with that is told to, if it was not done by then.
TOLD_TO_END = {"term": -signal.SIGTERM, "int": 130}


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    library = compiled(tmp_path_factory.mktemp("disk"))
    if library is None:
        pytest.skip("needs a C compiler and Linux")
    return library


def words_of(line: str, folder: Path) -> list[str]:
    return line.replace("{}", str(folder)).split()


def metering(*words: str) -> str:
    """Run a command in this process, on a disk that is sound."""
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    return done.stdout


def has_facts(store: Path) -> bool:
    with Store(store).reading() as engine:
        return last_ingest(engine) > 0


def bill(store: Path) -> list[object] | None:
    if not store.exists() or not has_facts(store):
        return None
    found = json.loads(metering("bill", DAY, "--store", str(store), "--format", "json", "--as-of", "2026-10-10"))
    # Findings tell when a period was closed, which is another moment each time.
    return [found[part] for part in ("usage", "lines", "episodes", "statements")]


def state(folder: Path) -> tuple[object, ...]:
    """All that a command may change: what is billed, what is closed, the backup, the export."""
    store, backup, export = folder / "store.duckdb", folder / "backup.duckdb", folder / "usage.csv"
    closed = None
    # A store that was made and not filled yet says as much as none.
    if store.exists() and has_facts(store):
        found = json.loads(metering("verify", "--store", str(store), "--format", "json"))
        closed = [closing["period"] for closing in found["closings"]]
    sums = folder / "backup.duckdb.sha256"
    if sums.exists():
        subprocess.run(["sha256sum", "--check", "--quiet", sums.name], cwd=folder, check=True)
    return bill(store), closed, bill(backup), export.read_text() if export.exists() else None, facts(folder / "facts"), page(folder)


def facts(folder: Path) -> dict[str, bytes] | None:
    """Give exported facts, whose manifest tells whether that is all; what has none, or another, would be refused as facts."""
    manifest = folder / "manifest.json"
    if not manifest.exists() or "unfinished" in manifest.read_text():
        return None
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def page(folder: Path) -> str | None:
    return (folder / "page.html").read_text() if (folder / "page.html").exists() else None


def names(folder: Path, way: str = "") -> set[str]:
    """Name what there is, but for the stores that restores have put aside, and a store's log, which its next writer folds in.

    Nobody can tell what has no owner yet from what another makes at this moment: who dies just there leaves it, with nothing in it.
    """
    found = {path for path in folder.rglob("*") if ".replaced-" not in path.name and path.suffix != ".wal"}
    if way not in TOLD_TO_END:
        found = {path for path in found if not (path.name.startswith(".metering-") and not list(path.glob("[!.]*")))}
        found = {path for path in found if not path.name.startswith(".owner-of-this-scratch-folder")}
    return {str(path.relative_to(folder)) for path in found}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_disk_that_fails_anywhere_leaves_old_or_new_and_the_same_again_ends_well(name, disk, tmp_path):
    command = COMMANDS[name]
    write(tmp_path / "facts-1", samples=polls(DAY, "2026-10-02", {"s": GIB}), prices=[price("0.30")], accounts=ACCOUNTS)
    write(tmp_path / "facts-2", samples=polls(DAY, "2026-10-03", {"t": 9 * GIB}, endpoint="GVA"))
    template = tmp_path / "template"
    template.mkdir()
    for line in command.before:
        metering(*words_of(line, template))
    folder = tmp_path / "folder"
    shutil.copytree(template, folder)
    before = state(folder)
    done, changes = on_a_faulty_disk(disk, folder, words_of(command.words, folder))
    assert (done.returncode, changes > 0) == (0, True), done.stderr
    after, there = state(folder), names(folder)
    assert after != before
    places = [(at, way) for at in range(1, changes + 1) for way in WAYS]
    for at, way in random.Random(name).sample(places, min(PLACES, len(places))):
        shutil.rmtree(folder)
        shutil.copytree(template, folder)
        done, _ = on_a_faulty_disk(disk, folder, words_of(command.words, folder), at, way)
        told = f"{way} at change {at} of {changes}: {done.stderr}"
        if way in ("kill", "torn"):
            assert done.returncode == -signal.SIGKILL, told
        elif way in TOLD_TO_END:
            assert done.returncode in (0, TOLD_TO_END[way]), told
            assert "defect of ours" not in done.stderr, told
            assert done.stderr.count("metering: interrupted") == (done.returncode != 0), told
        else:
            # What fails last of all, such as to remove what is no longer needed, need not fail the command.
            assert done.returncode in (0, 1), told
            assert done.stderr.count("\n") <= 1, told
            assert "defect of ours" not in done.stderr, told
            # A disk that fails is told as that: who restores a backup for it loses what came since.
            assert "damaged" not in done.stderr, told
            if done.returncode:
                assert any(
                    mark in done.stderr for mark in (("full", "No space left") if way == "enospc" else ("Input/output error",))
                ), told
        assert state(folder) in (before, after), told
        metering(*words_of(command.words, folder))
        assert state(folder) == after, told
        assert names(folder, way) == there, told


def test_a_workbook_that_does_not_fit_on_its_disk_is_told_in_one_line(disk, tmp_path):
    write(tmp_path / "facts", samples=polls(DAY, "2026-10-02", {"s": GIB}), prices=[price("0.30")], accounts=ACCOUNTS)
    store, folder = str(tmp_path / "store.duckdb"), tmp_path / "folder"
    metering("ingest", str(tmp_path / "facts"), "--store", store)
    folder.mkdir()
    words = ["report", "usage", "--period", DAY, "--store", store, "-o", str(folder / "usage.xlsx")]
    done, changes = on_a_faulty_disk(disk, folder, words)
    assert (done.returncode, changes >= 3) == (0, True), done.stderr
    (folder / "usage.xlsx").unlink()
    # It is made, written and synced; then it is put in its place.
    for at in (1, 2, 3):
        done, _ = on_a_faulty_disk(disk, folder, words, at, "enospc")
        assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
        assert "defect of ours" not in done.stderr
        assert "No space left on device" in done.stderr or "the disk is full" in done.stderr
        assert not (folder / "usage.xlsx").exists()
