"""A backup is the store, whole; it comes back whole or not at all, and what was there is kept."""

import contextlib
import errno
import hashlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from closed_world import day_meter, more_facts
from small_world import GIB, polls

import metering.store as store_module
from metering import Meter
from metering.books import backups
from metering.journal import last_ingest
from metering.model.errors import InputError, MisuseError, StoreError, StoreHeldError, StoreMemoryError
from metering.store import Store

HOLD = """
import sys
from metering.store import Store
with Store(sys.argv[1]).writing():
    print("holding", flush=True)
    sys.stdin.readline()
"""


KILLED = """
import os, signal, sys
import metering
os.fsync = lambda _descriptor: os.kill(os.getpid(), signal.SIGKILL)
metering.open(sys.argv[1]).backup(sys.argv[2])
"""


@pytest.fixture
def meter(tmp_path):
    return day_meter(tmp_path)


def bill(meter):
    return json.dumps(meter.bill("2026-10-02").document())


def bytes_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_a_backup_that_is_restored_gives_the_same_bill_and_the_same_books(meter, tmp_path):
    meter.close("2026-10-01", by="ann")
    before = bill(meter), meter.closings()
    made = meter.backup(tmp_path / "backup.duckdb")
    more_facts(meter, tmp_path, "more", samples=polls("2026-10-02", "2026-10-03", {"t": GIB}, endpoint="GVA"))
    assert bill(meter) != before[0]
    restored = meter.restore(tmp_path / "backup.duckdb")
    assert (bill(meter), meter.closings()) == before
    assert (restored.sha256, restored.last_ingest, restored.last_closing, restored.notes) == (made.sha256, 1, 1, [])
    assert meter.verify().differences == []


def test_a_backup_has_its_digest_beside_it_and_both_are_private(meter, tmp_path):
    made = meter.backup(tmp_path / "backup.duckdb")
    content = (tmp_path / "backup.duckdb").read_bytes()
    assert (made.sha256, made.size_bytes) == (hashlib.sha256(content).hexdigest(), len(content))
    assert (tmp_path / "backup.duckdb.sha256").read_text() == f"{made.sha256}  backup.duckdb\n"
    for name in ("store.duckdb", "backup.duckdb", "backup.duckdb.sha256"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600, name


def test_a_backup_takes_no_place_of_another_unless_told_to(meter, tmp_path):
    target = tmp_path / "backup.duckdb"
    target.write_text("precious")
    with pytest.raises(MisuseError, match="is there already: name another file, or give --overwrite"):
        meter.backup(target)
    assert target.read_text() == "precious"
    meter.backup(target, overwrite=True)
    assert meter.restore(target).last_ingest == 1
    with pytest.raises(MisuseError, match="is the store itself"):
        meter.backup(meter.settings.store, overwrite=True)


def linked(meter, folder):
    """Give a meter on the same store by a link in another folder."""
    folder.mkdir()
    (folder / "link.duckdb").symlink_to(meter.settings.store)
    return Meter(meter.settings.model_copy(update={"store": str(folder / "link.duckdb")}), clock=meter._clock)


@pytest.mark.parametrize("is_linked", [False, True])
def test_what_a_crash_left_in_the_log_is_in_the_backup(meter, tmp_path, is_linked):
    """A process that dies after it committed leaves its rows in the log beside the store."""
    program = (
        "import duckdb, os, signal, sys\n"
        "c = duckdb.connect(sys.argv[1])\n"
        "c.execute(\"insert into rejections values ('samples', 'f', 1, 'x', '', 'y', null, null, null, 1)\")\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", program, meter.settings.store], check=False)
    assert (tmp_path / "store.duckdb.wal").stat().st_size > 0
    (linked(meter, tmp_path / "links") if is_linked else meter).backup(tmp_path / "backup.duckdb")
    found = duckdb.connect(str(tmp_path / "backup.duckdb"), read_only=True).execute("select file from rejections").fetchall()
    assert found == [("f",)]


def test_the_store_that_was_there_is_kept_beside_the_restored_one_each_time_under_a_new_name(meter, tmp_path):
    meter.backup(tmp_path / "backup.duckdb")
    more_facts(meter, tmp_path, "more", samples=polls("2026-10-02", "2026-10-03", {"t": GIB}, endpoint="GVA"))
    newer = bill(meter)
    first, second = (meter.restore(tmp_path / "backup.duckdb").kept_aside for _ in range(2))
    assert (first.name, second.name) == ("store.duckdb.replaced-1", "store.duckdb.replaced-2")
    assert bill(Meter(meter.settings.model_copy(update={"store": str(first)}), clock=meter._clock)) == newer


def test_a_store_that_a_link_stands_for_is_restored_and_closed_where_it_lies(meter, tmp_path):
    by_link = linked(meter, tmp_path / "links")
    meter.backup(tmp_path / "backup.duckdb")
    more_facts(meter, tmp_path, "more", samples=polls("2026-10-02", "2026-10-03", {"t": GIB}, endpoint="GVA"))
    newer = bill(meter)
    kept_aside = by_link.restore(tmp_path / "backup.duckdb").kept_aside
    assert bill(meter) == bill(by_link) != newer
    assert bill(Meter(meter.settings.model_copy(update={"store": str(kept_aside)}), clock=meter._clock)) == newer
    closed = by_link.close("2026-10-01", by="ann")
    assert json.loads((tmp_path / "store.duckdb.head").read_text()) == {"closing": 1, "hash": closed.closing.hash}
    assert [path.name for path in (tmp_path / "links").iterdir()] == ["link.duckdb"]
    assert by_link.settings.store == str(tmp_path / "links" / "link.duckdb")
    assert (tmp_path / "links" / "link.duckdb").is_symlink()


def test_a_backup_comes_back_where_no_store_is_and_where_one_is_damaged(meter, tmp_path):
    before = bill(meter)
    meter.backup(tmp_path / "backup.duckdb")
    store = tmp_path / "store.duckdb"
    store.unlink()
    assert meter.restore(tmp_path / "backup.duckdb").kept_aside is None
    assert bill(meter) == before
    store.write_bytes(store.read_bytes()[:5_000])
    assert meter.restore(tmp_path / "backup.duckdb").kept_aside.stat().st_size == 5_000
    assert bill(meter) == before


def with_a_flipped_bit(path, share):
    """Flip a bit of a byte that says something, from a share of those on; the rest of a block is filled with zeros."""
    content = bytearray(path.read_bytes())
    telling = [at for at, byte in enumerate(content) if byte]
    content[telling[int(len(telling) * share)]] ^= 0x10
    path.write_bytes(content)


@pytest.mark.parametrize("share", [0.1, 0.4, 0.7, 0.95])
def test_a_backup_with_a_flipped_bit_is_refused_and_the_store_stays(meter, tmp_path, share):
    meter.backup(tmp_path / "backup.duckdb")
    with_a_flipped_bit(tmp_path / "backup.duckdb", share)
    before = bytes_of(tmp_path)
    with pytest.raises(StoreError, match=r"backup\.duckdb is damaged: its SHA-256 is not the one in"):
        meter.restore(tmp_path / "backup.duckdb")
    assert bytes_of(tmp_path) == before
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("share", [0.1, 0.4, 0.7, 0.95])
def test_a_flipped_bit_is_found_without_a_digest_too_where_it_is_of_any_consequence(meter, tmp_path, share):
    meter.backup(tmp_path / "backup.duckdb")
    (tmp_path / "backup.duckdb.sha256").unlink()
    with_a_flipped_bit(tmp_path / "backup.duckdb", share)
    wanted, stored = bill(meter), (tmp_path / "store.duckdb").read_bytes()
    with contextlib.suppress(StoreError):
        meter.restore(tmp_path / "backup.duckdb")
        # It was in a block that nothing reads any more.
        assert meter.verify().differences == []
        stored = (tmp_path / "store.duckdb").read_bytes()
    assert (tmp_path / "store.duckdb").read_bytes() == stored
    assert bill(meter) == wanted


def test_a_backup_whose_facts_were_changed_is_refused_unless_forced(meter, tmp_path):
    meter.backup(tmp_path / "backup.duckdb")
    changed = duckdb.connect(str(tmp_path / "backup.duckdb"))
    changed.execute("update accounts set currency = 'USD'")
    changed.close()
    (tmp_path / "backup.duckdb.sha256").unlink()
    with pytest.raises(StoreError, match=r"does not hold: .*accounts.*--force to restore it all the same"):
        meter.restore(tmp_path / "backup.duckdb")
    notes = meter.restore(tmp_path / "backup.duckdb", force=True).notes
    assert any("accounts" in note for note in notes)


def test_a_backup_from_before_the_last_closing_says_so_and_verify_halts(meter, tmp_path):
    meter.backup(tmp_path / "backup.duckdb")
    meter.close("2026-10-01", by="ann")
    notes = meter.restore(tmp_path / "backup.duckdb").notes
    assert any("tells of closing 1, but the store's last is 0" in note for note in notes)
    assert [difference.what for difference in meter.verify().differences] == ["head"]


def test_a_store_that_is_held_is_neither_backed_up_nor_replaced(meter, tmp_path):
    meter.backup(tmp_path / "backup.duckdb")
    before = bytes_of(tmp_path)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, meter.settings.store], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "holding\n"
    waiting = Meter(meter.settings.model_copy(update={"store_wait": 0}), clock=meter._clock)
    with pytest.raises(StoreHeldError, match="is held by"):
        waiting.restore(tmp_path / "backup.duckdb")
    with pytest.raises(StoreHeldError, match="is held by"):
        waiting.backup(tmp_path / "another.duckdb")
    holder.communicate("\n", timeout=60)
    assert bytes_of(tmp_path) == before


@pytest.mark.parametrize(
    ("name", "content", "refusal"),
    [
        ("nothing.duckdb", None, "is no file: name a backup"),
        ("text.duckdb", b"precious", "it is no DuckDB file"),
        ("empty.duckdb", b"", "is empty, which no store is"),
        ("store.duckdb", None, "is the store itself"),
    ],
)
def test_what_is_no_backup_is_refused_and_the_store_stays(meter, tmp_path, name, content, refusal):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    before = bytes_of(tmp_path)
    with pytest.raises((InputError, StoreError, MisuseError), match=rf"^{tmp_path / name}.*{refusal}"):
        meter.restore(tmp_path / name)
    assert bytes_of(tmp_path) == before


def test_a_backup_that_takes_more_memory_than_there_may_be_is_no_bad_one(meter, tmp_path):
    """Its copy is examined with the memory that is set, and what that lacks is told, not that the backup does not hold."""
    made = meter.backup(tmp_path / "backup.duckdb")
    small = Meter(meter.settings.model_copy(update={"memory": "2MB"}))
    before = bytes_of(tmp_path)
    lacks = r"backup\.duckdb cannot be used: it needs more memory than it may use: raise the setting `memory`"
    with pytest.raises(StoreMemoryError, match=lacks):
        small.restore(made.file)
    assert bytes_of(tmp_path) == before
    assert meter.restore(made.file).notes == []


def test_a_store_in_memory_has_no_backup(tmp_path):
    with Meter.opened(":memory:") as meter:
        with pytest.raises(MisuseError, match="in memory"):
            meter.backup(tmp_path / "backup.duckdb")
        with pytest.raises(MisuseError, match="into memory"):
            meter.restore(tmp_path / "backup.duckdb")


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only to root")
def test_a_backup_in_a_folder_that_may_not_be_written_is_refused(meter, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(InputError, match="cannot be written"):
        meter.backup(tmp_path / "locked" / "backup.duckdb")


def test_of_two_restores_at_once_each_tells_what_it_put_there(meter, tmp_path, monkeypatch):
    """One put the file in place that the other had just laid ready, and said that it was its own."""
    meter.backup(tmp_path / "old.duckdb")
    more_facts(meter, tmp_path, "more", samples=polls("2026-10-02", "2026-10-03", {"t": GIB}, endpoint="GVA"))
    meter.backup(tmp_path / "new.duckdb")
    examined, made = backups._examined, []

    def another_comes_in_between(*values, **named):
        monkeypatch.setattr(backups, "_examined", examined)
        found = examined(*values, **named)
        made.append(meter.restore(tmp_path / "new.duckdb"))
        return found

    monkeypatch.setattr(backups, "_examined", another_comes_in_between)
    made.append(meter.restore(tmp_path / "old.duckdb"))
    assert [each.last_ingest for each in made] == [2, 1]
    store = tmp_path / "store.duckdb"
    with Store(store).reading() as engine:
        assert last_ingest(engine) == 1
    with Store(made[1].kept_aside).reading() as engine:
        assert last_ingest(engine) == 2


def test_a_store_that_is_replaced_while_it_is_opened_is_opened_again(meter, tmp_path, monkeypatch):
    """Between a file's opening and its lock a restore may put another there; facts then went into the one that was moved aside."""
    meter.backup(tmp_path / "backup.duckdb")
    connect = store_module.connect

    def replaced_meanwhile(path, **named):
        connection = connect(path, **named)
        if path == meter.settings.store:
            monkeypatch.setattr(store_module, "connect", connect)
            Path(path).rename(tmp_path / "aside.duckdb")
            shutil.copy(tmp_path / "backup.duckdb", path)
        return connection

    monkeypatch.setattr(store_module, "connect", replaced_meanwhile)
    more_facts(meter, tmp_path, "more", samples=polls("2026-10-02", "2026-10-03", {"t": GIB}, endpoint="GVA"))
    for name, ingests in (("store.duckdb", 2), ("aside.duckdb", 1)):
        with Store(tmp_path / name).reading() as engine:
            assert last_ingest(engine) == ingests


def test_a_backup_comes_back_where_files_have_one_name_only(meter, tmp_path, monkeypatch):
    """As on a stick or a share, whose file systems know no hard links."""

    def refused(path, _other):
        raise PermissionError(errno.EPERM, "Operation not permitted", str(path))

    monkeypatch.setattr(Path, "hardlink_to", refused)
    before = bill(meter)
    meter.backup(tmp_path / "backup.duckdb")
    aside = meter.restore(tmp_path / "backup.duckdb").kept_aside
    assert aside is not None
    assert aside.is_file()
    Path(meter.settings.store).unlink()
    assert meter.restore(tmp_path / "backup.duckdb").kept_aside is None
    assert bill(meter) == before


@pytest.mark.parametrize("name", ["two\nlines.duckdb", "a\rb", "it's 100 %.duckdb"])
def test_a_digest_can_be_checked_whatever_the_backup_is_called(meter, tmp_path, name):
    folder = tmp_path / "backups"
    folder.mkdir()
    meter.backup(folder / name)
    subprocess.run(["sha256sum", "--check", "--quiet", name + ".sha256"], cwd=folder, check=True)
    assert meter.restore(folder / name).notes == []
    assert {place.name for place in folder.iterdir()} == {name, name + ".sha256"}


def test_a_log_without_its_store_is_read_into_no_other(meter, tmp_path):
    """As it is left where a crash was, and somebody then removes the store alone: what was restored there could not be opened."""
    store, log = tmp_path / "store.duckdb", tmp_path / "store.duckdb.wal"
    meter.backup(tmp_path / "backup.duckdb")
    store.unlink()
    log.write_bytes(b"what was not in the store yet")
    with pytest.raises(StoreError, match=r"is the log of a store that is not there, and holds facts of it: bring that store back"):
        more_facts(meter, tmp_path, "more", samples=polls("2026-10-02", "2026-10-03", {"t": GIB}, endpoint="GVA"))
    assert not store.exists()
    meter.restore(tmp_path / "backup.duckdb")
    assert meter.verify().differences == []
    assert (tmp_path / "store.duckdb.replaced-1.wal").read_bytes() == b"what was not in the store yet"


def test_what_a_killed_backup_left_is_removed_by_the_next(meter, tmp_path):
    folder = tmp_path / "backups"
    folder.mkdir()
    killed = subprocess.run([sys.executable, "-c", KILLED, meter.settings.store, folder / "b.duckdb"], check=False)
    assert killed.returncode == -signal.SIGKILL
    (left,) = folder.iterdir()
    assert left.name.startswith(".metering-")
    meter.backup(folder / "c.duckdb")
    assert {place.name for place in folder.iterdir()} == {"c.duckdb", "c.duckdb.sha256"}
