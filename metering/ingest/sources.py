"""Every sample file, whatever its format, as SQL that gives the same raw columns.

A raw row is text as it came, with the file and row it came from; nothing is judged here but what only the format can tell (a
line that is no JSON, an identifier that is a number). Text formats are parsed once, into a temporary Parquet file, because
staging reads the rows more than once; Parquet is read where it lies.

DuckDB parses sound text in bulk, on all cores: rows are not numbered while they are read, which only one core can do, but by the
place where they lie in the temporary file, which keeps their order. Small files are parsed many at once. What DuckDB refuses is
read again line by line in Python, which tells the damaged lines from the others: slower, but nothing else in the file is lost. Row
numbers count a file's rows; negative ones name a line.
"""

import csv
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from metering.engine.duckdb import Engine, quoted, quoted_name, read_files
from metering.ingest.capture_rows import captures
from metering.ingest.files import FactFile, records
from metering.ingest.raw_rows import IDENTIFIERS, TEXT_COLUMNS, UNNUMBERED, json_text, numbered, of_file, raw_rows
from metering.ingest.strict_json import decimal_text, is_text
from metering.ingest.text import Record, mend_lines, unpacked
from metering.model.errors import InputError

_CSV = """auto_detect=false, header=false, quote='"', escape='"', compression='none'"""
# Text files up to this size are parsed together, as many as these.
_SMALL_BYTES = 2**20
_TOGETHER_BYTES = 16 * 2**20
_FILES_TOGETHER = 200
_NO_WHOLE_DIGITS = re.compile(r"DECIMAL\((\d+),\1\)")
# Types whose every value is a BIGINT; what may be larger is judged as text.
WHOLE_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER")


@dataclass(frozen=True, slots=True)
class _Text:
    """A text file with its number and, where it was compressed, the place to which it was unpacked."""

    number: int
    file: FactFile
    plain: Path


def text_sources(
    engine: Engine, files: dict[int, FactFile], spool: Path, checked: Callable[[str], str]
) -> Iterator[tuple[Path, list[FactFile]]]:
    """Parse and check text files, by number, into Parquet files in `spool`; gives each with the files it holds, once it is there.

    `checked` makes of the SQL of raw rows that of checked ones, one for one; `spooled` reads what was written. Small files of the
    same columns are parsed together: to plan the reading of a file takes as long as to read ten thousand rows.

    Raises:
        InputError: a file cannot be read at all, or changed while it was read.
    """
    for texts in _read_together(files, spool):
        for target, parsed in _text_sources(engine, texts, spool, checked):
            for text in parsed:
                if text.plain != text.file.path:
                    text.plain.unlink()
                text.file.assert_unchanged()
            yield target, [text.file for text in parsed]


def _read_together(files: dict[int, FactFile], spool: Path) -> Iterator[list[_Text]]:
    """Unpack text files and put those together that are parsed in one go."""
    waiting: defaultdict[tuple[object, ...], list[_Text]] = defaultdict(list)
    sizes: Counter[tuple[object, ...]] = Counter()
    for number, file in files.items():
        longest = file.limits.listing_bytes if file.table == "captures" else file.limits.line_bytes
        text = _Text(number, file, unpacked(file.path, spool / f"{number}.text", file.limits, longest))
        size = text.plain.stat().st_size
        if size > _SMALL_BYTES:
            yield [text]
            continue
        # NDJSON names its columns in each line.
        alike = (file.table, file.format, *((file.columns, file.delimiter, file.skipped) if file.format == "csv" else ()))
        if waiting[alike] and (sizes[alike] + size > _TOGETHER_BYTES or len(waiting[alike]) == _FILES_TOGETHER):
            yield waiting.pop(alike)
            del sizes[alike]
        waiting[alike].append(text)
        sizes[alike] += size
    yield from waiting.values()


def _text_sources(
    engine: Engine, texts: list[_Text], spool: Path, checked: Callable[[str], str]
) -> Iterator[tuple[Path, list[_Text]]]:
    """Parse files in one go; where one of them is damaged, halves by themselves, and in the end it alone line by line."""
    target = spool / f"{texts[0].number}-{len(texts)}.parquet"
    # Where lines stand before the header, DuckDB has been seen to lose rows of files with mixed line ends.
    if texts[0].file.skipped <= 1 and _parsed(engine, checked(_bulk(texts)), target):
        yield target, texts
    elif len(texts) > 1:
        middle = len(texts) // 2
        yield from _text_sources(engine, texts[:middle], spool, checked)
        yield from _text_sources(engine, texts[middle:], spool, checked)
    else:
        # A new place: a COPY that failed may still be about to remove what it wrote.
        target = spool / f"{texts[0].number}.lines.parquet"
        if not _parsed(engine, checked(_line_by_line(texts[0], spool)), target):
            raise InputError(f"{texts[0].file.shown} cannot be read: restore or convert it")
        yield target, texts


def spooled(paths: Iterable[Path]) -> str:
    """Give the SQL that selects the checked rows of parsed text files; rows without a number get that of their place."""
    source = read_files("parquet", paths, "file_row_number=true")
    return f"select * exclude (file_row_number) replace (coalesce(row_number, file_row_number + 1) as row_number) from {source}"


def _parsed(engine: Engine, select: str, target: Path) -> bool:
    """Write what `select` gives to a Parquet file; tell whether DuckDB could read it."""
    try:
        with engine.aside() as parser:
            parser.sql(f"copy ({select}) to {quoted(target)} (format parquet, compression snappy)")
    except engine.UnreadableError:
        return False
    return True


def _bulk(texts: list[_Text]) -> str:
    file = texts[0].file
    if file.table == "captures":
        return captures({text.number: text.plain for text in texts}, file.limits)
    values, source = _csv(file) if file.format == "csv" else _ndjson(file)
    if len(texts) == 1:
        return raw_rows(values | of_file(texts[0].number) | UNNUMBERED, source(texts[0].plain))
    return raw_rows(values | {"file_number": "file_number"}, f"({numbered({text.number: source(text.plain) for text in texts})})")


def parquet_source(files: dict[int, FactFile]) -> str:
    """Give the SQL that selects the raw rows of Parquet files, by number, where they lie; all have the same columns and types.

    A file with a column that is called like the number of its rows is numbered on one core, and stands alone.
    """
    first, *others = files
    values = parquet_values(files[first]) | of_file(first)
    if not is_numbered(files[first]):
        return raw_rows(values, f"({numbered({first: read_files('parquet', [files[first].path])})})")
    values["row_number"] = "file_row_number + 1"
    if others:
        values["file_number"] = f"{list(files)}[cast(file_index as bigint) + 1]"
    source = read_files("parquet", (file.path for file in files.values()), "file_row_number=true")
    return raw_rows(values, source)


def is_numbered(file: FactFile) -> bool:
    """Tell whether DuckDB can give the number of each row of a Parquet file, and of the file among others.

    A column that is called as these numbers are would stand in their place.
    """
    return not {"file_index", "file_row_number"} & {column.casefold() for column in file.columns}


def parquet_values(file: FactFile) -> dict[str, str]:
    """Give the SQL of each raw column that a Parquet file tells, over its columns as they lie in it."""
    values = {}
    for column, kind in zip(file.columns, file.types, strict=True):
        if column not in TEXT_COLUMNS or column == "owner":
            continue
        name = quoted_name(column)
        if column == "poll_time" and kind == "TIMESTAMP WITH TIME ZONE":
            values["poll_s"] = _floored(f"epoch_us({name})", 1_000_000)
        elif column == "poll_time" and kind == "TIMESTAMPTZ_NS":
            values["poll_s"] = seconds_of_nanoseconds(name)
        elif column == "allocated_size" and kind in WHOLE_NUMBERS:
            values["size_bytes"] = f"cast({name} as bigint)"
        else:
            values[column] = text_of(name, kind)
    return values


def text_of(name: str, kind: str) -> str:
    """Give the SQL of a Parquet value as text; DuckDB leaves a decimal of a type without whole digits without its zero (`.28`)."""
    text = f"cast({name} as varchar)"
    return f"regexp_replace({text}, '^(-?)[.]', '\\10.')" if _NO_WHOLE_DIGITS.fullmatch(kind) else text


def seconds_of_nanoseconds(name: str) -> str:
    """Give the SQL of the whole second in which an instant of nanoseconds is; made microseconds, it would be rounded."""
    return _floored(f"epoch_ns({name})", 1_000_000_000)


def _floored(value: str, divisor: int) -> str:
    """Floor towards the past also before 1970, where DuckDB's `//` cuts towards zero."""
    return f"({value} // {divisor} - case when {value} % {divisor} < 0 then 1 else 0 end)"


def _typed(columns: Iterable[str], kind: str) -> str:
    return "{" + ", ".join(f"{quoted(column)}: {quoted(kind)}" for column in columns) + "}"


def _csv(file: FactFile) -> tuple[dict[str, str], Callable[[Path], str]]:
    # Columns by place: a header may name what DuckDB would not take for a name, or the same in small and capital letters.
    columns = {f"c{i}": column for i, column in enumerate(file.columns)}
    values = {column: name for name, column in columns.items() if column in TEXT_COLUMNS and column != "owner"}
    options = f"{_CSV}, skip={file.skipped:d}, delim={quoted(file.delimiter)}, columns={_typed(columns, 'VARCHAR')}"
    return values, lambda plain: read_files("csv", [plain], options)


def _ndjson(file: FactFile) -> tuple[dict[str, str], Callable[[Path], str]]:
    columns = [column for column in TEXT_COLUMNS if column != "owner"]
    values = {column: json_text(column) for column in columns}
    # A JSON text begins with its type: a quote for text, and null is no value at all.
    wrong = " ".join(
        f"when not starts_with(cast({column} as varchar), '\"') then '{column}.no_text'" for column in ("poll_time", *IDENTIFIERS)
    )
    values["problem"] = f"case {wrong} end"
    # A blank line is no record, and `null` one without any cell.
    options = (
        f"format='newline_delimited', compression='none', maximum_object_size={file.limits.line_bytes:d}, "
        f"columns={_typed(columns, 'JSON')}"
    )
    return values, lambda plain: read_files("json", [plain], options)


def _line_by_line(text: _Text, spool: Path) -> str:
    """Give the SQL for a file that DuckDB refuses: of its rows as Python reads them, or of its lines without the damaged ones."""
    number, file = text.number, text.file
    rows, mended = spool / f"{number}.rows.csv", spool / f"{number}.mended"
    sound = ""
    with rows.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
        if file.table == "captures":
            for line, problem in mend_lines(file.path, mended, file.limits):
                writer.writerow((-line, *[""] * len(TEXT_COLUMNS), problem, ""))
            sound = f"{captures({number: mended}, file.limits)} union all by name "
        else:
            for record in records(file):
                writer.writerow((-record.line, *_cells(record)))
    columns = ("row_number", *TEXT_COLUMNS, "problem", "problem_value")
    # Said, where our lines end: guessed, a carriage return in a cell would be it.
    options = (
        f"{_CSV}, new_line='\\n', delim=',', columns={_typed(columns, 'VARCHAR')}, "
        f"max_line_size={8 * file.limits.line_bytes:d}, buffer_size={32 * file.limits.line_bytes:d}"
    )
    values = {name: name for name in columns} | of_file(number)
    return f"{sound}{raw_rows(values, read_files('csv', [rows], options))}"


def _cells(record: Record) -> list[str | None]:
    """Give a record's cells as text, and what is wrong with it, as `_ndjson` tells it."""
    cells = record.cells
    texts = [decimal_text(cells.get(column)) for column in TEXT_COLUMNS[:-1]]
    problem, shown = record.problem, record.shown
    if problem is None:
        problem = next((f"{name}.no_text" for name in ("poll_time", *IDENTIFIERS) if not is_text(cells.get(name))), None)
    if problem is None and isinstance(cells.get("allocated_size"), (bool, tuple, list)):
        problem, shown = "allocated_size.no_integer", decimal_text(cells["allocated_size"]) or ""
    return [*texts, None, problem, shown]
