"""Rows of Parquet facts where they lie, as Spark reads them and staging takes them: of small tables, of samples, and their folds.

DuckDB reads the same types to the same values; where Spark would mean something else by one of them, it is put right here.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING
from urllib.parse import unquote

from metering.engine.duckdb import quoted_name
from metering.engine.spark import SparkEngine, spark_type
from metering.ingest.columns import OPTIONAL_COLUMNS, REQUIRED_COLUMNS
from metering.ingest.files import FactFile
from metering.ingest.folds import TOLD_BY_FOLDS, folded, said_columns
from metering.ingest.lake_files import KINDS, asked, escaped, place_of
from metering.ingest.lake_hints import NO_UTF8, SCHEME
from metering.ingest.raw_rows import RAW_COLUMNS
from metering.ingest.samples import Rejection
from metering.ingest.sources import WHOLE_NUMBERS
from metering.ingest.text import Record
from metering.model.errors import InputError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_FLOATS = ("FLOAT", "DOUBLE")
# The powers of ten between which DuckDB writes floats without one.
_PLAIN_FROM, _PLAIN_UNTIL = -4, 16
# What Spark finds out by itself as DuckDB does.
_FOUND_OUT = {
    *KINDS.values(), *_FLOATS, "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "DATE", "BOOLEAN", "DECIMAL", "ENUM", "JSON",
}  # fmt: skip
# What it reads where it is told to; of nanoseconds their number, and of nothing but nulls the numbers as which they lie there.
_SPARK_TYPES = {kind: name for name, kind in KINDS.items()} | {
    "UUID": "binary", "TIMESTAMPTZ_NS": "bigint", "TIMESTAMP_NS": "bigint", '"NULL"': "int", "UTINYINT": "smallint",
    "USMALLINT": "int", "UINTEGER": "bigint", "UBIGINT": "decimal(20, 0)", "ENUM": "string", "JSON": "string",
}  # fmt: skip
# What Spark calls the place of a row: a column of a file that is called so would stand in its place.
_OF_SPARK = {"_metadata", "_tmp_metadata_row_index"}
_INSTANT = "date_format({name}, \"yyyy-MM-dd'T'HH:mm:ss'Z'\")"
# Of nanoseconds, the second: floored towards the past also before 1970, where `div` cuts towards zero. The last number each way is
# infinity, to DuckDB too.
_INFINITIES = "case {name} when 9223372036854775807 then 'infinity' when -9223372036854775807 then '-infinity' end"
_SECOND = "case when {infinities} is null then {name} div 1000000000 - if({name} % 1000000000 < 0, 1, 0) end".replace(
    "{infinities}", _INFINITIES
)
_WALL_CLOCK = (
    "date_format(timestamp_seconds({second}), 'yyyy-MM-dd HH:mm:ss') || "
    "rtrim('.', rtrim('0', '.' || lpad(cast(pmod({name}, 1000000000) as string), 9, '0')))"
)
_UUID = "lower(concat_ws('-', {}))".format(
    ", ".join(f"hex(substring({{name}}, {start}, {length}))" for start, length in ((1, 4), (5, 2), (7, 2), (9, 2), (11, 6)))
)


def _opened(engine: SparkEngine, files: list[FactFile]) -> "DataFrame":
    """Open files whose columns are alike; Spark finds out types by itself, but not all that DuckDB knows: these it is told.

    It is told of the columns that are read only, so that no other one keeps it from a file.
    """
    first, reader = files[0], engine.session.read
    if not {_head(kind) for kind in first.types} <= _FOUND_OUT:
        told = ((name, _SPARK_TYPES.get(_head(kind), kind)) for name, kind in _known(first))
        reader = reader.schema(", ".join(f"{_quoted(name)} {kind}" for name, kind in told))
    places = [escaped(place_of(file)) for file in files]
    frame = reader.parquet(*places)
    if _OF_SPARK & {column.casefold() for column in first.columns}:
        known = frame.select(*(_quoted(name) for name, _ in _known(first)))
        frame = engine.session.read.schema(known.schema).parquet(*places)
    return frame


def _head(kind: str) -> str:
    """Give a type without its parameters, where it has some and is no list of such."""
    return kind.partition("(")[0] if kind.endswith(")") else kind


def _known(file: FactFile) -> list[tuple[str, str]]:
    """Give the columns that the file's table has, with their types; others are passed over."""
    names = (*REQUIRED_COLUMNS[file.table], *OPTIONAL_COLUMNS[file.table])
    return [(name, kind) for name, kind in zip(file.columns, file.types, strict=True) if name in names]


def parquet_records(engine: SparkEngine, file: FactFile) -> Iterator[Record]:
    """Give the rows of a small table's file, as text, numbered from 1.

    Raises:
        InputError: the file is damaged.
    """
    picks = ["_metadata.row_index"]
    for column, kind in _known(file):
        picks.append(f"{_text(column, kind)} as {_quoted(column)}")
    rows = asked(file.shown, lambda: _opened(engine, [file]).selectExpr(*picks).orderBy("row_index").collect())
    for number, *cells in rows:
        told = zip(_known(file), cells, strict=True)
        yield Record(number + 1, {column: _cell(cell, kind) for (column, kind), cell in told})


def _cell(text: str | None, kind: str) -> str | None:
    return f"{_float_text(text)} (a float)" if text is not None and kind in _FLOATS else text


def _float_text(text: str) -> str:
    """Write a float that Spark wrote (`1.0E9`) as DuckDB does (`1000000000.0`); it is shown, and never taken."""
    value = Decimal(text)
    if not value.is_finite():
        return str(value).lower().replace("infinity", "inf")
    exponent, digits = value.adjusted(), value.normalize()
    if value and not _PLAIN_FROM <= exponent < _PLAIN_UNTIL:
        return f"{digits.scaleb(-exponent):f}e{exponent:+03d}"
    return f"{digits:f}" if digits != digits.to_integral_value() else f"{digits:f}.0"


def with_floats(files: list[FactFile], rejections: list[Rejection]) -> list[Rejection]:
    """Show the values of rejected samples that are floats as DuckDB does."""
    floats = {(file.shown, column) for file in files for column, kind in _known(file) if kind in _FLOATS}
    return [
        replace(each, value=_float_text(each.value)) if each.value and (each.file, each.field) in floats else each
        for each in rejections
    ]


def _text(column: str, kind: str) -> str:
    name = _quoted(column)
    if kind == "TIMESTAMP WITH TIME ZONE":
        return _INSTANT.format(name=name)
    if kind == "TIMESTAMPTZ_NS":
        instant = _INSTANT.format(name=f"timestamp_seconds({_SECOND.format(name=name)})")
        return f"coalesce({instant}, {_INFINITIES.format(name=name)})"
    if kind == "TIMESTAMP_NS":
        return _WALL_CLOCK.format(name=name, second=_SECOND.format(name=name))
    if kind == "UUID":
        return _UUID.format(name=name)
    # DuckDB reads no text but UTF-8; Spark would show marks in place of what is none.
    return f"validate_utf8({name})" if kind == "VARCHAR" else f"cast({name} as string)"


def raw_samples(engine: SparkEngine, files: list[FactFile]) -> bool:
    """Make the view `raw_samples` of the rows of sample files where they lie, and `raw_folds` of their folds (folds.py).

    Files of the same columns are read together. Rows whose times are text, which has to be read before it tells a block, are not
    folded; whether there are none is told.

    Raises:
        InputError: a file cannot be read.
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


@contextmanager
def damage_told(engine: SparkEngine, files: list[FactFile]) -> Iterator[None]:
    """Name the file of which some text is no UTF-8: rows are read where they lie, so that it shows late and without a name.

    Raises:
        InputError: there is one.
    """
    try:
        yield
    except Exception as error:
        if NO_UTF8 not in str(error):
            raise
        for file in files:
            texts = [_quoted(column) for column, kind in _known(file) if kind == "VARCHAR"]
            wrong = " or ".join(f"not is_valid_utf8({name})" for name in texts)
            if wrong and _opened(engine, [file]).where(wrong).limit(1).collect():
                said = "is damaged (it holds text that is no UTF-8): nothing was taken; write it again"
                raise InputError(f"{file.shown} {said}") from None
        raise


def _raw_frame(engine: SparkEngine, files: list[tuple[int, FactFile]]) -> "tuple[DataFrame, dict[str, str]]":
    """Give the rows of files whose columns are alike, and what is selected from them for each raw column."""
    first = files[0][1]
    frame: DataFrame = asked(first.shown, lambda: _opened(engine, [file for _, file in files]))
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
    picks = [f"cast({values.get(column, 'null')} as {spark_type(kind)}) as {column}" for column, kind in RAW_COLUMNS.items()]
    return frame.selectExpr(*picks)


def _raw_values(file: FactFile) -> dict[str, str]:
    """Give what Spark selects for each raw column that the file has; see `metering.ingest.sources.parquet_source`."""
    values = {"row_number": "_metadata.row_index + 1", "listing": "0", "row_count": "1"}
    for column, kind in _known(file):
        name = _quoted(column)
        if column == "poll_time" and kind == "TIMESTAMP WITH TIME ZONE":
            values["poll_s"] = f"unix_seconds({name})"
        elif column == "poll_time" and kind == "TIMESTAMPTZ_NS":
            values["poll_s"] = _SECOND.format(name=name)
        elif column == "allocated_size" and kind in WHOLE_NUMBERS:
            values["size_bytes"] = name
        else:
            values[column] = _text(column, kind)
    return values


def _numbers_by_place(places: Iterable[str], files: list[tuple[int, FactFile]]) -> list[tuple[str, int]]:
    """Give each file's number by what Spark calls it; it quotes what a URL must, and leaves out an empty authority."""
    numbers = {}
    for number, file in files:
        numbers[SCHEME.sub("", place_of(file))] = number
    return [(re.sub(r"^file:/+", "file:/", place), numbers[SCHEME.sub("", unquote(place))]) for place in places]


def _quoted(column: str) -> str:
    return "`" + column.replace("`", "``") + "`"
