"""The store: one DuckDB file of append-only facts.

Facts are only ever added. Every accepted fact carries the sequence number of the ingest that brought it, so what was known at
any moment can be asked for again. One process writes at a time and for moments; others wait, with a bound.

DuckDB was chosen over files with a manifest, a Delta table and a server: see metering/README.md.
"""

import contextlib
import os
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb

from metering.engine.duckdb import DEFAULT_MEMORY, Engine, connect, quoted
from metering.model.clock import Clock
from metering.model.errors import MisuseError, StoreError
from metering.model.period import instant_seconds, instant_text

SCHEMA_VERSION = 1
MEMORY = ":memory:"
DEFAULT_WAIT_SECONDS = 30
_NO_DUCKDB = "it is no DuckDB file; name another file, or restore it from a backup"

_SCHEMA = """
create table store_info (key varchar not null, value varchar not null);

-- one row an ingest that brought something; ingest_seq counts on from 1
create table ingests (ingest_seq bigint not null, ingested_at_s bigint not null, source varchar not null);
-- the sample files of an ingest, as they were named; a poll that is spread over several counts as the first one's
create table ingest_files (ingest_seq bigint not null, file_number bigint not null, file varchar not null);

-- what is polled: one endpoint, one account
create table collections (collection_key bigint not null, endpoint varchar not null, account varchar not null);
-- one snapshot as one collection lists it
create table series (
    series_key bigint not null, collection_key bigint not null, location varchar not null, snapshot varchar not null
);
create table labels (label_key bigint not null, drive varchar not null, status varchar not null, name varchar not null);

-- poll_key = collection_key × 2^32 + number; the polls of a collection are numbered on, those of one ingest by time
create table polls (
    poll_key bigint not null, collection_key bigint not null, poll_s bigint not null, file_number bigint not null,
    ingest_seq bigint not null
);
-- the provider's own clock when it answered a poll, where the capture tells it
create table poll_answers (poll_key bigint not null, answered_s bigint not null);
-- sizes change rarely: one row a snapshot and unbroken run of poll numbers in which it was listed alike, both ends included
create table closed_runs (
    series_key bigint not null, first_poll_key bigint not null, last_poll_key bigint not null, allocated_size bigint not null,
    label_key bigint not null
);
-- the runs that reach the last poll of their collection, which its next one may extend
create table open_runs (
    series_key bigint not null, first_poll_key bigint not null, last_poll_key bigint not null, allocated_size bigint not null,
    label_key bigint not null
);
create view sample_runs as from closed_runs union all from open_runs;
create view samples as
select
    unnest(generate_series(first_poll_key, last_poll_key)) as poll_key, series_key, allocated_size, label_key
from sample_runs;
-- how far each collection is known: the last number given to a poll of it, and the instant of its latest poll
create table collection_tails (
    collection_key bigint not null, last_number bigint not null, last_poll_s bigint not null, kept_until_s bigint not null,
    changed_seq bigint not null
);
-- kept levels (metering/levels.py): what can be made again from polls and runs, so that bills read days
create table feeds (feed_key bigint not null, collection_key bigint not null, location varchar not null);
create table level_steps (
    feed_key bigint not null, starts_at_s bigint not null, ends_at_s bigint not null, occupied_bytes decimal(38, 0) not null,
    held_count bigint not null, missing_count bigint not null
);
create table level_days (
    feed_key bigint not null, day_s bigint not null, starts_at_s bigint not null, ends_at_s bigint not null,
    occupied_byte_seconds decimal(38, 0) not null, least_occupied_bytes decimal(38, 0), peak_occupied_bytes decimal(38, 0),
    measured_seconds bigint not null, held_seconds bigint not null, missing_seconds bigint not null
);
-- a poll that was replaced on purpose, and the ingest that did it
create table superseded_polls (poll_key bigint not null, ingest_seq bigint not null);

-- kept aside: polls that say something else than the one in force
create table conflicting_samples (
    endpoint varchar not null, account varchar not null, poll_s bigint not null, location varchar not null,
    snapshot varchar not null, allocated_size bigint not null, drive varchar not null, status varchar not null,
    name varchar not null, ingest_seq bigint not null
);
-- kept aside: rows of any file that could not be taken, and why; poll_s is null where the row does not tell its poll
create table rejections (
    table_name varchar not null, file varchar not null, line bigint not null, field varchar not null, value varchar not null,
    reason varchar not null, endpoint varchar, account varchar, poll_s bigint, ingest_seq bigint not null
);
-- a file that was read again: what is still wrong with it is said again, what was said of it before is settled
create table settled_files (file varchar not null, ingest_seq bigint not null);
create table shared_objects (
    endpoint varchar not null, account varchar not null, owner varchar not null, location varchar not null,
    snapshot varchar not null, first_poll_s bigint not null, last_poll_s bigint not null, poll_count bigint not null,
    ingest_seq bigint not null
);

-- how large a drive was, as captures tell it beside its snapshots
create table drive_sizes (
    drive varchar not null, size_bytes bigint not null, first_poll_s bigint not null, ingest_seq bigint not null
);

-- dated facts; the row of a key with the greatest ingest_seq is in force. read_s tells when the provider said it, and is null
-- where somebody declared it by a file
create table subscriptions (
    location varchar not null, id varchar not null, account varchar not null, resource varchar not null,
    amount decimal(38, 0) not null, declared_start_s bigint, declared_end_s bigint, period varchar,
    start_s bigint not null, end_s bigint not null, nominal_seconds bigint not null, price varchar, currency varchar,
    auto_renew varchar, read_s bigint, ingest_seq bigint not null
);
create table prices (
    location varchar not null, resource varchar not null, currency varchar not null, level bigint not null,
    effective_from_s bigint not null, price varchar not null, unit varchar not null, multiplier decimal(38, 0) not null,
    read_s bigint, ingest_seq bigint not null
);
create table burst_levels (
    location varchar not null, resource varchar not null, effective_from_s bigint not null, level bigint not null,
    read_s bigint, ingest_seq bigint not null
);
create table accounts (
    account varchar not null, currency varchar not null, name varchar not null, read_s bigint, ingest_seq bigint not null
);
-- what only the provider's answers tell
create table discounts (
    location varchar not null, period varchar not null, effective_from_s bigint not null, discount varchar not null,
    read_s bigint, ingest_seq bigint not null
);
create table places (
    location varchar not null, display_name varchar not null, country_code varchar not null, api_endpoint varchar not null,
    read_s bigint, ingest_seq bigint not null
);
-- polls that were tried and are none, with their cause; and what was odd about some that were taken
create table poll_notes (
    endpoint varchar not null, account varchar not null, resource varchar not null, noted_s bigint not null,
    outcome varchar not null, cause varchar not null, detail varchar not null, read_s bigint, ingest_seq bigint not null
);

-- what an ingest brought into a table, counted and digested (metering/seals.py)
create table seals (
    table_name varchar not null, ingest_seq bigint not null, row_count bigint not null, digest varchar not null, last_key bigint
);
-- periods that are closed, in a hash chain (metering/books); documents are canonical JSON
create table closings (
    closing_seq bigint not null, start_s bigint not null, end_s bigint not null, known_seq bigint not null,
    as_of_s bigint not null, closed_at_s bigint not null, closed_by varchar not null, reason varchar, settings varchar not null,
    findings varchar not null, inputs_sha256 varchar not null, feeds_sha256 varchar not null, previous_hash varchar not null,
    hash varchar not null
);
create table closed_statements (
    closing_seq bigint not null, account varchar not null, document varchar not null, sha256 varchar not null
);
"""


def fact_tables() -> dict[str, dict[str, str]]:
    """Give the columns of every table of a store with their types, for an engine that keeps facts without one."""
    return {
        name: dict(re.findall(r"(?:^|, )(\w+) ([a-z]+(?:\([^)]*\))?)", " ".join(columns.split())))
        for name, columns in re.findall(r"create table (\w+) \((.*?)\);", _SCHEMA, re.DOTALL)
    }


class Store:
    """A store by its place; it is opened for each operation and closed after it, so that others get their turn."""

    def __init__(
        self,
        path: str | Path,
        *,
        memory: str = DEFAULT_MEMORY,
        threads: int | None = None,
        wait_seconds: int = DEFAULT_WAIT_SECONDS,
        clock: Clock = Clock(),  # noqa: B008 -- it is frozen
    ) -> None:
        self.shown = str(path)
        self.is_memory = self.shown == MEMORY
        self.path = Path(path)
        self.clock = clock
        self._memory = memory
        self._threads = threads
        self._wait_seconds = wait_seconds
        self._kept: duckdb.DuckDBPyConnection | None = None
        self._spill: tempfile.TemporaryDirectory[str] | None = None

    @contextlib.contextmanager
    def reading(self) -> Iterator[Engine]:
        """Open the store to read; nothing is written.

        Raises:
            StoreError: there is no store, it is of a newer version, damaged, or held by a writer for longer than the bound.
        """
        if not self.is_memory and not self.path.exists():
            raise StoreError(f"there is no store at {self.shown}: `metering ingest FACTS --store {self.shown}` makes one")
        with self._opened(read_only=True) as engine:
            yield engine

    @contextlib.contextmanager
    def writing(self) -> Iterator[Engine]:
        """Open the store to write, making it first where there is none.

        Raises:
            StoreError: it is of a newer version, damaged, cannot be made, or is held by others for longer than the bound.
        """
        with self._opened(read_only=False) as engine:
            yield engine

    def close(self) -> None:
        """Forget a store in memory, and remove what was spilled."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None
        if self._spill is not None:
            self._spill.cleanup()
            self._spill = None

    @contextlib.contextmanager
    def _opened(self, *, read_only: bool) -> Iterator[Engine]:
        if self.is_memory:
            if self._kept is None:
                self._spill = tempfile.TemporaryDirectory(prefix="metering-")
                self._kept = self._connect(read_only=False, spill_folder=Path(self._spill.name))
                _make_schema(Engine(self._kept))
            yield Engine(self._kept)
            return
        with tempfile.TemporaryDirectory(prefix="metering-") as spill:
            connection = self._wait_for_connection(read_only=read_only, spill_folder=Path(spill))
            try:
                engine = Engine(connection)
                self._check_schema(engine, read_only=read_only)
                yield engine
            except duckdb.Error as error:
                if not _is_damage(error, self.path):
                    raise
                raise StoreError(f"{self.shown} is damaged ({_first_line(error)}); restore it from a backup") from None
            finally:
                connection.close()

    def _connect(self, *, read_only: bool, spill_folder: Path) -> duckdb.DuckDBPyConnection:
        path = MEMORY if self.is_memory else str(self.path)
        return connect(path, read_only=read_only, spill_folder=spill_folder, memory=self._memory, threads=self._threads)

    def _wait_for_connection(self, *, read_only: bool, spill_folder: Path) -> duckdb.DuckDBPyConnection:
        deadline = time.monotonic() + self._wait_seconds
        if self.path.is_dir():
            raise StoreError(f"{self.shown} is a directory, not a store: name a file such as {self.shown}/metering.duckdb")
        # DuckDB takes an empty file for a new database; to us it is what a crash or a full disk left of a store.
        if self.path.exists() and self.path.stat().st_size == 0:
            raise StoreError(f"{self.shown} is empty, which no store is: restore it from a backup, or remove it to begin anew")
        # Asked to open another program's database, DuckDB would look for an extension that reads it.
        if self.path.is_file() and not _is_duckdb(self.path):
            raise StoreError(f"{self.shown} cannot be opened as a store: {_NO_DUCKDB}")
        while True:
            try:
                return self._connect(read_only=read_only, spill_folder=spill_folder)
            except duckdb.IOException as error:
                if "lock" not in str(error):
                    raise StoreError(f"{self.shown} cannot be opened as a store: {_reason(error)}") from None
                if time.monotonic() >= deadline:
                    raise StoreError(
                        f"{self.shown} is held by {_holder(str(error))}: waited {self._wait_seconds} s; "
                        "try again once it is done, or wait longer with METERING_STORE_WAIT"
                    ) from None
            except (duckdb.Error, UnicodeError) as error:
                raise StoreError(f"{self.shown} cannot be opened as a store: {_reason(error)}") from None
            time.sleep(0.05)

    def _check_schema(self, engine: Engine, *, read_only: bool) -> None:
        tables = {row[0] for row in engine.sql("select table_name from duckdb_tables() where not internal and not temporary")}
        if "store_info" not in tables:
            if tables:
                raise StoreError(f"{self.shown} is a DuckDB file, but no store of metering: name another file")
            if read_only:
                raise StoreError(f"{self.shown} is empty: `metering ingest FACTS --store {self.shown}` fills it")
            _make_schema(engine)
            return
        version = self._version(engine)
        if version > SCHEMA_VERSION:
            raise StoreError(
                f"{self.shown} is a store of version {version}, and this program knows versions up to {SCHEMA_VERSION}: "
                "update metering"
            )

    def _version(self, engine: Engine) -> int:
        rows = engine.sql("select value from store_info where key = 'schema_version'")
        if len(rows) != 1 or not rows[0][0].isdigit():
            raise StoreError(f"{self.shown} does not tell its version, so it was changed by hand; restore it from a backup")
        return int(rows[0][0])


def _make_schema(engine: Engine) -> None:
    with transaction(engine):
        engine.connection.execute(_SCHEMA)
        engine.sql(f"insert into store_info values ('schema_version', {quoted(str(SCHEMA_VERSION))})")


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
    engine.connection.commit()


def last_ingest(engine: Engine) -> int:
    """Give the sequence number of the last ingest, 0 in a new store."""
    return int(engine.scalar("select coalesce(max(ingest_seq), 0) from ingests"))


def ingest_known_at(engine: Engine, known_at: str | None) -> int:
    """Give the last ingest that counts for `known_at`: a sequence number, or an instant (ingested at it or before).

    Raises:
        MisuseError: it is neither.
    """
    if known_at is None:
        return last_ingest(engine)
    if known_at.isascii() and known_at.isdigit():
        return min(int(known_at), last_ingest(engine))
    try:
        instant_s = instant_seconds(known_at)
    except ValueError as error:
        raise MisuseError(f"--known-at {known_at!r} {error}; give an ingest number or an instant") from None
    return int(
        engine.scalar(
            "select coalesce(max(ingest_seq), 0) from ingests where ingested_at_s <= $instant_s", {"instant_s": instant_s}
        )
    )


def record_ingest(engine: Engine, source: str, now_s: int) -> int:
    """Record an ingest and give its sequence number; a clock that was set back never puts it before the last."""
    ingest_seq = last_ingest(engine) + 1
    engine.sql(
        "insert into ingests select $ingest_seq, greatest($now_s, coalesce(max(ingested_at_s), $now_s)), $source from ingests",
        {"ingest_seq": ingest_seq, "now_s": now_s, "source": source},
    )
    return ingest_seq


def ingested_at(engine: Engine, ingest_seq: int) -> str:
    """Write when an ingest happened, by its sequence number."""
    rows = engine.sql("select ingested_at_s from ingests where ingest_seq = $ingest_seq", {"ingest_seq": ingest_seq})
    return instant_text(rows[0][0]) if rows else "never"


def _is_duckdb(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(12)[8:] == b"DUCK"


def _is_damage(error: duckdb.Error, path: Path) -> bool:
    """Tell whether an error says that the store's file is not what was once written to it."""
    text = str(error)
    if isinstance(error, (duckdb.FatalException, duckdb.SerializationException)) or "Corrupt database file" in text:
        return True
    return isinstance(error, duckdb.IOException) and str(path) in text and "lock" not in text


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]


def _reason(error: Exception) -> str:
    text = str(error)
    if "not a valid DuckDB database" in text or isinstance(error, UnicodeError):
        return _NO_DUCKDB
    if "newer version" in text or "storage version" in text or "version number" in text:
        return "it was written by a newer DuckDB; update the duckdb package"
    if "No such file" in text or "Cannot open file" in text:
        return "its directory is not there or may not be written; make it, or name another file"
    return f"{_first_line(error)}; restore it from a backup"


def _holder(text: str) -> str:
    match = re.search(r"\(PID (\d+)\)", text)
    if match is None:
        return "another process"
    with contextlib.suppress(OSError):
        command = Path(f"/proc/{match[1]}/cmdline").read_bytes().split(b"\0")
        return f"process {match[1]} ({os.path.basename(command[0].decode(errors='replace'))})"  # noqa: PTH119 -- an argument, no path
    return f"process {match[1]}"
