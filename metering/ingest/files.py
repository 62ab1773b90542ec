"""Which files a command names, and what each of them holds.

A facts directory holds `samples`, `subscriptions`, `prices`, `burst_levels`, `accounts`, each as one file (`samples.csv.gz`,
`samples-2026-10.parquet`) or a folder of files; `*.capture.ndjson[.gz|.zst]` are raw listings. A file named by itself is told by
its name, else by its columns.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Literal

from metering.engine.duckdb import Engine, assert_utf8, glob_escaped, quoted, read_files, reason_of, trouble_of_machine
from metering.ingest.columns import (
    FACTS_HINT,
    OPTIONAL_COLUMNS,
    RAW_TABLES,
    REQUIRED_COLUMNS,
    Table,
    check_columns,
    check_types,
    table_of_columns,
)
from metering.ingest.manifest import assert_as_exported
from metering.ingest.strict_json import loads_members
from metering.ingest.text import Record, byte_lines, csv_records, first_line, json_records
from metering.model.errors import InputError
from metering.model.limits import DEFAULT_LIMITS, ReadingLimits, raised_by

Format = Literal["csv", "ndjson", "parquet"]

_FORMATS: dict[str, Format] = {".csv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson", ".parquet": "parquet"}
_COMPRESSIONS = (".gz", ".zst")
_NUMBERED = re.compile(r"_[0-9]+$")


@dataclass(frozen=True, slots=True)
class FactFile:
    """A file of facts: where it is, what it is called in messages, which table it holds and in which format.

    `skipped` counts the lines of a CSV file up to its header, the header included.
    """

    path: Path
    shown: str
    table: Table
    format: Format
    columns: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    delimiter: str = ","
    skipped: int = 0
    size: int = 0
    modified_ns: int = 0
    limits: ReadingLimits = DEFAULT_LIMITS

    def assert_unchanged(self) -> None:
        """Fail where the file was written to while it was read, so that no half-written file is ever taken.

        Raises:
            InputError: size or modification time differ from what they were when it was found.
        """
        status = self.path.stat()
        if (status.st_size, status.st_mtime_ns) != (self.size, self.modified_ns):
            raise InputError(f"{self.shown} changed while it was read: nothing was taken; ingest it again once it is complete")


@dataclass(frozen=True, slots=True)
class NamedFiles:
    """What the paths of a command name: of each path its fact files, with their table where a name tells it, and notes."""

    by_root: dict[Path, list[tuple[Path, Table | None]]]
    notes: list[str]

    @property
    def places(self) -> list[Path]:
        """The only places that are read: the paths themselves, and the files elsewhere that links in them lead to."""
        roots = [(root.resolve(), named) for root, named in self.by_root.items()]
        real = [(root, path.resolve()) for root, named in roots for path, _ in named]
        return [*self.by_root, *(path for root, path in real if not path.is_relative_to(root))]

    def assert_some(self) -> None:
        """Fail where the paths name no fact file at all.

        Raises:
            InputError: they do not.
        """
        if not any(self.by_root.values()):
            told = f" ({self.notes[0]})" if self.notes else ""
            raise InputError(f"no facts in {', '.join(map(str, self.by_root))}{told}: {FACTS_HINT}")


def name_files(paths: list[Path], limits: ReadingLimits) -> NamedFiles:
    """Look up which files `paths` name, and note what was passed over; no file is read.

    Raises:
        InputError: a path is not there, or what would be a fact file cannot be read.
    """
    by_root: dict[Path, list[tuple[Path, Table | None]]] = {}
    notes: list[str] = []
    for root in paths:
        if not root.exists():
            raise InputError(f"{root} is not there: {FACTS_HINT}")
        if not root.is_dir():
            _assert_file(root)
        by_root[root] = [*_walk(root, notes, limits)] if root.is_dir() else [(root, table_by_name(root))]
    return NamedFiles(by_root, notes)


def find_files(engine: Engine, named: NamedFiles, limits: ReadingLimits) -> tuple[list[FactFile], list[str]]:
    """Open the files that were named, sorted by name, each once, and tell about what was passed over.

    Raises:
        InputError: a file is empty or lacks a required column, a directory is not what its manifest says, or there are no facts.
    """
    found: dict[Path, FactFile] = {}
    notes = list(named.notes)
    for root, files in named.by_root.items():
        for path, table in files:
            found.setdefault(path.resolve(), _opened(engine, path, table, notes, limits))
            assert_few(len(found), limits)
        if root.is_dir():
            assert_as_exported(root, [path for path, _ in files], limits.listing_bytes)
    named.assert_some()
    return sorted(found.values(), key=lambda file: file.shown), sorted(set(notes))


def assert_few(count: int, limits: ReadingLimits) -> None:
    """Fail where one command names more files than it may.

    Raises:
        InputError: it does.
    """
    if count > limits.files:
        raise InputError(f"more than {limits.files} files are named: ingest them in several commands, or {raised_by('files')}")


def _walk(root: Path, notes: list[str], limits: ReadingLimits) -> list[tuple[Path, Table]]:
    """List the fact files of a directory: its own files by name, and all files of folders that are named like a table."""
    paths: list[Path] = []
    for path in _all_below(root, notes):
        assert_utf8(str(path))
        paths.append(path)
        assert_few(len(paths), limits)
    found = [(path, table_of(root.name, path.relative_to(root), str(path), notes)) for path in sorted(paths) if not path.is_dir()]
    named = [(path, table) for path, table in found if table is not None]
    for path, _ in named:
        _assert_file(path)
    return named


def _all_below(root: Path, notes: list[str]) -> Iterator[Path]:
    """Give what lies below a directory, also below the links to folders that are named like a table; each folder once."""
    folders, links, seen = [root], list[Path](), set[Path]()
    while folders or links:
        folder = folders.pop() if folders else links.pop()
        is_of_table = folder == root or _is_of_table(root, folder)
        if folder != root and folder.is_symlink() and not is_of_table:
            notes.append(f"{folder} is passed over: it is a link to a folder, and no table of facts has its name")
            continue
        try:
            paths = [] if (real := folder.resolve()) in seen else list(folder.iterdir())
        except OSError as error:
            if is_of_table:
                raise InputError(f"{folder} cannot be read ({error.strerror}): let it be read, or take it away") from None
            notes.append(f"{folder} is passed over: it cannot be read ({error.strerror})")
            continue
        seen.add(real)
        yield from paths
        for path in paths:
            if path.is_dir():
                (links if path.is_symlink() else folders).append(path)
            elif path.is_symlink() and not path.suffix and not path.name.startswith((".", "_")) and _is_of_table(root, path):
                # Of its name it was one to a folder, such as on a disk that is not mounted.
                _assert_file(path)


def _is_of_table(root: Path, folder: Path) -> bool:
    """Tell whether a folder below `root` holds facts of a table, whatever its files are called."""
    first, *_ = folder.relative_to(root).parts
    return not first.startswith((".", "_")) and bool(_table_of_stem(first) or _table_of_stem(root.name))


def _assert_file(path: Path) -> None:
    """Fail where what is called like a fact file is none: to pass over it would lose what it was meant to hold."""
    if not path.exists():
        raise InputError(f"{path} is a link to what is not there: bring that back, or remove the link")
    if not path.is_file():
        raise InputError(f"{path} is no file, but a pipe or a device: name a file in its place, or remove it")


def table_of(root: str, relative: PurePath, shown: str, notes: list[str]) -> Table | None:
    """Tell which table a file of a directory named `root` holds, None if none; a note says what one would miss."""
    inherited = _table_of_stem(root)
    if any(part.startswith((".", "_")) for part in relative.parts):
        return None
    if _format_of(relative) is None:
        if inherited or (len(relative.parts) > 1 and _table_of_stem(relative.parts[0])):
            notes.append(f"{shown} is passed over: its name ends in no format of facts")
        return None
    if raw := _raw_table(relative):
        return raw
    table = _table_of_stem(relative.parts[0]) or inherited
    if table is None and len(relative.parts) == 1:
        notes.append(f"{shown} is passed over: no table of facts has its name")
    elif table is None and _table_of_stem(relative.name):
        notes.append(f"{shown} is passed over: it lies in a folder of which no table of facts has the name; name that folder too")
    return table


def _raw_table(path: PurePath) -> Table | None:
    """Tell the raw responses that a collector keeps by their names: listings, and the other answers."""
    if _format_of(path) != "ndjson":
        return None
    return "captures" if ".capture." in path.name else "answers" if ".answer." in path.name else None


def _table_of_stem(name: str) -> Table | None:
    """Tell the table by a name such as `samples`, `samples.csv.gz`, `samples-2026-10.parquet`, `samples_01.csv`."""
    for table in REQUIRED_COLUMNS:
        rest = name.removeprefix(table)
        if rest != name and (not rest or rest[0] in ".-_0123456789"):
            return table
    return None


def table_by_name(path: PurePath) -> Table | None:
    """Tell which table a file that is named by itself holds, by its name or its folder's; None where only its columns can tell.

    Raises:
        InputError: its name ends in no format of facts.
    """
    if _format_of(path) is None:
        raise InputError(f"{path} has no format of facts: its name must end in .csv, .ndjson, .jsonl or .parquet (.gz, .zst)")
    if raw := _raw_table(path):
        return raw
    return _table_of_stem(path.name) or _table_of_stem(path.parent.name)


def _format_of(path: PurePath) -> Format | None:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in _COMPRESSIONS:
        suffixes.pop()
        if suffixes and suffixes[-1] == ".parquet":
            return None
    return _FORMATS.get(suffixes[-1]) if suffixes else None


def _opened(engine: Engine, path: Path, table: Table | None, notes: list[str], limits: ReadingLimits) -> FactFile:
    """Read a file's columns and check them against its table's."""
    status = path.stat()
    if status.st_size == 0:
        raise InputError(f"{path} is empty: it lacks even a header; restore it, or remove it")
    form = _format_of(path)
    assert form is not None  # noqa: S101 -- the callers pass fact files only
    delimiter, skipped = ",", 0
    columns: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    if form == "parquet":
        columns, types = _parquet_columns(engine, path)
    elif table not in RAW_TABLES:
        if form == "csv":
            skipped, header = first_line(path, limits)
            delimiter, columns = csv_columns(path, header)
        else:
            columns = _json_columns(path, limits)
    if len(columns) > limits.columns:
        raise InputError(f"{path} has {len(columns)} columns, more than {limits.columns}: is it facts? {raised_by('columns')}")
    table = table or table_of_columns(str(path), columns)
    if table not in RAW_TABLES:
        written = _written_columns(engine, path, columns) if form == "parquet" else columns
        check_columns(str(path), table, written, notes, are_all=form != "ndjson")
        for column in (*REQUIRED_COLUMNS[table], *OPTIONAL_COLUMNS[table]):
            if column in written and column not in columns:
                raise InputError(f"{path} has columns that differ from {column!r} by capitals only: rename them")
        check_types(str(path), table, columns, types)
    return FactFile(
        path=path,
        shown=str(path),
        table=table,
        format=form,
        columns=columns,
        types=types,
        delimiter=delimiter,
        skipped=skipped,
        size=status.st_size,
        modified_ns=status.st_mtime_ns,
        limits=limits,
    )


def _parquet_columns(engine: Engine, path: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    try:
        rows = engine.sql(f"describe select * from {read_files('parquet', [path])}")
    except engine.Error as error:
        if trouble_of_machine(error):
            raise
        raise InputError(f"{path} is no readable Parquet file ({reason_of(error)}); write it again") from None
    return tuple(row[0] for row in rows), tuple(row[1] for row in rows)


def _written_columns(engine: Engine, path: Path, columns: tuple[str, ...]) -> tuple[str, ...]:
    """Give a Parquet file's columns as they are called in it: DuckDB numbers those whose names differ by capitals at most."""
    if not any(_NUMBERED.search(column) for column in columns):
        return columns
    rows = engine.sql(f"select name, coalesce(num_children, 0) from parquet_schema({quoted(glob_escaped(path))})")
    # Depth first, the whole row before its columns: each stands behind all that is in the one before it.
    written, inside = [], 0
    for name, children in rows[1:]:
        if not inside:
            written.append(name)
        inside += children - (1 if inside else 0)
    return tuple(written)


def csv_columns(path: Path, header: str) -> tuple[str, tuple[str, ...]]:
    """Take a header apart: give what stands between its columns, and their names.

    Raises:
        InputError: it cannot be.
    """
    delimiter = max(",;\t|", key=header.count)
    try:
        columns = next(csv.reader([header], delimiter=delimiter))
    except csv.Error:
        raise InputError(
            f"{path} has a header that cannot be taken apart, or lines that end as on an old Mac: save it as CSV UTF-8"
        ) from None
    return delimiter, tuple(column.strip() for column in columns)


def _json_columns(path: Path, limits: ReadingLimits) -> tuple[str, ...]:
    """Give the names in the first line; a first line that is damaged is told of with its row, and names nothing here."""
    line = next((line for line in byte_lines(path, limits, limits.listing_bytes) if line is None or line.strip()), b"")
    if line == b"":
        raise InputError(f"{path} is empty; restore it, or remove it")
    try:
        return tuple(dict(loads_members((line or b"").decode(), limits.depth)))
    except ValueError:
        return ()


def records(file: FactFile) -> Iterator[Record]:
    """Read a text file's rows one by one, damaged ones included."""
    if file.format == "csv":
        return csv_records(file.path, file.columns, file.delimiter, file.skipped, file.limits)
    return json_records(file.path, REQUIRED_COLUMNS[file.table] + OPTIONAL_COLUMNS[file.table], file.limits)


def assert_readable(engine: Engine, file: FactFile) -> None:
    """Read a Parquet file to its end: it is read where it lies, so damage behind a sound footer shows late, and names no file.

    Raises:
        InputError: it is damaged.
    """
    if file.format != "parquet":
        return
    with engine.aside() as reader:
        try:
            reader.sql(f"select sum(hash(t)) from {read_files('parquet', [file.path])} as t")
        except engine.Error as error:
            if trouble_of_machine(error):
                raise
            raise InputError(f"{file.shown} is damaged ({reason_of(error)}): nothing was taken; write it again") from None
