"""DuckDB as the engine: a connection that runs named queries with bound parameters, in UTC, with bounded memory."""

import contextlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import duckdb

from metering.engine.interface import Parameters
from metering.engine.queries import load_query
from metering.model.errors import EngineError, InputError

# 10 million samples are ingested and billed within 2 GB: what does not fit is spilled beside the store.
DEFAULT_MEMORY = "1200MB"
# What stands for a database that no file keeps.
MEMORY = ":memory:"

_STREAMED_ROWS = 10_000

_CONFIG = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
    "preserve_insertion_order": "true",
}


class Engine:
    """One DuckDB connection; tables that queries make are temporary and end with it."""

    Error = duckdb.Error
    # What DuckDB raises where data are not what it was told they are; a full disk or memory is none of these. Where its own words
    # repeat the data, cut within a character, Python fails to read these words.
    UnreadableError = (duckdb.DataError, duckdb.ProgrammingError, UnicodeDecodeError)

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        self._views: set[str] = set()

    def sql(self, text: str, parameters: Parameters | Sequence[Any] | None = None) -> list[tuple[Any, ...]]:
        """Run SQL with bound values and give its rows as Python values: integers of any size, Decimals, text."""
        return self.connection.execute(text, parameters).fetchall() if parameters else self.connection.execute(text).fetchall()

    def scalar(self, text: str, parameters: Parameters | None = None) -> Any:
        """Run SQL that gives one value."""
        return self.sql(text, parameters)[0][0]

    def rows(self, query: str, parameters: Parameters | None = None) -> list[dict[str, Any]]:
        """Run a query of the SQL tree and give its rows by column name."""
        loaded = load_query(query)
        return self._named(self.connection.execute(loaded.sql, _chosen(parameters, loaded.params)))

    def stream(self, query: str, parameters: Parameters | None = None) -> Iterator[tuple[Any, ...]]:
        """Run a query of the SQL tree and give its rows one by one, for those that are too many to be held as Python values.

        Nothing else may run on this engine before the last one was given.
        """
        loaded = load_query(query)
        cursor = self.connection.execute(loaded.sql, _chosen(parameters, loaded.params))
        while some := cursor.fetchmany(_STREAMED_ROWS):
            yield from some

    def table(self, name: str) -> list[dict[str, Any]]:
        """Give the rows of a table that a query made, by column name."""
        return self._named(self.connection.execute(f"from {quoted_name(name)}"))

    @staticmethod
    def _named(cursor: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def create(self, query: str, parameters: Parameters | None = None, *, is_wanted: bool = True) -> None:
        """Make the temporary table that a query of the SQL tree defines, under the query's own name.

        Where it is known to come out empty (`is_wanted` is false), only its columns are made, and nothing is read.
        """
        loaded = load_query(query)
        self._views.discard(loaded.name)
        sql = loaded.sql if is_wanted else f"(from ({loaded.sql}) limit 0)"
        self.connection.execute(
            f"create or replace temp table {quoted_name(loaded.name)} as {sql}", _chosen(parameters, loaded.params)
        )

    def accumulate(self, table: str, name: str, *, by: str, along: str, sums: Mapping[str, str]) -> None:
        """Make the temporary table `name` of another's rows, with running sums: see `QueryEngine`.

        A running sum over a partition takes DuckDB ten times as long as sorting its rows; over all rows, in the order in which they
        lie, next to nothing. So behind the last row of each `by` stands one that takes all back, and the next begins at zero.

        Raises:
            EngineError: rows did not lie in their order, as they do in every DuckDB that is known.
        """
        in_order = f"{name}_in_order"
        rests = ", ".join(f"-sum({quoted_name(column)}) as {quoted_name(column)}" for column in sums)
        running = ", ".join(f"sum({quoted_name(c)}) over (rows unbounded preceding) as {quoted_name(sums[c])}" for c in sums)
        self.connection.execute(
            f"create or replace temp table {quoted_name(in_order)} as from {quoted_name(table)} union all by name "
            f"select {quoted_name(by)}, null as {quoted_name(along)}, {rests} from {quoted_name(table)} group by {quoted_name(by)} "
            f"order by {quoted_name(by)}, {quoted_name(along)} nulls last"
        )
        self.drop(table)
        # That rows are kept in their order is set for every connection (_CONFIG); where they were not, some row that takes all back
        # would not come to zero, or a row not come before its next.
        behind = quoted_name(f"next_{along}")
        unlike_zero = " or ".join(f"{quoted_name(called)} <> 0" for called in sums.values())
        self.connection.execute(
            f"create or replace temp table {quoted_name(name)} as from (select * exclude ({', '.join(map(quoted_name, sums))}), "
            f"lead({quoted_name(along)}) over () as {behind}, {running} from {quoted_name(in_order)}) "
            f"where {quoted_name(along)} is not null or {unlike_zero}"
        )
        amiss = f"select 1 from {quoted_name(name)} where {quoted_name(along)} is null or {behind} <= {quoted_name(along)} limit 1"
        if self.sql(amiss):
            raise EngineError(
                f"DuckDB {duckdb.__version__} mixed up the order of rows ({name}): install one that this was tested with"
            )
        self.drop(in_order)

    def define(self, query: str, *, name: str | None = None) -> None:
        """Make a temporary view of a query without parameters: it is computed where it is read, and never kept."""
        loaded = load_query(query)
        self.view(name or loaded.name, loaded.sql)

    def alias(self, name: str, table: str) -> None:
        """Give a table or view a second name."""
        self.view(name, f"from {quoted_name(table)}")

    def view(self, name: str, text: str) -> None:
        """Make a temporary view of SQL without parameters."""
        self._views.add(name)
        self.connection.execute(f"create or replace temp view {quoted_name(name)} as {text}")

    def insert(self, table: str, query: str, parameters: Parameters | None = None) -> int:
        """Append a query's rows to a stored table, by column name; give their number."""
        loaded = load_query(query)
        text = f"insert into {quoted_name(table)} by name {loaded.sql}"
        return int(self.connection.execute(text, _chosen(parameters, loaded.params)).fetchall()[0][0])

    def load(self, table: str, columns: Mapping[str, str], rows: Iterable[Sequence[Any]]) -> None:
        """Make a temporary table of given column types from a few Python rows; values travel as exact text."""
        names = list(columns)
        self._views.discard(table)
        self.connection.execute(
            f"create or replace temp table {quoted_name(table)} "
            f"({', '.join(f'{quoted_name(name)} {columns[name]}' for name in names)})"
        )
        documents = [json.dumps([None if value is None else str(value) for value in row]) for row in rows]
        picks = ", ".join(f"cast(d[{i + 1}] as {columns[name]})" for i, name in enumerate(names))
        self.connection.execute(
            f"insert into {quoted_name(table)} select {picks} from "
            "(select cast(from_json(unnest(cast($documents as varchar[])), '[\"VARCHAR\"]') as varchar[]) as d)",
            {"documents": documents},
        )

    @contextlib.contextmanager
    def aside(self) -> "Iterator[Engine]":
        """Give a second connection to the same database: what fails there leaves the transaction here as it was."""
        connection = self.connection.cursor()
        try:
            yield Engine(connection)
        finally:
            connection.close()

    def drop(self, *tables: str) -> None:
        """Drop temporary tables and views that are no longer needed, to give their memory back; some may not be there."""
        for name in tables:
            # Which it is is remembered: to ask the catalog takes longer than all drops.
            kind = "view" if name in self._views else "table"
            self.connection.execute(f"drop {kind} if exists temp.main.{quoted_name(name)}")
            self._views.discard(name)


def _chosen(parameters: Parameters | None, names: Sequence[str]) -> dict[str, Any]:
    return {name: (parameters or {})[name] for name in names}


def connect(
    path: str,
    *,
    read_only: bool,
    spill_folder: Path | None,
    memory: str = DEFAULT_MEMORY,
    threads: int | None = None,
    places: Sequence[Path] | None = (),
) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB file (or `:memory:`) with the settings that every computation here relies on, and lock them.

    Args:
        path: the file.
        read_only: whether nothing may be written to it.
        spill_folder: where to put what does not fit into memory.
        memory: how much of it may be used.
        threads: how many; all of the machine unless given.
        places: the only other files and folders that SQL may read or write, whatever it says; None locks nothing.
    """
    for named in (path, *map(str, places or ())):
        assert_utf8(named)
    config: dict[str, Any] = dict(_CONFIG) | {"memory_limit": memory}
    if spill_folder is not None:
        config["temp_directory"] = str(spill_folder)
    if threads is not None:
        config["threads"] = threads
    connection = duckdb.connect(path if path == MEMORY else _as_a_file(path), read_only=read_only, config=config)
    # The process's own time zone must change no output byte. And DuckDB takes a program that Python was given by `-c` for a person
    # at a prompt: of what takes it seconds it would draw the progress into the results.
    connection.execute("set global TimeZone = 'UTC'; set enable_progress_bar = false")
    if places is not None:
        named = ", ".join(quoted(place) for place in _meant(places))
        connection.execute(
            f"set allowed_paths = [{named}]; set allowed_directories = [{named}]; "
            "set enable_external_access = false; set lock_configuration = true"
        )
    return connection


def _as_a_file(path: str) -> str:
    """Write a path so that it is one to DuckDB too: it takes `~x` for a place at home, and `md:x` for an extension's."""
    return path if path.startswith("/") else f"./{path}"


def assert_utf8(name: str) -> None:
    """Fail where a path is no text in UTF-8: DuckDB opens no other.

    Raises:
        InputError: it is none.
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        raise InputError(f"{name!r} is no name in UTF-8: rename it, or set a locale of UTF-8 (LC_ALL=C.UTF-8)") from None


@contextlib.contextmanager
def writer(place: Path) -> "Iterator[Engine]":
    """Give an engine without any facts, which may write one file and nothing else."""
    connection = connect(MEMORY, read_only=False, spill_folder=None, threads=1, places=[place])
    try:
        yield Engine(connection)
    finally:
        connection.close()


def _meant(places: Sequence[Path]) -> list[str]:
    """Give places as they really are: what a link in them stands for is a place of its own."""
    real = {place.resolve() for place in places}
    # A name that is a pattern is written escaped where it is read, and asked for as it is written.
    return sorted({*map(str, real), *map(glob_escaped, real)})


# What the machine lacks, by the words in which DuckDB and the system say so.
_TROUBLES = (
    ("No space left on device", "the disk is full"),
    (
        "max_temp_directory_size",
        "the disk is full of what does not fit into memory: free some, or raise the setting `memory`",
    ),
    ("Disk quota exceeded", "the quota of the disk is used up"),
    ("File too large", "a file may not grow that large (see ulimit -f)"),
    ("Too many open files", "more files are open than may be (see ulimit -n)"),
    ("Input/output error", "the disk fails (Input/output error)"),
    ("Read-only file system", "the disk may only be read"),
)


def trouble_of_machine(error: BaseException) -> str | None:
    """Say what the machine lacks where an error tells of that; data and store are then as sound as they were."""
    text = str(error)
    found = next((said for mark, said in _TROUBLES if mark in text), None)
    if found is None and isinstance(error, duckdb.OutOfMemoryException):
        return "it needs more memory than it may use: raise the setting `memory` (METERING_MEMORY), or take less at once"
    if found is None and isinstance(error, MemoryError):
        return "the machine has no memory left"
    return found


def reason_of(error: BaseException) -> str:
    """Say in one line what DuckDB says of an error: it goes on with the text of the query."""
    return str(error).strip().splitlines()[0]


# What DuckDB says where another process has the file; a path may hold the word lock too.
_LOCKED = "Could not set lock"
# And where another thread has it: each has a folder of its own to spill into, and a file is open with one setting of it.
_OPEN_HERE = "with a different configuration than existing connections"
ANOTHER_THREAD = "another thread of this program"
DENIED = "this user may not read or write it, as the command does: run it as its owner, or name another file"
NO_DUCKDB = "it is no DuckDB file; name another file, or restore it from a backup"


def log_of(path: Path) -> Path:
    """Give the place of a store's log, where DuckDB keeps what is committed and not in the file yet."""
    return path.with_name(path.name + ".wal")


def is_duckdb(path: Path) -> bool:
    """Tell whether a file begins as a DuckDB database does."""
    with path.open("rb") as file:
        return file.read(12)[8:] == b"DUCK"


def is_held(error: Exception) -> bool:
    """Tell whether an error says that somebody else has the store's file open, who will be done with it."""
    text = str(error)
    return (isinstance(error, duckdb.IOException) and _LOCKED in text) or (
        isinstance(error, duckdb.ConnectionException) and _OPEN_HERE in text
    )


def is_damage(error: duckdb.Error, path: Path) -> bool:
    """Tell whether an error says that the store's file is not what was once written to it."""
    text = str(error)
    if isinstance(error, (duckdb.FatalException, duckdb.SerializationException)) or "Corrupt database file" in text:
        return True
    return isinstance(error, duckdb.IOException) and str(path) in text and _LOCKED not in text


def refusal_of(error: Exception) -> str:
    """Say why DuckDB does not open a file as a store, and what to do."""
    text = str(error)
    if "not a valid DuckDB database" in text or isinstance(error, UnicodeError):
        return NO_DUCKDB
    if "newer version" in text or "storage version" in text or "version number" in text:
        return "it was written by a newer DuckDB; update the duckdb package"
    if "Permission denied" in text or "Operation not permitted" in text:
        return DENIED
    if "No such file" in text or "Cannot open file" in text:
        return "its directory is not there or may not be written; make it, or name another file"
    return f"{reason_of(error)}; restore it from a backup"


def holder_of(text: str) -> str:
    """Name who has a store's file open, by what DuckDB says of it."""
    if _OPEN_HERE in text:
        return ANOTHER_THREAD
    match = re.search(r"\(PID (\d+)\)", text)
    if match is None:
        return "another process"
    with contextlib.suppress(OSError):
        command = Path(f"/proc/{match[1]}/cmdline").read_bytes().split(b"\0")
        return f"process {match[1]} ({os.path.basename(command[0].decode(errors='replace'))})"  # noqa: PTH119 -- an argument, no path
    return f"process {match[1]}"


@contextlib.contextmanager
def telling_of(path: Path, place: Path) -> "Iterator[None]":
    """Name the file for which DuckDB writes to a place, not the store that it reads, where it is the place that lacks something.

    Raises:
        InputError: it cannot be written.
    """
    try:
        yield
    except duckdb.Error as error:
        if str(place) in str(error) and (said := trouble_of_machine(error)):
            raise InputError(f"{path} cannot be written ({said}): it stays as it was") from None
        raise


def is_interruption(error: BaseException) -> bool:
    """Tell whether an error is what DuckDB makes of Ctrl-C in the middle of a query."""
    return isinstance(error, RuntimeError) and str(error) == "Query interrupted"


def quoted(text: str | Path) -> str:
    """Quote text as an SQL literal, for the few places (table functions) where DuckDB cannot bind."""
    return "'" + str(text).replace("'", "''") + "'"


def quoted_name(name: str) -> str:
    """Quote an identifier."""
    return '"' + name.replace('"', '""') + '"'


def read_files(form: Literal["parquet", "csv", "json"], paths: Iterable[Path], *options: str) -> str:
    """Give the SQL that reads files of the same columns by what is written in them, and nothing else.

    DuckDB by itself takes a folder called `account=b`, anywhere above a file, for a column of that file, and the file's own column
    of that name for nothing. One look at many files, because thousands of looks do not fit into memory.
    """
    named = ", ".join(quoted(glob_escaped(path)) for path in paths)
    return f"read_{form}({', '.join((f'[{named}]', 'hive_partitioning=false', *options))})"


def glob_escaped(path: Path) -> str:
    """Write a path so that DuckDB opens just that file: it takes `a[1].parquet` for a pattern that fits `a1.parquet`."""
    named = _as_a_file(str(path)) if str(path).startswith("~") else str(path)
    return "".join(f"[{character}]" if character in "*?[" else character for character in named)
