"""Every sample file, whatever its format, as SQL that gives the same raw columns.

A raw row is text as it came, with the file and row it came from; nothing is judged here but what only the format can tell (a
line that is no JSON, an identifier that is a number). Text formats are parsed once, into a temporary Parquet file, because
staging reads the rows more than once; Parquet is read where it lies.
"""

from collections.abc import Callable
from pathlib import Path

from metering.engine.duckdb import Engine, glob_escaped, quoted, quoted_name
from metering.ingest.files import MAX_LINE_BYTES, MAX_ROW_BYTES, FactFile, compression_of, lines_source
from metering.model.errors import InputError

_TEXT_COLUMNS = (
    "poll_time", "endpoint", "account", "location", "snapshot", "allocated_size", "drive", "status", "name", "owner",
)  # fmt: skip
_IDENTIFIERS = ("endpoint", "account", "location", "snapshot", "drive", "status", "name")
# Rows of one capture line belong together whatever other files say: the listing's number keeps them apart.
_LISTINGS_PER_FILE = 2**40


def raw_source(engine: Engine, file: FactFile, number: int, spool: Path) -> str:
    """Give the SQL that selects a sample file's raw rows; text files are first parsed into `spool`.

    Raises:
        InputError: the file cannot be read at all, or changed while it was read.
    """
    if file.table == "samples" and file.format == "parquet":
        return _parquet(file, number)
    select: Callable[[FactFile, int], str] = _captures if file.table == "captures" else _SELECTS[file.format]
    target = spool / f"{number}.parquet"
    try:
        engine.sql(f"copy ({select(file, number)}) to {quoted(target)} (format parquet, compression snappy)")
        if file.format == "csv":
            target = _with_structure_errors(engine, file, number, target)
    except engine.Error as error:
        raise InputError(f"{file.shown} cannot be read ({str(error).strip().splitlines()[0]}); restore or convert it") from None
    file.assert_unchanged()
    return f"select * from read_parquet({quoted(glob_escaped(target))})"


def _select(number: int, values: dict[str, str], source: str) -> str:
    columns = {
        "file_number": f"cast({number:d} as integer)",
        "row_number": "row_number",
        "listing": "cast(0 as bigint)",
        "poll_s": "cast(null as bigint)",
        "answered_s": "cast(null as bigint)",
        **dict.fromkeys(_TEXT_COLUMNS, "cast(null as varchar)"),
        "drive_size": "cast(null as varchar)",
        "problem": "cast(null as varchar)",
        "problem_value": "cast(null as varchar)",
        **values,
    }
    return f"select {', '.join(f'{value} as {name}' for name, value in columns.items())} from {source}"


def _parquet(file: FactFile, number: int) -> str:
    values = {"row_number": "file_row_number + 1"}
    for column, kind in zip(file.columns, file.types, strict=True):
        if column not in _TEXT_COLUMNS or column == "owner":
            continue
        name = quoted_name(column)
        if column in _IDENTIFIERS and not (kind in ("VARCHAR", "UUID", '"NULL"') or kind.startswith("ENUM")):
            raise InputError(
                f"{file.shown}: the column {column!r} is {kind}, but identifiers are text (00123 is not 123); write it as text"
            )
        values[column] = f"cast({name} as varchar)"
        if column == "poll_time" and kind == "TIMESTAMP WITH TIME ZONE":
            values["poll_s"] = _floored(f"epoch_us({name})", 1_000_000)
        elif column == "poll_time" and kind == "TIMESTAMPTZ_NS":
            values["poll_s"] = _floored(f"epoch_ns({name})", 1_000_000_000)
    return _select(number, values, f"read_parquet({quoted(glob_escaped(file.path))}, file_row_number=true)")


def _floored(value: str, divisor: int) -> str:
    """Floor towards the past also before 1970, where DuckDB's `//` cuts towards zero."""
    return f"(({value}) - ((({value}) % {divisor}) + {divisor}) % {divisor}) // {divisor}"


def _csv_source(file: FactFile) -> str:
    columns = ", ".join(f"{quoted(column)}: 'VARCHAR'" for column in file.columns)
    return (
        f"read_csv([{quoted(glob_escaped(file.path))}], auto_detect=false, header=true, delim={quoted(file.delimiter)}, "
        f"""quote='"', escape='"', columns={{{columns}}}, ignore_errors=true, store_rejects=true, """
        f"rejects_scan='csv_scans', rejects_table='csv_errors', rejects_limit=0, compression={quoted(compression_of(file.path))})"
    )


def _csv(file: FactFile, number: int) -> str:
    values = {column: quoted_name(column) for column in file.columns if column in _TEXT_COLUMNS and column != "owner"}
    return _select(number, values, f"(select row_number() over () as row_number, * from {_csv_source(file)})")


def _with_structure_errors(engine: Engine, file: FactFile, number: int, target: Path) -> Path:
    """Add the lines that the CSV reader could not take apart, as rows with a problem, so that their polls are known."""
    import csv  # noqa: PLC0415 -- damaged files only

    errors = engine.sql("select line, any_value(csv_line), any_value(error_type) from csv_errors group by line order by line")
    engine.sql("drop table if exists csv_errors")
    engine.sql("drop table if exists csv_scans")
    if not errors:
        return target
    rows = []
    for record, text, kind in errors:
        # An unterminated quote swallows what follows: every physical line may be a row of its own.
        for line in (text or "").splitlines() or [""]:
            cells = next(csv.reader([line], delimiter=file.delimiter), [])
            found = dict(zip(file.columns, cells, strict=False))
            # Negative: a record of the file (header = 1), not a row that the reader gave; line numbers are found later.
            rows.append((-record, line[:200], kind.lower(), *(found.get(column) for column in _TEXT_COLUMNS)))
    engine.load(
        "csv_structure_errors",
        {"row_number": "bigint", "line": "varchar", "kind": "varchar", **dict.fromkeys(_TEXT_COLUMNS, "varchar")},
        rows,
    )
    whole = target.with_suffix(".whole.parquet")
    values = {column: column for column in _TEXT_COLUMNS} | {"problem": "'line.structure'", "problem_value": "line"}
    engine.sql(
        f"copy (select * from read_parquet({quoted(glob_escaped(target))}) union all by name "
        f"{_select(number, values, 'csv_structure_errors')}) to {quoted(whole)} (format parquet)"
    )
    engine.drop("csv_structure_errors")
    return whole


def _numbered_lines(file: FactFile, max_line_bytes: int) -> str:
    """Number the lines and tell which are JSON objects; where one is not, an empty object stands in, so that all SQL holds."""
    return (
        "(select row_number, line, "
        "case when json_valid(line) and json_type(line) = 'OBJECT' then cast(line as json) else json('{}') end as document, "
        "case when not json_valid(line) then 'line.json' when json_type(line) <> 'OBJECT' then 'line.object' "
        "when len(json_keys(line)) <> len(list_distinct(json_keys(line))) then 'line.key_twice' end as problem "
        f"from (select row_number() over () as row_number, line from {lines_source(file.path, max_line_bytes)}) "
        "where trim(line) <> '')"
    )


def _text(value: str) -> str:
    """Give a JSON value as text; null stays null."""
    return f"json_extract_string({value}, '$')"


def _no_text(value: str) -> str:
    return f"({value} is not null and json_type({value}) not in ('VARCHAR', 'NULL'))"


def _ndjson(file: FactFile, number: int) -> str:
    columns = [column for column in _TEXT_COLUMNS if column != "owner"]
    paths = ", ".join(f"'$.{column}'" for column in columns)
    at = {column: f"found[{i + 1}]" for i, column in enumerate(columns)}
    values = {column: _text(at[column]) for column in columns}
    wrong = " ".join(f"when {_no_text(at[column])} then '{column}.no_text'" for column in ("poll_time", *_IDENTIFIERS))
    text_size = f"json_type({at['allocated_size']}) not in ('UBIGINT', 'BIGINT', 'HUGEINT', 'VARCHAR', 'NULL')"
    values["problem"] = f"coalesce(problem, case {wrong} when {text_size} then 'allocated_size.no_integer' end)"
    values["problem_value"] = f"case when problem is not null then line when {text_size} then {values['allocated_size']} end"
    source = f"(select *, json_extract(document, [{paths}]) as found from {_numbered_lines(file, MAX_ROW_BYTES)})"
    return _select(number, values, source)


def _captures(file: FactFile, number: int) -> str:
    """Give each capture as a heartbeat, which makes its poll known, and one row an object that it lists."""
    head = {
        "listing": f"row_number + {number * _LISTINGS_PER_FILE:d}",
        "poll_time": _text("json_extract(document, '$.poll_time')"),
        "endpoint": _text("json_extract(document, '$.endpoint')"),
        "account": _text("json_extract(document, '$.account')"),
    }
    objects = "json_extract(document, '$.response.objects')"
    limit, offset, listed = (
        f"try_cast({_text(f'json_extract(document, {quoted(path)})')} as bigint)"
        for path in ("$.response.meta.limit", "$.response.meta.offset", "$.response.meta.total_count")
    )
    count = f"json_array_length(document, '$.response.objects')"  # noqa: F541 -- reads like its neighbours
    poll_problem = (
        "coalesce(problem, case "
        + " ".join(
            f"when {_no_text(f'json_extract(document, {quoted(path)})')} then '{path[2:]}.no_text'"
            for path in ("$.poll_time", "$.endpoint", "$.account")
        )
        + " when coalesce(json_extract_string(document, '$.endpoint'), '') = '' then 'endpoint.missing'"
        f" when json_type({objects}) is distinct from 'ARRAY' then 'response.no_listing'"
        # A page is no listing: it was cut at its limit, and the provider knows of more.
        f" when {limit} > 0 and {count} >= {limit} and {listed} > {count} or {offset} > 0 then 'response.incomplete' end)"
    )
    lines = _numbered_lines(file, MAX_LINE_BYTES)
    answered = _text("json_extract(document, '$.date')")
    polls = _select(
        number,
        {**head, "answered_s": _answered_seconds(answered), "problem": poll_problem, "problem_value": "left(line, 200)"},
        lines,
    )

    def text_at(path: str) -> str:
        return f"json_extract_string(object, '{path}')"

    wrong = " ".join(
        f"when {_no_text(f'json_extract(object, {quoted(path)})')} then '{column}.no_text'"
        for column, path in (
            ("snapshot", "$.uuid"), ("location", "$.location"), ("owner", "$.owner.uuid"), ("status", "$.status"),
            ("name", "$.name"), ("drive", "$.drive.uuid"),
        )
    )  # fmt: skip
    listed_objects = _select(
        number,
        {
            **head,
            "location": text_at("$.location"),
            "snapshot": text_at("$.uuid"),
            "allocated_size": text_at("$.allocated_size"),
            # Deleting a drive leaves its snapshots: what drive it was is still known from their metadata.
            "drive": f"coalesce({text_at('$.drive.uuid')}, {text_at('$.drive_meta.src_uuid')})",
            "status": text_at("$.status"),
            "name": text_at("$.name"),
            "owner": text_at("$.owner.uuid"),
            "drive_size": text_at("$.drive_meta.size"),
            "problem": (
                "case when json_type(object) <> 'OBJECT' then 'response.no_object' "
                "when len(json_keys(object)) <> len(list_distinct(json_keys(object))) then 'response.key_twice' "
                f"{wrong} when coalesce({text_at('$.owner.uuid')}, '') = '' then 'owner.missing' "
                f"when coalesce({text_at('$.uuid')}, '') = '' then 'snapshot.missing' "
                "when json_type(object, '$.allocated_size') not in ('UBIGINT', 'BIGINT', 'HUGEINT', 'NULL') "
                "then 'allocated_size.no_integer' end"
            ),
            "problem_value": f"coalesce({text_at('$.allocated_size')}, left(cast(object as varchar), 200))",
        },
        f"(select row_number, document, unnest(cast({objects} as json[])) as object from {lines} "
        f"where json_type({objects}) = 'ARRAY')",
    )
    return f"{polls} union all by name {listed_objects}"


def _answered_seconds(text: str) -> str:
    """Give the provider's own clock, the `Date` of its answer, in whole seconds; null where the capture tells none."""
    read = f"try_strptime({text}, ['%a, %d %b %Y %H:%M:%S GMT', '%Y-%m-%dT%H:%M:%SZ'])"
    return f"date_diff('second', timestamp '1970-01-01 00:00:00', {read})"


_SELECTS: dict[str, Callable[[FactFile, int], str]] = {"csv": _csv, "ndjson": _ndjson}
