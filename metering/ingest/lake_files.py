"""Parquet facts where Spark reads them: which files a place holds, and what their columns are.

A place on this machine is looked through as for a store, with the same words for what is wrong. A URL (`s3a://`, `gs://`,
`abfss://`, `hdfs://`, `file://`) is listed by Spark, and so are the bytes that a manifest is held against.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, TypeVar

from metering.engine.duckdb import MEMORY, connect
from metering.engine.duckdb import Engine as DuckDB
from metering.engine.spark import SparkEngine, reason_of
from metering.ingest.columns import FACTS_HINT, Table, check_columns, check_types, table_of_columns
from metering.ingest.files import FactFile, NamedFiles, assert_few, find_files, name_files, table_by_name, table_of
from metering.ingest.lake_hints import SCHEME, hint
from metering.ingest.manifest import MANIFEST, assert_complete, assert_unaltered, read_manifest
from metering.model.errors import InputError
from metering.model.limits import ReadingLimits
from metering.model.units import counted

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.types import StructType

T = TypeVar("T")
# Spark's types by the names that DuckDB has for them.
KINDS = {
    "string": "VARCHAR", "timestamp": "TIMESTAMP WITH TIME ZONE", "timestamp_ntz": "TIMESTAMP", "tinyint": "TINYINT",
    "smallint": "SMALLINT", "int": "INTEGER", "bigint": "BIGINT", "binary": "BLOB", "void": '"NULL"',
}  # fmt: skip
# Spark passes over files that are called like what Hadoop keeps for itself, and says nothing.
_PASSED_OVER = ("_", ".")
_ARE_96_BITS_UTC = "spark.sql.parquet.int96AsTimestamp"
# What is wrong, where what Spark says of it is no help.
_REASONS = {"PATH_NOT_FOUND": "it is not there", "INT96 is not supported": "it has timestamps of 96 bits, which tell no zone"}


@dataclass(frozen=True, slots=True)
class RemoteFile(FactFile):
    """A file that a URL names; an object store replaces objects whole, so one that was opened is read to its end."""

    def assert_unchanged(self) -> None:
        """Do nothing: there is nothing that could have changed."""


def find_lake_files(engine: SparkEngine, places: list[str], limits: ReadingLimits) -> tuple[list[FactFile], list[str]]:
    """Find the fact files of directories, files and URLs, sorted by name, each once, and notes about what was passed over.

    Raises:
        InputError: a place is not there, holds no facts, or facts that are no Parquet; or is not what its manifest says.
    """
    notes: list[str] = []
    files: list[FactFile] = []
    if named := name_files_here(places, limits):
        connection = connect(MEMORY, read_only=False, spill_folder=None, threads=1, places=named.places)
        try:
            files, notes = find_files(DuckDB(connection), named, limits)
        finally:
            connection.close()
        for file in files:
            _assert_seen(file.shown, place_of(file))
    for url in filter(SCHEME.match, places):
        files += _remote_files(engine, url.rstrip("/"), notes, limits)
        assert_few(len(files), limits)
    found = {file.shown: file for file in files}
    return [found[shown] for shown in sorted(found)], sorted(set(notes))


def name_files_here(places: list[str], limits: ReadingLimits) -> NamedFiles | None:
    """Look up which files on this machine `places` name, without Spark, which alone can look up URLs; None where all are such.

    Raises:
        InputError: a place is not there, holds no facts, or facts that are no Parquet.
    """
    local = [Path(place) for place in places if not SCHEME.match(place)]
    if not local:
        return None
    named = name_files(local, limits)
    # Why an export that did not end has no facts is told by its manifest, once that is read.
    if not any((place / MANIFEST).is_file() for place in local):
        named.assert_some()
    paths = sorted(str(path) for files in named.by_root.values() for path, _ in files)
    _assert_parquet([path for path in paths if not path.lower().endswith(".parquet")])
    return named


def _assert_seen(shown: str, place: str) -> None:
    if (name := _stem(place)).startswith(_PASSED_OVER):
        raise InputError(f"{shown} is not read by Spark, which passes over files called like {name}: begin its name otherwise")


def _assert_parquet(others: list[str]) -> None:
    if others:
        raise InputError(
            f"the spark engine reads Parquet facts, and {others[0]} is none ({counted(len(others), 'such file')}): "
            "make them with `metering export facts`"
        )


def _remote_files(engine: SparkEngine, url: str, notes: list[str], limits: ReadingLimits) -> list[FactFile]:
    listed = {_relative(url, row[0]): row[1] for row in asked(url, lambda: _bytes_of(engine, url, "length").collect())}
    # Of a file, the path below itself is a point.
    shown = {name: url if name == "." else f"{url}/{name}" for name in sorted(listed)}
    tables = {name: table_by_name(PurePosixPath(url)) if name == "." else _table(url, name, notes) for name in shown}
    tables = {name: table for name, table in tables.items() if table or name == "."}
    if not tables:
        told = f" ({notes[0]})" if notes else ""
        raise InputError(f"no facts in {url}{told}: {FACTS_HINT}")
    _assert_parquet([shown[name] for name in tables if not shown[name].lower().endswith(".parquet")])
    if MANIFEST in listed:
        _hold_against_manifest(engine, url, set(tables))
    found: list[FactFile] = []
    for name, table in tables.items():
        place = shown[name]
        _assert_seen(place, place)
        fields = _schema(engine, place).fields
        columns = tuple(field.name for field in fields)
        told = table or table_of_columns(place, columns)
        check_columns(place, told, columns, notes, are_all=True)
        kinds = tuple(KINDS.get(kind, kind.upper()) for kind in (field.dataType.simpleString() for field in fields))
        check_types(place, told, columns, kinds)
        found.append(RemoteFile(Path(place), place, told, "parquet", columns, kinds, limits=limits))
    return found


def _table(url: str, name: str, notes: list[str]) -> Table | None:
    return None if name == MANIFEST else table_of(_stem(url), PurePosixPath(name), f"{url}/{name}", notes)


def _schema(engine: SparkEngine, place: str) -> "StructType":
    """Give a file's columns; one of timestamps of 96 bits, which tell no zone, is refused: Spark would take them for UTC."""
    conf = engine.session.conf
    before = str(conf.get(_ARE_96_BITS_UTC))
    conf.set(_ARE_96_BITS_UTC, "false")
    try:
        return asked(place, lambda: engine.session.read.parquet(escaped(place)).schema)
    finally:
        conf.set(_ARE_96_BITS_UTC, before)


def _hold_against_manifest(engine: SparkEngine, url: str, names: set[str]) -> None:
    rows = _bytes_of(engine, url, "length", "if(path like '%/manifest.json', content, null)", "sha2(content, 256)").collect()
    by_name = {_relative(url, row[0]): row for row in rows}
    manifest = read_manifest(bytes(by_name[MANIFEST][2]).decode(errors="replace"), f"{url}/{MANIFEST}")
    if manifest is None:
        return
    assert_complete(manifest, names, url)
    for file in manifest.files:
        _, size, _, sha256 = by_name[file.path]
        assert_unaltered(file, size, sha256, url)


def _bytes_of(engine: SparkEngine, url: str, *columns: str) -> "DataFrame":
    files = engine.session.read.format("binaryFile").option("recursiveFileLookup", "true").load(escaped(url))
    return files.selectExpr("path", *columns)


def asked(shown: str, question: Callable[[], T]) -> T:
    """Let Spark read something of a place, and say in one line why it cannot."""
    try:
        return question()
    except Exception as error:  # noqa: BLE001 -- the JVM's, py4j's, grpc's: all say that it cannot be read
        text = str(error)
        reason = next((told for said, told in _REASONS.items() if said in text), None) or reason_of(error)
        raise InputError(f"{shown} cannot be read by Spark ({reason}): {hint(shown, text)}") from None


def _stem(url: str) -> str:
    return url.rpartition("/")[2]


def _relative(url: str, path: str) -> str:
    base, full = (SCHEME.sub("", text) for text in (url, path))
    return PurePosixPath(full).relative_to(base).as_posix()


def escaped(url: str) -> str:
    """Write a place so that Spark opens just that: it takes `a[1]` for a pattern."""
    return re.sub(r"([\\*?\[\]{}^])", r"\\\1", url)


def place_of(file: FactFile) -> str:
    """Give where a file really is: a link on this machine is followed."""
    return file.shown if isinstance(file, RemoteFile) else f"file://{file.path.resolve()}"
