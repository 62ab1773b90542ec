"""Backups of a store: a copy that is whole, checked and on disk, and the way back.

A store is one file, and whoever copies it while it is written has a file that never was. So a backup is taken while nobody can
write, what was written before is folded in first, and its SHA-256 stands beside it in the form that `sha256sum -c` reads. A
backup that comes back takes the store's place at once or not at all; the store that was there is kept under another name, and
whatever of the books the backup does not know is told (metering/books/head.py).
"""

import contextlib
import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path

from metering.books.closings import Books
from metering.books.head import head_problem, read_head
from metering.books.verification import differences_of_facts_and_chain
from metering.durable import put_new, replaced, sync_file, sync_folder, unfinished
from metering.engine.duckdb import Engine, log_of
from metering.journal import last_ingest
from metering.model.errors import InputError, MisuseError, StoreError, StoreHeldError
from metering.model.progress import Progress
from metering.store import Store

_CHUNK_BYTES = 1 << 20


@dataclass(slots=True)
class Backup:
    """A backup: its file, its size, its digest, and how far the store's facts and books went in it."""

    file: Path
    size_bytes: int
    sha256: str
    last_ingest: int
    last_closing: int
    # Where the store is that it took the place of, and what else a person should know; of a restored one only.
    kept_aside: Path | None = None
    notes: list[str] = field(default_factory=list)


def sums_path(backup: Path) -> Path:
    """Give the place of a backup's digest."""
    return backup.with_name(backup.name + ".sha256")


def back_up(store: Store, target: Path, *, overwrite: bool, progress: Progress) -> Backup:
    """Copy a store while nobody can write it; the copy is on disk, readable by its owner only, with its SHA-256 beside it.

    Raises:
        MisuseError: the store is in memory, or the target is there already and may not be overwritten.
        MeteringError: the store cannot be read, or the target cannot be written; an old backup there stays as it was.
    """
    if store.is_memory:
        raise MisuseError("a store in memory cannot be backed up: it ends with the program")
    store.at(target).assert_named_alike()
    if target.is_dir():
        raise MisuseError(f"{target} is a directory: name a file such as {target / 'backup.duckdb'}")
    if target.exists() and not overwrite:
        raise MisuseError(f"{target} is there already: name another file, or give --overwrite")
    if target.exists() and store.path.exists() and target.samefile(store.path):
        raise MisuseError(f"{target} is the store itself: name another file")
    if log_of(store.path).exists():
        # What a crash left in the log belongs to the store: opening it to write folds it in.
        with store.writing() as engine:
            engine.sql("checkpoint")
    # Closing a file lets go of every lock that this program has on it. So the store is read to its end once, and nothing after.
    with store.reading() as engine, replaced(target) as place:
        if log_of(store.path).exists():
            raise StoreError(f"{store.shown} was left unfinished by another program at this moment: back it up again")
        made = _described(engine, Books.read(engine), target)
        made.sha256 = _copy(store.path, place, progress)
        made.size_bytes = place.stat().st_size
        _assert_store(store.at(place))
        # The old digest goes before the new file comes: a crash in between leaves a backup without one, never with a wrong one.
        sums_path(target).unlink(missing_ok=True)
    with replaced(sums_path(target)) as place:
        place.write_bytes(_sums_line(made.sha256, target))
    return made


def restore(store: Store, source: Path, *, force: bool, progress: Progress) -> Backup:
    """Put a backup in the store's place, once it is known to be whole; what was there is kept beside it.

    Args:
        store: where the backup goes; it need not be there, and may be damaged.
        source: the backup.
        force: restore a backup whose facts or hash chain do not hold, too.
        progress: called with each step, how many are done and how many there are.

    Raises:
        MisuseError: the store is in memory.
        InputError: the backup cannot be read.
        StoreError: the backup is damaged or no store, or the store is held by others; the store stays as it was.
    """
    if store.is_memory:
        raise MisuseError("a backup cannot be restored into memory: name a store with --store")
    if store.path.is_dir():
        raise MisuseError(f"{store.shown or '.'} is a directory, not a store: name a file with --store")
    if not source.is_file():
        raise InputError(f"{source} is no file: name a backup that `metering backup` made")
    if store.path.exists() and source.samefile(store.path):
        raise MisuseError(f"{source} is the store itself: name a backup")
    expected = _expected_digest(source)
    store.assert_named_alike()
    # Each restore has a copy of its own: of two at once, one would put what the other examined in the store's place.
    with unfinished(store.path) as place:
        digest = _copy(source, place, progress)
        sync_file(place)
        if expected not in (None, digest):
            raise StoreError(f"{source} is damaged: its SHA-256 is not the one in {sums_path(source)}; take another backup")
        made = _examined(store.at(place), source, digest, store.path, force=force)
        if expected is None:
            made.notes.append(f"there is no {sums_path(source).name} beside it, so that only its contents could be checked")
        made.kept_aside = _exchange(store, place)
        return made


def _examined(examined: Store, source: Path, digest: str, store: Path, *, force: bool) -> Backup:
    """Hold a copy against its own seals and chain, and against the head of the store whose place it is to take."""
    # What is wrong with a copy is wrong with the backup, which is what its owner knows by name.
    examined.shown = str(source)
    with examined.reading() as engine:
        differences = differences_of_facts_and_chain(engine)
        books = Books.read(engine)
        made = _described(engine, books, source)
    made.sha256, made.size_bytes = digest, examined.path.stat().st_size
    if differences and not force:
        raise StoreError(
            f"{source} does not hold: {differences[0].message}; take another backup, or give --force to restore it all the same"
        )
    made.notes += [f"it does not hold: {difference.message}" for difference in differences]
    if problem := head_problem(store, read_head(store), books):
        made.notes.append(f"the books: {problem}")
    return made


def _described(engine: Engine, books: Books, file: Path) -> Backup:
    """Tell how far a store goes; how large it is, and its digest, are for whoever copies it to fill in."""
    return Backup(file, 0, "", last_ingest(engine), books.closings[-1].closing_seq if books.closings else 0)


def _exchange(store: Store, staged: Path) -> Path | None:
    """Move the store aside and the staged one into its place, while nobody else has it open; a damaged one nobody can open."""
    if not store.path.exists():
        if log_of(store.path).exists():
            # Of a store that is gone: it would be read into the one that comes.
            log_of(store.path).rename(log_of(_free_name(store.path)))
        # One that somebody makes at this moment is a store like any other, and is kept.
        with contextlib.suppress(FileExistsError):
            put_new(staged, store.path)
            return None
    aside, is_moved = _free_name(store.path), False
    try:
        with store.writing() as engine:
            engine.sql("checkpoint")
            _move(store.path, aside, staged)
            is_moved = True
    except StoreHeldError:
        raise
    except StoreError:
        if not is_moved:
            _move(store.path, aside, staged)
    return aside


def _move(path: Path, aside: Path, staged: Path) -> None:
    try:
        # Another name for what is there, so that there is a store at its place at every moment.
        put_new(path, aside)
        # A log is of the store beside which it was written, and would be read into any other.
        if log_of(path).exists():
            log_of(path).rename(log_of(aside))
        staged.replace(path)
    except OSError as error:
        raise InputError(f"{path} cannot be put in place ({error.strerror}); what was there is at {path} or {aside}") from None
    sync_folder(path.parent)


def _free_name(path: Path) -> Path:
    names = (path.with_name(f"{path.name}.replaced-{number}") for number in range(1, 1_000_000))
    return next(name for name in names if not name.exists() and not log_of(name).exists())


def _assert_store(store: Store) -> None:
    with store.reading() as engine:
        last_ingest(engine)


def _expected_digest(source: Path) -> str | None:
    sums = sums_path(source)
    if not sums.is_file():
        return None
    words = sums.read_text(encoding="utf-8", errors="replace").split()
    if not words:
        raise StoreError(f"{sums} tells no SHA-256: remove it if the backup is trusted")
    return words[0].removeprefix("\\").lower()


def _sums_line(digest: str, target: Path) -> bytes:
    r"""Write a digest as `sha256sum` does: a line that begins with a \ where the name would break it, and is written without."""
    name = os.fsencode(target.name)
    safe = name.replace(b"\\", b"\\\\").replace(b"\n", b"\\n").replace(b"\r", b"\\r")
    return (b"" if safe == name else b"\\") + digest.encode() + b"  " + safe + b"\n"


def _copy(source: Path, place: Path, progress: Progress) -> str:
    """Copy a file's bytes and give their SHA-256."""
    digest, done, size = hashlib.sha256(), 0, max(1, source.stat().st_size)
    try:
        with source.open("rb") as reading, place.open("wb") as writing:
            while chunk := reading.read(_CHUNK_BYTES):
                digest.update(chunk)
                writing.write(chunk)
                done += len(chunk)
                progress("copied", min(done, size), size)
    except PermissionError as error:
        raise InputError(f"{error.filename} cannot be read or written ({error.strerror})") from None
    return digest.hexdigest()
