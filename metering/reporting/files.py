"""Tables as files: CSV that opens right in a spreadsheet, NDJSON, Parquet with exact decimals; written whole or not at all."""

import contextlib
import csv
import io
import json
import re
from collections.abc import Callable, Collection, Iterator
from functools import cache, partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from metering.durable import replaced
from metering.engine.duckdb import quoted, telling_of, writer
from metering.model.errors import InputError, MisuseError
from metering.model.tables import Column, Kind, Table, plain_text
from metering.model.units import shown_gib, shown_gib_months

if TYPE_CHECKING:
    from _csv import Writer

# What a spreadsheet may take for a formula, also behind white space and what cannot be seen, and in the full width of East Asia;
# the quote in front makes it text.
_FORMULA = re.compile(
    r"[\s\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r]"
)
# A spreadsheet keeps 15 digits: beside each figure that can be longer stands one in the unit people think in.
_BESIDE = {"bytes": ("_gib", shown_gib), "byte_seconds": ("_gib_months", shown_gib_months)}

# What the exact decimals of Parquet files hold: 38 digits, of money 20 of them behind the point.
_LARGEST = {"bytes": 10**38, "byte_seconds": 10**38, "money": 10**18}
_PARQUET_TYPES: dict[Kind, str] = {
    "text": "varchar", "count": "bigint", "seconds": "bigint", "bytes": "decimal(38, 0)", "byte_seconds": "decimal(38, 0)",
    "money": "decimal(38, 20)", "instant": "timestamptz", "date": "date",
}  # fmt: skip


def spreadsheet_text(text: str) -> str:
    """Neutralise text from outside that a spreadsheet would run as a formula."""
    return "'" + text if _FORMULA.match(text) else text


class _Lines:
    """A file in which lines end in a line feed, whatever they were written with."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, line: str) -> int:
        """Write a whole line."""
        return self._file.write(line.removesuffix("\r\n") + "\n")


def csv_writer(file: IO[str]) -> "Writer":
    """Give a writer of CSV with lines that end in a line feed.

    Python quotes a carriage return in a name only where lines end in one; unquoted, it ends a line for whoever reads the file.
    """
    return csv.writer(_Lines(file), lineterminator="\r\n")


def csv_text(table: Table) -> str:
    """Write a table as CSV, see `write_csv`."""
    out = io.StringIO()
    write_csv(table, out)
    return out.getvalue()


def write_csv(table: Table, file: IO[str], figures_as_text: Collection[str] = ()) -> None:
    """Write a table as CSV: exact plain figures, and beside bytes and byte-seconds GiB and GiB-months for the eye.

    Other text than that of the columns of `figures_as_text` is neutralised where a spreadsheet would take it for a formula.
    """
    written = [
        (at, name, cell)
        for at, column in enumerate(table.columns)
        for name, cell in _cells(column, is_theirs=column.kind == "text" and column.name not in figures_as_text)
    ]
    writer = csv_writer(file)
    writer.writerow([name for _, name, _ in written])
    writer.writerows([cell(row[at]) for at, _, cell in written] for row in table.rows)


def _cells(column: Column, *, is_theirs: bool) -> Iterator[tuple[str, Callable[[Any], str]]]:
    """Give the headings of a column and what writes its values; of what many rows say alike the text is made once."""
    kind = column.kind
    yield column.name, cache(lambda value: spreadsheet_text(plain_text(kind, value))) if is_theirs else partial(plain_text, kind)
    if beside := _beside(column.name, kind):
        shown = _BESIDE[kind][1]
        yield beside, lambda value: "" if value is None else shown(int(value)).replace(",", "")


def _beside(name: str, kind: Kind) -> str | None:
    if kind not in _BESIDE or name == "multiplier":
        return None
    return name.removesuffix("_bytes").removesuffix("_byte_seconds") + _BESIDE[kind][0]


def ndjson_text(table: Table) -> str:
    """Write a table as NDJSON: one object a row, big integers and money as strings of plain decimals."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in table.documents())


def format_of(path: Path) -> str:
    """Tell an export's format by its name.

    Raises:
        MisuseError: the ending is none that is written.
    """
    form = {".csv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson", ".parquet": "parquet", ".xlsx": "xlsx"}.get(path.suffix.lower())
    if form is None:
        raise MisuseError(f"{path} tells no format: end it in .csv, .ndjson, .parquet or .xlsx")
    return form


def write_table(table: Table, path: Path) -> None:
    """Write a table to a file, in the format that its name tells; the file is there whole, or as it was before.

    Raises:
        InputError: the file cannot be written, or holds no figure as large as one of these.
    """
    form = format_of(path)
    if form == "xlsx":
        from metering.reporting.workbook import Sheet, write_workbook  # noqa: PLC0415 -- an extra, and it writes as we do here

        # A statement has its totals in it, findings have none, and advice is of lengths of which one is bought.
        write_workbook([Sheet(table, has_totals=table.name not in ("statement", "findings", "advice"))], path)
        return
    if form == "parquet":
        with parquet_file(table, path):
            pass
    else:
        write_text(csv_text(table) if form == "csv" else ndjson_text(table), path)


@contextlib.contextmanager
def parquet_file(table: Table, path: Path) -> Iterator[None]:
    """Write a table as Parquet; it takes its place as the block ends, and where that fails, what was there stays.

    Raises:
        InputError: the file cannot be written, or holds no figure as large as one of these.
    """
    with replaced(path) as place:
        with telling_of(path, place):
            _write_parquet(table, place, path)
        yield


def _write_parquet(table: Table, place: Path, path: Path) -> None:
    rows = ([_parquet_text(column, value, path) for column, value in zip(table.columns, row, strict=True)] for row in table.rows)
    with writer(place) as engine:
        engine.load("exported", {column.name: _PARQUET_TYPES[column.kind] for column in table.columns}, rows)
        engine.sql(f"copy exported to {quoted(place)} (format parquet, compression zstd, use_tmp_file false)")


def _parquet_text(column: Column, value: Any, path: Path) -> str | None:
    if value is None:
        return None
    text = plain_text(column.kind, value)
    if column.kind in _LARGEST and abs(value) >= _LARGEST[column.kind]:
        raise InputError(
            f"{path} cannot be written: {column.name} {text} is larger than exact decimals of Parquet; write it as .csv or .ndjson"
        )
    return text


def write_text(text: str, path: Path) -> None:
    """Write a file of text; it is there whole, or as it was before.

    Raises:
        InputError: the file cannot be written.
    """
    with replaced(path) as place:
        place.write_text(text, encoding="utf-8", newline="")
