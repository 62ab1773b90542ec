"""The store: one DuckDB file of append-only facts.

Facts are only ever added. Every accepted fact carries the sequence number of the ingest that brought it, so what was known at
any moment can be asked for again. One process writes at a time and for moments; others wait, with a bound.

DuckDB was chosen over files with a manifest, a Delta table and a server: see metering/README.md.
"""

import contextlib
import os
import shlex
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb

from metering.durable import ScratchFolder, commit_begins, file_at, put_new, sync_file
from metering.engine.duckdb import (
    ANOTHER_THREAD,
    DEFAULT_MEMORY,
    DENIED,
    MEMORY,
    NO_DUCKDB,
    Engine,
    connect,
    holder_of,
    is_damage,
    is_duckdb,
    is_held,
    log_of,
    quoted,
    reason_of,
    refusal_of,
    trouble_of_machine,
)
from metering.model.clock import Clock
from metering.model.errors import StoreError, StoreHeldError, StoreMemoryError
from metering.model.limits import DEFAULT_LIMITS, ReadingLimits
from metering.schema import SCHEMA, SCHEMA_VERSION, every_column, lacking

DEFAULT_WAIT_SECONDS = 30
_COLUMNS = "select table_name, column_name from duckdb_columns() where not internal and database_name <> 'temp'"
# By place, whose turn it is among the threads of this program. The kernel's lock is the program's, and is lost where any of its
# threads closes the file: so while one has the store open, no other may even look into it.
_TURNS: dict[str, threading.Lock] = {}


class Store:
    """A store by its place; opened for each operation and closed after it, so that other programs and threads get their turn."""

    def __init__(
        self,
        path: str | Path,
        *,
        memory: str = DEFAULT_MEMORY,
        threads: int | None = None,
        wait_seconds: int = DEFAULT_WAIT_SECONDS,
        clock: Clock = Clock(),  # noqa: B008 -- it is frozen
        limits: ReadingLimits = DEFAULT_LIMITS,
    ) -> None:
        self.shown = str(path)
        self._ingesting = f"metering ingest FACTS --store {shlex.quote(self.shown)}"
        self.is_memory = self.shown == MEMORY
        # Of a link, what it stands for: there DuckDB has its log, and there the head file and what a restore replaces belong.
        self.path = Path(os.path.realpath(path)) if Path(path).is_symlink() else Path(path)
        self.clock = clock
        self.limits = limits
        self._memory = memory
        self._threads = threads
        self._wait_seconds = wait_seconds
        self._kept: duckdb.DuckDBPyConnection | None = None
        self._spill: ScratchFolder | None = None
        self._turn = threading.RLock()

    def at(self, path: Path) -> "Store":
        """Give the store at another place, used as this one is."""
        return Store(
            path, memory=self._memory, threads=self._threads, wait_seconds=self._wait_seconds, clock=self.clock, limits=self.limits
        )

    @contextlib.contextmanager
    def reading(self, *, places: Sequence[Path] = ()) -> Iterator[Engine]:
        """Open the store to read; nothing is written to it.

        Args:
            places: the only files and folders beside it that SQL may read or write meanwhile.

        Raises:
            StoreError: there is no store, it is of a newer version, damaged, or held by a writer for longer than the bound.
        """
        self.assert_named_alike()
        if not self.is_memory and not self._is_there():
            raise StoreError(f"there is no store at {self.shown}: `{self._ingesting}` makes one")
        with self._opened(read_only=True, places=places) as engine:
            yield engine

    @contextlib.contextmanager
    def writing(self, *, places: Sequence[Path] = ()) -> Iterator[Engine]:
        """Open the store to write, making it first where there is none.

        Args:
            places: the only files and folders beside it that SQL may read or write meanwhile.

        Raises:
            StoreError: it is of a newer version, damaged, cannot be made or written, or is held by others beyond the bound.
        """
        # Names are URLs to DuckDB: it takes what follows for no part of the file's.
        self._assert_without("?", "where DuckDB would put its log elsewhere")
        self.assert_named_alike()
        if not self.is_memory and not os.path.lexists(self.path):
            self._make()
        with self._opened(read_only=False, places=places) as engine:
            yield engine

    def assert_named_alike(self) -> None:
        r"""Fail where DuckDB would open another file than is named: a \\ in a name is a / to it.

        Raises:
            StoreError: there is one in the name.
        """
        self._assert_without("\\", "which DuckDB takes for a /")

    def _assert_without(self, mark: str, why: str) -> None:
        """Fail where DuckDB would see a character in the name of the file, or of a folder above it: it takes whole paths."""
        named = self.shown if mark in self.shown else os.path.realpath(self.path)
        if mark in named and not self.is_memory:
            raise StoreError(f"{named} has a {mark} in its name, {why}: name another place")

    def close(self) -> None:
        """Forget a store in memory, and remove what was spilled."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None
        if self._spill is not None:
            self._spill.cleanup()
            self._spill = None

    def _make(self) -> None:
        """Make a store without facts, whole or not at all; if somebody else makes one at the same time, the first counts.

        Raises:
            StoreError: it cannot be made there.
        """
        if log_of(self.path).exists():
            raise StoreError(
                f"{log_of(self.path)} is the log of a store that is not there, and holds facts of it: bring that store back, or "
                "remove the log to begin anew"
            )
        try:
            with ScratchFolder(beside=self.path) as folder:
                # Only its owner may read it, and of the temporary folder nobody else sees anything.
                place = Path(folder) / "store"
                connection = connect(str(place), read_only=False, spill_folder=None, memory=self._memory, threads=1)
                try:
                    _make_schema(Engine(connection))
                finally:
                    connection.close()
                place.chmod(0o600)
                sync_file(place)
                with contextlib.suppress(FileExistsError):
                    put_new(place, self.path)
        except OSError as error:
            raise StoreError(
                f"{self.shown} cannot be made ({error.strerror}): its directory is not there or may not be written, or the disk is "
                "full; name another place with --store"
            ) from None
        except duckdb.Error as error:
            raise StoreError(f"{self.shown} cannot be made: {trouble_of_machine(error) or refusal_of(error)}") from None

    @contextlib.contextmanager
    def _opened(self, *, read_only: bool, places: Sequence[Path]) -> Iterator[Engine]:
        if self.is_memory:
            with self._in_turn(self._turn):
                if self._kept is None:
                    self._spill = ScratchFolder()
                    # It serves operations to come, whose files nobody knows yet.
                    self._kept = self._connect(read_only=False, spill_folder=Path(self._spill.name), places=None)
                    _make_schema(Engine(self._kept))
                with self._trouble_told(read_only=read_only):
                    yield Engine(self._kept)
            return
        deadline = time.monotonic() + self._wait_seconds
        with self._in_turn(_turn_at(self.path)), ScratchFolder() as spill:
            connection = self._wait_for_connection(deadline, read_only=read_only, spill_folder=Path(spill), places=places)
            try:
                with self._trouble_told(read_only=read_only):
                    engine = Engine(connection)
                    self._check_schema(engine, read_only=read_only)
                    yield engine
            finally:
                connection.close()

    @contextlib.contextmanager
    def _in_turn(self, turn: "threading.Lock | threading.RLock") -> Iterator[None]:
        """Let one thread after the other have a store."""
        if not turn.acquire(timeout=self._wait_seconds):
            raise self._held(ANOTHER_THREAD)
        try:
            yield
        finally:
            turn.release()

    def _held(self, holder: str) -> StoreHeldError:
        return StoreHeldError(
            f"{self.shown} is held by {holder}: waited {self._wait_seconds} s; "
            "try again once it is done, or wait longer with METERING_STORE_WAIT"
        )

    @contextlib.contextmanager
    def _trouble_told(self, *, read_only: bool) -> Iterator[None]:
        """Say in words what the machine lacks, what is damaged, or what no sum can hold, where the engine stops for that."""
        try:
            yield
        except duckdb.Error as error:
            if said := trouble_of_machine(error):
                wrote = "" if read_only else "nothing was written; "
                kind = StoreMemoryError if isinstance(error, duckdb.OutOfMemoryException) else StoreError
                raise kind(f"{self.shown} cannot be used: {said}; {wrote}mend that and run again") from None
            if isinstance(error, duckdb.OutOfRangeException) and "Overflow" in str(error):
                digits = "sizes or amounts that add up to more than 38 digits"
                raise StoreError(f"{self.shown} has {digits}: correct those that no storage has, with --supersede") from None
            if self.is_memory or not is_damage(error, self.path):
                raise
            raise StoreError(f"{self.shown} is damaged ({reason_of(error)}); restore it from a backup") from None

    def _connect(self, *, read_only: bool, spill_folder: Path, places: Sequence[Path] | None) -> duckdb.DuckDBPyConnection:
        path = MEMORY if self.is_memory else str(self.path)
        return connect(
            path, read_only=read_only, spill_folder=spill_folder, memory=self._memory, threads=self._threads, places=places
        )

    def _wait_for_connection(
        self, deadline: float, *, read_only: bool, spill_folder: Path, places: Sequence[Path]
    ) -> duckdb.DuckDBPyConnection:
        self._assert_file()
        while True:
            place = file_at(self.path)
            try:
                connection = self._connect(read_only=read_only, spill_folder=spill_folder, places=places)
            except (duckdb.Error, UnicodeError) as error:
                if not is_held(error):
                    said = trouble_of_machine(error) or refusal_of(error)
                    raise StoreError(f"{self.shown} cannot be opened as a store: {said}") from None
                if time.monotonic() >= deadline:
                    raise self._held(holder_of(str(error))) from None
                time.sleep(0.05)
                continue
            if file_at(self.path) == place:
                return connection
            # A restore put another file there, after this one was opened and before it was locked: facts would go into the old one.
            connection.close()

    def _is_there(self) -> bool:
        """Tell whether there is a file; where this user may not even look, opening it says so."""
        try:
            return self.path.exists()
        except PermissionError:
            return True

    def _assert_file(self) -> None:
        """Fail where there is a file that is no store, before DuckDB is asked.

        Raises:
            StoreError: it is none, or may not be read.
        """
        try:
            if self.path.is_dir():
                raise StoreError(f"{self.shown} is a directory, not a store: name a file such as {self.shown}/metering.duckdb")
            if not self.path.exists():
                if self.path.is_symlink():
                    raise StoreError(f"{self.shown} is a link that leads to itself: name a file")
                return
            if not self.path.is_file():
                raise StoreError(f"{self.shown} is a device or a pipe, not a store: name a file")
            # DuckDB takes an empty file for a new database; to us it is what a crash or a full disk left of a store.
            if self.path.stat().st_size == 0:
                raise StoreError(f"{self.shown} is empty, which no store is: restore it from a backup, or remove it to begin anew")
            # Asked to open another program's database, DuckDB would look for an extension that reads it.
            if not is_duckdb(self.path):
                raise StoreError(f"{self.shown} cannot be opened as a store: {NO_DUCKDB}")
        except PermissionError:
            raise StoreError(f"{self.shown} cannot be opened as a store: {DENIED}") from None

    def _check_schema(self, engine: Engine, *, read_only: bool) -> None:
        columns = set() if (is_whole := _has_every_column(engine)) else set(engine.sql(_COLUMNS))
        if not is_whole and "store_info" not in {table for table, _ in columns}:
            if columns:
                raise StoreError(f"{self.shown} is a DuckDB file, but no store of metering: name another file")
            if read_only:
                raise StoreError(f"{self.shown} is empty: `{self._ingesting}` fills it")
            _make_schema(engine)
            return
        version = self._version(engine)
        if version > SCHEMA_VERSION:
            raise StoreError(
                f"{self.shown} is a store of version {version}, and this program knows versions up to {SCHEMA_VERSION}: "
                "update metering"
            )
        if not is_whole and (lack := lacking(columns)):
            raise StoreError(f"{self.shown} lacks {lack}, so it was changed by hand; restore it from a backup")

    def _version(self, engine: Engine) -> int:
        rows = engine.sql("select value from store_info where key = 'schema_version'")
        if len(rows) != 1 or not rows[0][0].isdigit():
            raise StoreError(f"{self.shown} does not tell its version, so it was changed by hand; restore it from a backup")
        return int(rows[0][0])


def _turn_at(path: Path) -> threading.Lock:
    """Give the turn that threads take at a file, by whatever names they know it."""
    return _TURNS.setdefault(os.path.realpath(path), threading.Lock())


def _has_every_column(engine: Engine) -> bool:
    """Tell whether a database is a store's; to look into its catalog, with all that is DuckDB's own, takes three times as long."""
    try:
        engine.sql(every_column())
    except (duckdb.BinderException, duckdb.CatalogException):
        return False
    return True


def _make_schema(engine: Engine) -> None:
    """Make the tables of a new store in one transaction, which brings nothing that an interruption would have to tell of."""
    version = f"insert into store_info values ('schema_version', {quoted(str(SCHEMA_VERSION))})"
    engine.connection.execute(f"begin; {SCHEMA} {version}; commit")


@contextlib.contextmanager
def transaction(engine: Engine) -> Iterator[None]:
    """Make everything inside one transaction: all of it is in the store afterwards, durably, or none."""
    engine.connection.begin()
    try:
        yield
    except BaseException:
        with contextlib.suppress(duckdb.Error):
            engine.connection.rollback()
        raise
    commit_begins()
    engine.connection.commit()
