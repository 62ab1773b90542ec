"""Every sample file, whatever its format, as SQL that gives the same raw columns.

A raw row is text as it came, with the file and row it came from; nothing is judged here but what only the format can tell (a
line that is no JSON, an identifier that is a number). Text formats are parsed once, into a temporary Parquet file, because
staging reads the rows more than once; Parquet is read where it lies.

DuckDB parses sound text in bulk, on all cores: rows are not numbered while they are read, which only one core can do, but by the
place where they lie in the temporary file, which keeps their order. What DuckDB refuses is read again line by line in Python,
which tells the damaged lines from the others: slower, but nothing else in the file is lost. Row numbers count a file's rows;
negative ones name a line.
"""

import csv
from collections.abc import Callable, Iterable
from pathlib import Path

from metering.engine.duckdb import Engine, glob_escaped, quoted, quoted_name
from metering.ingest.files import FactFile, records
from metering.ingest.strict_json import decimal_text
from metering.ingest.text import Record, is_text, mend_lines, unpacked
from metering.model.errors import InputError
from metering.model.limits import ReadingLimits

TEXT_COLUMNS = (
    "poll_time", "endpoint", "account", "location", "snapshot", "allocated_size", "drive", "status", "name", "owner",
)  # fmt: skip
# What a fold says of its rows besides their number, see folds.py; of a single row they are null.
FOLD_COLUMNS = ("slots", "last_poll_s", "least_phase_s", "greatest_phase_s")
IDENTIFIERS = ("endpoint", "account", "location", "snapshot", "drive", "status", "name")
# A sign that stands in no text, so that a line is one column.
_NO_DELIMITER = "\U0010ffff"
_CSV = """auto_detect=false, header=false, quote='"', escape='"', compression='none'"""
# Of a fold, which is many rows, and of a row that gets the number of its place, see `spooled`.
UNNUMBERED = {"row_number": "cast(null as bigint)"}
# Types whose every value is a BIGINT; what may be larger is judged as text.
WHOLE_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER")
# Rows of one capture line belong together whatever other files say: the listing's number keeps them apart.
_LISTINGS_PER_FILE = 2**40


def text_source(engine: Engine, file: FactFile, number: int, spool: Path, checked: Callable[[str], str]) -> Path:
    """Parse and check a text file into a Parquet file in `spool`, in one go, and give its path; `spooled` reads it.

    `checked` makes of the SQL of raw rows that of checked ones, one for one and in their order.

    Raises:
        InputError: the file cannot be read at all, or changed while it was read.
    """
    target = spool / f"{number}.parquet"
    longest = file.limits.listing_bytes if file.table == "captures" else file.limits.line_bytes
    plain = unpacked(file.path, spool / f"{number}.text", file.limits, longest)
    # Where lines stand before the header, DuckDB has been seen to lose rows of files with mixed line ends.
    if file.skipped > 1 or not _parsed(engine, checked(_bulk(file, number, plain)), target):
        # A new place: a COPY that failed may still be about to remove what it wrote.
        target = spool / f"{number}.lines.parquet"
        select = _line_by_line(file, number, spool / f"{number}.rows.csv", spool / f"{number}.mended")
        if not _parsed(engine, checked(select), target):
            raise InputError(f"{file.shown} cannot be read: restore or convert it")
    if plain != file.path:
        plain.unlink()
    file.assert_unchanged()
    return target


def spooled(paths: Iterable[Path]) -> str:
    """Give the SQL that selects the checked rows of parsed text files; rows without a number get that of their place."""
    source = f"read_parquet({listed(paths)}, file_row_number=true)"
    return f"select * exclude (file_row_number) replace (coalesce(row_number, file_row_number + 1) as row_number) from {source}"


def listed(paths: Iterable[Path]) -> str:
    """Give the SQL that names files of the same columns for one look at them all: thousands of looks do not fit into memory."""
    return f"[{', '.join(quoted(glob_escaped(path)) for path in paths)}]"


def _parsed(engine: Engine, select: str, target: Path) -> bool:
    """Write what `select` gives to a Parquet file; tell whether DuckDB could read it."""
    try:
        with engine.aside() as parser:
            parser.sql(f"copy ({select}) to {quoted(target)} (format parquet, compression snappy)")
    except engine.UnreadableError:
        return False
    return True


def _bulk(file: FactFile, number: int, plain: Path) -> str:
    if file.table == "captures":
        return _captures(number, plain, file.limits)
    return _csv(file, number, plain) if file.format == "csv" else _ndjson(file, number, plain)


def raw_rows(number: int, values: dict[str, str], source: str) -> str:
    """Give the SQL that selects from `source` all raw columns, those that `values` does not tell empty."""
    columns = {
        "file_number": f"cast({number:d} as integer)",
        "row_number": "row_number",
        "listing": "cast(0 as bigint)",
        "poll_s": "cast(null as bigint)",
        "answered_s": "cast(null as bigint)",
        **dict.fromkeys(TEXT_COLUMNS, "cast(null as varchar)"),
        "size_bytes": "cast(null as bigint)",
        "drive_size": "cast(null as varchar)",
        "problem": "cast(null as varchar)",
        "problem_value": "cast(null as varchar)",
        "row_count": "cast(1 as bigint)",
        **dict.fromkeys(FOLD_COLUMNS, "cast(null as bigint)"),
        **values,
    }
    return f"select {', '.join(f'{value} as {name}' for name, value in columns.items())} from {source}"


def parquet_source(files: dict[int, FactFile]) -> str:
    """Give the SQL that selects the raw rows of Parquet files, by number, where they lie; all have the same columns and types.

    Raises:
        InputError: an identifier is a number, or of another type that is no text.
    """
    first, *others = files
    values = parquet_values(files[first]) | {"row_number": "file_row_number + 1"}
    if others:
        values["file_number"] = f"cast({list(files)}[cast(file_index as bigint) + 1] as integer)"
    source = f"read_parquet({listed(file.path for file in files.values())}, file_row_number=true)"
    return raw_rows(first, values, source)


def parquet_values(file: FactFile) -> dict[str, str]:
    """Give the SQL of each raw column that a Parquet file tells, over its columns as they lie in it.

    Raises:
        InputError: an identifier is a number, or of another type that is no text.
    """
    values = {}
    for column, kind in zip(file.columns, file.types, strict=True):
        if column not in TEXT_COLUMNS or column == "owner":
            continue
        name = quoted_name(column)
        if column in IDENTIFIERS and not (kind in ("VARCHAR", "UUID", '"NULL"') or kind.startswith("ENUM")):
            raise InputError(
                f"{file.shown}: the column {column!r} is {kind}, but identifiers are text (00123 is not 123); write it as text"
            )
        if column == "poll_time" and kind == "TIMESTAMP WITH TIME ZONE":
            values["poll_s"] = _floored(f"epoch_us({name})", 1_000_000)
        elif column == "poll_time" and kind == "TIMESTAMPTZ_NS":
            values["poll_s"] = _floored(f"epoch_ns({name})", 1_000_000_000)
        elif column == "allocated_size" and kind in WHOLE_NUMBERS:
            values["size_bytes"] = f"cast({name} as bigint)"
        else:
            values[column] = f"cast({name} as varchar)"
    return values


def _floored(value: str, divisor: int) -> str:
    """Floor towards the past also before 1970, where DuckDB's `//` cuts towards zero."""
    return f"(({value}) - ((({value}) % {divisor}) + {divisor}) % {divisor}) // {divisor}"


def _typed(columns: Iterable[str], kind: str) -> str:
    return "{" + ", ".join(f"{quoted(column)}: {quoted(kind)}" for column in columns) + "}"


def _csv(file: FactFile, number: int, plain: Path) -> str:
    # Columns by place: a header may name what DuckDB would not take for a name, or the same in small and capital letters.
    columns = {f"c{i}": column for i, column in enumerate(file.columns)}
    values = {column: name for name, column in columns.items() if column in TEXT_COLUMNS and column != "owner"}
    source = (
        f"read_csv([{quoted(glob_escaped(plain))}], {_CSV}, skip={file.skipped:d}, delim={quoted(file.delimiter)}, "
        f"columns={_typed(columns, 'VARCHAR')})"
    )
    return raw_rows(number, values | UNNUMBERED, source)


def _ndjson(file: FactFile, number: int, plain: Path) -> str:
    columns = [column for column in TEXT_COLUMNS if column != "owner"]
    values = {column: _text(column) for column in columns}
    # A JSON text begins with its type: a quote for text, and null is no value at all.
    wrong = " ".join(
        f"when not starts_with(cast({column} as varchar), '\"') then '{column}.no_text'" for column in ("poll_time", *IDENTIFIERS)
    )
    values["problem"] = f"case {wrong} end"
    # A blank line is no record, and `null` one without any cell.
    source = (
        f"read_json([{quoted(glob_escaped(plain))}], format='newline_delimited', compression='none', "
        f"maximum_object_size={file.limits.line_bytes:d}, columns={_typed(columns, 'JSON')})"
    )
    return raw_rows(number, values | UNNUMBERED, source)


def _line_by_line(file: FactFile, number: int, rows: Path, mended: Path) -> str:
    """Give the SQL for a file that DuckDB refuses: of its rows as Python reads them, or of its lines without the damaged ones."""
    sound = ""
    with rows.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
        if file.table == "captures":
            for line, problem in mend_lines(file.path, mended, file.limits):
                writer.writerow((-line, *[""] * len(TEXT_COLUMNS), problem, ""))
            sound = f"{_captures(number, mended, file.limits)} union all by name "
        else:
            for record in records(file):
                writer.writerow((-record.line, *_cells(record)))
    columns = ("row_number", *TEXT_COLUMNS, "problem", "problem_value")
    source = (
        f"read_csv([{quoted(glob_escaped(rows))}], {_CSV}, delim=',', columns={_typed(columns, 'VARCHAR')}, "
        f"max_line_size={8 * file.limits.line_bytes:d}, buffer_size={32 * file.limits.line_bytes:d})"
    )
    values = {name: name for name in columns} | {"row_number": "cast(row_number as bigint)"}
    return f"{sound}{raw_rows(number, values, source)}"


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


def _text(value: str) -> str:
    """Give a JSON value as text; null stays null."""
    return f"json_extract_string({value}, '$')"


def _no_text(value: str) -> str:
    return f"({value} is not null and json_type({value}) not in ('VARCHAR', 'NULL'))"


# What is read of a capture, and of each object that it lists; all at once, because each look at a JSON text reads it anew.
_CAPTURE_PATHS = (
    "poll_time", "endpoint", "account", "date", "response.meta.limit", "response.meta.offset", "response.meta.total_count",
    "response.objects",
)  # fmt: skip
_OBJECT_PATHS = (
    "uuid", "location", "allocated_size", "drive.uuid", "drive_meta.src_uuid", "status", "name", "owner.uuid", "drive_meta.size",
)  # fmt: skip
_HEAD_COLUMNS = ("poll_time", "endpoint", "account")
# Captures of this size are taken apart once and kept; larger ones, which memory might not hold, once for polls and again for
# objects.
_KEPT_BYTES = 32 * 2**20


def _picks(document: str, paths: tuple[str, ...]) -> str:
    return f"json_extract({document}, [{', '.join(quoted('$.' + path) for path in paths)}])"


def _captures(number: int, plain: Path, limits: ReadingLimits) -> str:
    """Give each capture as a heartbeat, which makes its poll known, and one row an object that it lists."""
    kept = "materialized" if plain.stat().st_size <= _KEPT_BYTES else "not materialized"
    head = {"listing": f"row_number + {number * _LISTINGS_PER_FILE:d}", **{name: name for name in _HEAD_COLUMNS}}
    told = {name: name for name in ("answered_s", "problem", "problem_value")}
    polls = raw_rows(number, head | told, "capture_lines")
    lines, objects = _capture_lines(plain, limits), _listed_objects(number, head)
    return f"with capture_lines as {kept} ({lines}) {polls} union all by name {objects}"


def _numbered_lines(plain: Path, limits: ReadingLimits) -> str:
    # No line is longer than its file; a buffer for the longest that may be costs more than to read a collector's cycle.
    longest = min(limits.listing_bytes, max(plain.stat().st_size, limits.line_bytes))
    source = (
        f"read_csv([{quoted(glob_escaped(plain))}], auto_detect=false, header=false, delim={quoted(_NO_DELIMITER)}, quote='', "
        f"escape='', columns={{'line': 'VARCHAR'}}, max_line_size={longest:d}, buffer_size={longest:d}, "
        "strict_mode=false, compression='none')"
    )
    return (
        "(select row_number, line, case when json_valid(line) then json_type(line) end as kind "
        f"from (select row_number() over () as row_number, line from {source}) where trim(line) <> '')"
    )


def _capture_lines(plain: Path, limits: ReadingLimits) -> str:
    """Take from each line what it says of its poll, what is wrong with that, and its objects.

    Where a line is no JSON object, an empty one stands in, so that all SQL holds.
    """
    parted = (
        "(select row_number, line, kind, case when kind = 'OBJECT' then json_keys(line) end as keys, "
        + _picks("case when kind = 'OBJECT' then line else '{}' end", _CAPTURE_PATHS)
        + f" as said from {_numbered_lines(plain, limits)})"
    )
    at = {path.rpartition(".")[2]: f"said[{i}]" for i, path in enumerate(_CAPTURE_PATHS, start=1)}
    limit, offset, listed = (f"try_cast({_text(at[name])} as bigint)" for name in ("limit", "offset", "total_count"))
    count = f"json_array_length({at['objects']})"
    wrong = " ".join(f"when {_no_text(at[name])} then '{name}.no_text'" for name in _HEAD_COLUMNS)
    problem = (
        "case when kind is null then 'line.json' when kind <> 'OBJECT' then 'line.object' "
        f"when len(keys) <> len(list_distinct(keys)) then 'line.key_twice' {wrong} "
        f"when coalesce({_text(at['endpoint'])}, '') = '' then 'endpoint.missing' "
        f"when json_type({at['objects']}) is distinct from 'ARRAY' then 'response.no_listing' "
        f"when {count} > {limits.objects:d} then 'response.too_many' "
        # A page is no listing: it was cut at its limit, and the provider knows of more.
        f"when {limit} > 0 and {count} >= {limit} and {listed} > {count} or {offset} > 0 then 'response.incomplete' end"
    )
    texts = ", ".join(f"{_text(at[name])} as {name}" for name in _HEAD_COLUMNS)
    return (
        f"select row_number, {texts}, {_answered_seconds(_text(at['date']))} as answered_s, {problem} as problem, "
        f"left(line, 200) as problem_value, "
        f"case when {count} <= {limits.objects:d} then {at['objects']} end as objects from {parted}"
    )


def _listed_objects(number: int, head: dict[str, str]) -> str:
    at = {path: f"found[{i}]" for i, path in enumerate(_OBJECT_PATHS, start=1)}
    wrong = " ".join(
        f"when {_no_text(at[path])} then '{column}.no_text'"
        for column, path in (
            ("snapshot", "uuid"), ("location", "location"), ("status", "status"), ("name", "name"), ("drive", "drive.uuid"),
        )
    )  # fmt: skip
    owner, uuid, size = (_text(at[path]) for path in ("owner.uuid", "uuid", "allocated_size"))
    problem = (
        "case when json_type(object) is distinct from 'OBJECT' then 'response.no_object' "
        "when len(keys) <> len(list_distinct(keys)) then 'response.key_twice' "
        f"when {_no_text(at['owner.uuid'])} then 'owner.no_text' when coalesce({owner}, '') = '' then 'owner.missing' "
        # What belongs to another account is not billed from this poll, so nothing more is asked of it.
        f"when {owner} <> account then null "
        f"{wrong} when coalesce({uuid}, '') = '' then 'snapshot.missing' "
        f"when json_type({at['allocated_size']}) not in ('UBIGINT', 'BIGINT', 'HUGEINT', 'NULL') "
        "then 'allocated_size.no_integer' end"
    )
    values = {
        "location": _text(at["location"]),
        "snapshot": uuid,
        "allocated_size": size,
        # Deleting a drive leaves its snapshots: what drive it was is still known from their metadata.
        "drive": f"coalesce({_text(at['drive.uuid'])}, {_text(at['drive_meta.src_uuid'])})",
        "status": _text(at["status"]),
        "name": _text(at["name"]),
        "owner": owner,
        "drive_size": _text(at["drive_meta.size"]),
        "problem": problem,
        "problem_value": f"coalesce({size}, left(cast(object as varchar), 200))",
    }
    kept = f"row_number, {', '.join(_HEAD_COLUMNS)}"
    objects = (
        f"(select {kept}, object, {_picks('object', _OBJECT_PATHS)} as found, json_keys(object) as keys from "
        f"(select {kept}, unnest(cast(objects as json[])) as object from capture_lines where json_type(objects) = 'ARRAY'))"
    )
    return raw_rows(number, head | values, objects)


def _answered_seconds(text: str) -> str:
    """Give the provider's own clock, the `Date` of its answer, in whole seconds; null where the capture tells none."""
    read = f"try_strptime({text}, ['%a, %d %b %Y %H:%M:%S GMT', '%Y-%m-%dT%H:%M:%SZ'])"
    return f"date_diff('second', timestamp '1970-01-01 00:00:00', {read})"
