"""Parquet facts where Spark reads them: which files a place holds, what their columns are, and their rows as staging takes them.

A place on this machine is looked through as for a store, with the same words for what is wrong. A URL (`s3a://`, `gs://`,
`abfss://`, `hdfs://`, `file://`) is listed by Spark, and so are the bytes that a manifest is held against.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from metering.engine.duckdb import Engine as DuckDB
from metering.engine.duckdb import connect, quoted_name
from metering.engine.spark import SparkEngine, reason_of
from metering.ingest.files import (
    FACTS_HINT,
    OPTIONAL_COLUMNS,
    REQUIRED_COLUMNS,
    FactFile,
    assert_few,
    check_columns,
    find_files,
    table_of,
)
from metering.ingest.folds import TOLD_BY_FOLDS, folded, said_columns
from metering.ingest.manifest import MANIFEST, assert_complete, assert_unaltered, read_manifest
from metering.ingest.raw_rows import IDENTIFIERS, RAW_COLUMNS
from metering.ingest.sources import WHOLE_NUMBERS
from metering.ingest.text import Record
from metering.model.errors import InputError
from metering.model.limits import ReadingLimits
from metering.model.units import counted

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*:(//[^/]*)?", re.IGNORECASE)
_TEXTS = ("VARCHAR", "UUID", '"NULL"')
# Spark's types by the names that DuckDB has for them.
_KINDS = {
    "string": "VARCHAR", "timestamp": "TIMESTAMP WITH TIME ZONE", "timestamp_ntz": "TIMESTAMP", "tinyint": "TINYINT",
    "smallint": "SMALLINT", "int": "INTEGER", "bigint": "BIGINT", "binary": "BLOB", "void": '"NULL"',
}  # fmt: skip
_SPARK_TYPES = {kind: name for name, kind in _KINDS.items()} | {"UUID": "binary"}
_FACT_IDENTIFIERS = ("id", "account", "location", "resource", "currency")
# What reads an object store, by the scheme of its URLs; Spark comes with none of them.
_CONNECTORS = {
    "s3": "org.apache.hadoop:hadoop-aws", "s3a": "org.apache.hadoop:hadoop-aws", "abfs": "org.apache.hadoop:hadoop-azure",
    "abfss": "org.apache.hadoop:hadoop-azure", "gs": "com.google.cloud.bigdataoss:gcs-connector",
}  # fmt: skip
# What Spark calls the place of a row: a column of a file that is called so would stand in its place.
_OF_SPARK = {"_metadata", "_tmp_metadata_row_index"}
_INSTANT = "date_format({name}, \"yyyy-MM-dd'T'HH:mm:ss'Z'\")"
_UUID = "lower(concat_ws('-', {}))".format(
    ", ".join(f"hex(substring({{name}}, {start}, {length}))" for start, length in ((1, 4), (5, 2), (7, 2), (9, 2), (11, 6)))
)


@dataclass(frozen=True, slots=True)
class RemoteFile(FactFile):
    """A file that a URL names; an object store replaces objects whole, so one that was opened is read to its end."""

    def assert_unchanged(self) -> None:
        """Hold."""


def find_lake_files(engine: SparkEngine, places: list[str], limits: ReadingLimits) -> tuple[list[FactFile], list[str]]:
    """Find the fact files of directories, files and URLs, sorted by name, each once, and notes about what was passed over.

    Raises:
        InputError: a place is not there, holds no facts, or facts that are no Parquet; or is not what its manifest says.
    """
    urls = [place for place in places if _SCHEME.match(place)]
    notes: list[str] = []
    files: list[FactFile] = []
    if local := [Path(place) for place in places if place not in urls]:
        connection = connect(":memory:", read_only=False, spill_folder=None, threads=1, places=local)
        try:
            files, notes = find_files(DuckDB(connection), local, limits)
        finally:
            connection.close()
        _assert_parquet([file.shown for file in files if file.format != "parquet"])
    for url in urls:
        files += _remote_files(engine, url.rstrip("/"), notes, limits)
        assert_few(len(files), limits)
    found = {file.shown: file for file in files}
    return [found[shown] for shown in sorted(found)], sorted(set(notes))


def _assert_parquet(others: list[str]) -> None:
    if others:
        raise InputError(
            f"the spark engine reads Parquet facts, and {others[0]} is none ({counted(len(others), 'such file')}): "
            "make them with `metering export facts`"
        )


def _remote_files(engine: SparkEngine, url: str, notes: list[str], limits: ReadingLimits) -> list[FactFile]:
    listed = {_relative(url, row[0]): row[1] for row in _read(url, lambda: _bytes_of(engine, url, "length").collect())}
    tables = {
        name: table
        for name in sorted(listed)
        if name == "." or name != MANIFEST
        if (table := table_of(_stem(url), PurePosixPath(_stem(url) if name == "." else name), f"{url}/{name}", notes))
    }
    if not tables:
        raise InputError(f"no facts in {url}: {FACTS_HINT}")
    _assert_parquet([f"{url}/{name}" for name in tables if not name.endswith(".parquet") and name != "."])
    if MANIFEST in listed:
        _hold_against_manifest(engine, url, set(tables))
    found: list[FactFile] = []
    for name, table in tables.items():
        shown = url if name == "." else f"{url}/{name}"
        schema = _read(shown, lambda shown=shown: engine.session.read.parquet(_escaped(shown)).schema)
        columns = tuple(field.name for field in schema.fields)
        check_columns(shown, table, columns, notes, are_all=True)
        kinds = tuple(_KINDS.get(kind, kind.upper()) for kind in (field.dataType.simpleString() for field in schema.fields))
        found.append(RemoteFile(Path(shown), shown, table, "parquet", columns, kinds, limits=limits))
    return found


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
    files = engine.session.read.format("binaryFile").option("recursiveFileLookup", "true").load(_escaped(url))
    return files.selectExpr("path", *columns)


def _read(shown: str, read: Any) -> Any:
    """Let Spark read something of a place, and say in one line why it cannot."""
    try:
        return read()
    except Exception as error:  # noqa: BLE001 -- the JVM's, py4j's, grpc's: all say that it cannot be read
        text = str(error)
        reason = "it is not there" if "PATH_NOT_FOUND" in text else reason_of(error)
        raise InputError(f"{shown} cannot be read by Spark ({reason}): {_hint(shown, text)}") from None


def _hint(shown: str, said: str) -> str:
    """Tell what to do about what Spark says of a place."""
    scheme = shown.partition("://")[0]
    if "No FileSystem for scheme" in said or "FileSystem not found" in said:
        connector = _CONNECTORS.get(scheme)
        jars = f', such as "spark.jars.packages" = "{connector}:VERSION"' if connector else ""
        return f"Spark has no connector for {scheme}://; name one in [spark.conf] of metering.toml{jars}"
    if "PARQUET_TYPE_ILLEGAL" in said:
        return "write that column as text, as `metering export facts` does"
    return FACTS_HINT


def _stem(url: str) -> str:
    return url.rpartition("/")[2]


def _relative(url: str, path: str) -> str:
    base, full = (_SCHEME.sub("", text) for text in (url, path))
    return PurePosixPath(full).relative_to(base).as_posix()


def _escaped(url: str) -> str:
    """Write a place so that Spark opens just that: it takes `a[1]` for a pattern."""
    return re.sub(r"([\\*?\[\]{}^])", r"\\\1", url)


def _location(file: FactFile) -> str:
    return _escaped(file.shown if isinstance(file, RemoteFile) else f"file://{file.path.resolve()}")


def _opened(engine: SparkEngine, files: list[FactFile]) -> "DataFrame":
    """Open files whose columns are alike; Spark finds out types by itself, but reads Parquet's UUIDs only as the bytes they are."""
    first, reader = files[0], engine.session.read
    if "UUID" in first.types:
        reader = reader.schema(", ".join(f"{_quoted(name)} {_SPARK_TYPES.get(kind, kind)}" for name, kind in _known(first)))
    places = [_location(file) for file in files]
    frame = reader.parquet(*places)
    if _OF_SPARK & {column.casefold() for column in first.columns}:
        known = frame.select(*(_quoted(name) for name, _ in _known(first)))
        frame = engine.session.read.schema(known.schema).parquet(*places)
    return frame


def _known(file: FactFile) -> list[tuple[str, str]]:
    """Give the columns that the file's table has, with their types; others are passed over."""
    names = (*REQUIRED_COLUMNS[file.table], *OPTIONAL_COLUMNS[file.table])
    return [(name, kind) for name, kind in zip(file.columns, file.types, strict=True) if name in names]


def parquet_records(engine: SparkEngine, file: FactFile) -> Iterator[Record]:
    """Give the rows of a small table's file, as text, numbered from 1.

    Raises:
        InputError: an identifier is a number, or of another type that is no text; or the file is damaged.
    """
    picks = ["_metadata.row_index"]
    for column, kind in _known(file):
        if column in _FACT_IDENTIFIERS and kind not in _TEXTS:
            raise InputError(f"{file.shown}: the column {column!r} is {kind}, but identifiers are text; write it as text")
        picks.append(f"{_text(column, kind)} as {_quoted(column)}")
    rows = _read(file.shown, lambda: _opened(engine, [file]).selectExpr(*picks).orderBy("row_index").collect())
    for number, *cells in rows:
        yield Record(number + 1, {column: cell for (column, _), cell in zip(_known(file), cells, strict=True)})


def _text(column: str, kind: str) -> str:
    name = _quoted(column)
    if kind == "TIMESTAMP WITH TIME ZONE":
        return _INSTANT.format(name=name)
    if kind in ("FLOAT", "DOUBLE"):
        return f"cast({name} as string) || ' (a float)'"
    if kind == '"NULL"':
        return "cast(null as string)"
    return _UUID.format(name=name) if kind == "UUID" else f"cast({name} as string)"


def raw_samples(engine: SparkEngine, files: list[FactFile]) -> bool:
    """Make the view `raw_samples` of the rows of sample files where they lie, and `raw_folds` of their folds (folds.py).

    Files of the same columns are read together. Rows whose times are text, which has to be read before it tells a block, are not
    folded; whether there are none is told.

    Raises:
        InputError: an identifier is a number, or of another type that is no text; or a file cannot be read.
    """
    groups: dict[tuple[tuple[str, ...], tuple[str, ...]], list[tuple[int, FactFile]]] = {}
    for number, file in enumerate(files, start=1):
        groups.setdefault((file.columns, file.types), []).append((number, file))
    read = [(group[0][1], *_raw_frame(engine, group)) for group in groups.values()]
    rows = [_picked(frame, values) for _, frame, values in read]
    folds = [
        _folded(engine, f"read_samples_{number}", *each) if "poll_s" in each[2] else row
        for number, (each, row) in enumerate(zip(read, rows, strict=True))
    ]
    for view, frames in (("raw_samples", rows), ("raw_folds", folds)):
        together = frames[0]
        for frame in frames[1:]:
            together = together.unionAll(frame)
        together.createOrReplaceTempView(view)
    return all("poll_s" in values for _, _, values in read)


def _raw_frame(engine: SparkEngine, files: list[tuple[int, FactFile]]) -> "tuple[DataFrame, dict[str, str]]":
    """Give the rows of files whose columns are alike, and what is selected from them for each raw column."""
    first = files[0][1]
    frame: DataFrame = _read(first.shown, lambda: _opened(engine, [file for _, file in files]))
    values = _raw_values(first)
    if len(files) == 1:
        return frame, values | {"file_number": str(files[0][0])}
    numbers = _numbers_by_place(frame.inputFiles(), files)
    # A name of its own: a Connect server asks what a frame reads when the frame is read, and would find the last group's.
    table = f"sample_places_{files[0][0]}"
    engine.load(table, {"place": "varchar", "number": "integer"}, numbers)
    places = engine.session.table(table).hint("broadcast")
    columns = [_quoted(name) for name, _ in _known(first)]
    numbered = frame.selectExpr("_metadata.file_path as place", "_metadata.row_index as row_index", *columns)
    return numbered.join(places, "place"), values | {"file_number": "number", "row_number": "row_index + 1"}


def _folded(engine: SparkEngine, view: str, file: FactFile, frame: "DataFrame", values: dict[str, str]) -> "DataFrame":
    """Fold the rows of files, of which one is `file`; `view`, which is of no other files, is what they are called meanwhile."""
    known = dict(_known(file))
    alike = [column for column, _ in said_columns(file, values) if column in known]
    read = {"read_s": values["poll_s"], "file_number": values["file_number"]}
    picks = [*map(_quoted, alike), *(f"{value} as {name}" for name, value in read.items())]
    frame.selectExpr(*picks).createOrReplaceTempView(view)
    folds = engine.frame(folded(", ".join(map(quoted_name, (*alike, "file_number"))), view))
    return _picked(folds, values | TOLD_BY_FOLDS | {"file_number": "file_number"})


def _picked(frame: "DataFrame", values: dict[str, str]) -> "DataFrame":
    picks = [f"cast({values.get(column, 'null')} as {_spark_type(kind)}) as {column}" for column, kind in RAW_COLUMNS.items()]
    return frame.selectExpr(*picks)


def _raw_values(file: FactFile) -> dict[str, str]:
    """Give what Spark selects for each raw column that the file has; see `metering.ingest.sources.parquet_source`."""
    values = {"row_number": "_metadata.row_index + 1", "listing": "0", "row_count": "1"}
    for column, kind in _known(file):
        name = _quoted(column)
        if column in IDENTIFIERS and not (kind in _TEXTS or kind.startswith("ENUM")):
            raise InputError(
                f"{file.shown}: the column {column!r} is {kind}, but identifiers are text (00123 is not 123); write it as text"
            )
        if column == "poll_time" and kind == "TIMESTAMP WITH TIME ZONE":
            values["poll_s"] = f"unix_seconds({name})"
        elif column == "allocated_size" and kind in WHOLE_NUMBERS:
            values["size_bytes"] = name
        elif kind in ("FLOAT", "DOUBLE"):
            values[column] = f"cast({name} as string)"
        else:
            values[column] = _text(column, kind)
    return values


def _numbers_by_place(places: Iterable[str], files: list[tuple[int, FactFile]]) -> list[tuple[str, int]]:
    """Give each file's number by what Spark calls it; it quotes what a URL must, and leaves out an empty authority."""
    numbers = {}
    for number, file in files:
        place = file.shown if isinstance(file, RemoteFile) else str(file.path.resolve())
        numbers[_SCHEME.sub("", place)] = number
    return [(re.sub(r"^file:/+", "file:/", place), numbers[_SCHEME.sub("", unquote(place))]) for place in places]


def _spark_type(kind: str) -> str:
    return "string" if kind == "varchar" else kind


def _quoted(column: str) -> str:
    return "`" + column.replace("`", "``") + "`"
