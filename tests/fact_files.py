"""Facts directories, read and written without the product: every format, every compression, in one file or many.

Tables are lists of rows; a row is a dictionary of text, as CSV has it. A capture is a whole listing. Sizes, amounts, levels and
multipliers may travel as numbers in NDJSON and Parquet; identifiers and prices never do.
"""

import csv
import gzip
import io
import json
import re
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import zstandard

Row = dict[str, Any]
Tables = dict[str, list[Row]]

TABLES = ("samples", "subscriptions", "prices", "burst_levels", "accounts")
NUMERIC = ("allocated_size", "amount", "level", "multiplier")
LAYOUTS = (*(f"{form}{compression}" for form in ("csv", "ndjson", "jsonl") for compression in ("", ".gz", ".zst")), "parquet")


# --- reading ----------------------------------------------------------------------------------------------------------------


def read_tables(directory: Path) -> Tables:
    """Read a facts directory: `samples.csv`, `samples/day-01.parquet`, `polls.capture.ndjson.gz`, and so on."""
    tables: Tables = {}
    for path in sorted(path for path in directory.rglob("*") if path.is_file()):
        if ".capture." in path.name:
            tables.setdefault("captures", []).extend(json.loads(line) for line in _text(path).splitlines() if line.strip())
            continue
        first = path.relative_to(directory).parts[0]
        table = next((name for name in TABLES if first == name or first.startswith(f"{name}.")), None)
        if table is not None:
            tables.setdefault(table, []).extend(_rows(path))
    return tables


def _rows(path: Path) -> list[Row]:
    if path.suffix == ".parquet":
        return pl.read_parquet(path).to_dicts()
    if ".csv" in path.suffixes:
        return list(csv.DictReader(io.StringIO(_text(path), newline="")))
    # not str.splitlines: a name may hold U+2028, which JSON does not escape
    return [json.loads(line) for line in _text(path).split("\n") if line.strip()]


def _text(path: Path) -> str:
    raw = path.read_bytes()
    if path.suffix == ".gz":
        raw = gzip.decompress(raw)
    elif path.suffix == ".zst":
        raw = zstandard.ZstdDecompressor().decompressobj().decompress(raw)
    return raw.decode("utf-8-sig")


# --- writing ----------------------------------------------------------------------------------------------------------------


def write_tables(directory: Path, tables: Tables, layout: str = "csv", parts: int = 1, random: Random | None = None) -> Path:
    """Write tables as a facts directory, each as one file, or as a folder of `parts` files."""
    directory.mkdir(parents=True, exist_ok=True)
    for table in TABLES:
        rows = tables.get(table, [])
        if not rows:
            continue
        if parts == 1:
            _write(directory / f"{table}.{layout}", rows, random)
            continue
        (directory / table).mkdir()
        for number in range(parts):
            if part := rows[number::parts]:
                _write(directory / table / f"part-{number:03}.{layout}", part, random)
    if captures := tables.get("captures"):
        lines = "".join(json.dumps(capture, ensure_ascii=False) + "\n" for capture in captures)
        _write_text(directory / "polls.capture.ndjson.gz", lines)
    return directory


def _write(path: Path, rows: list[Row], random: Random | None) -> None:
    columns = list(dict.fromkeys(column for row in rows for column in row))
    if random is not None:
        random.shuffle(columns)
    if path.suffix == ".parquet":
        is_timed = random is not None and random.random() < 0.7 and bool(instants(rows))
        _write_parquet(path, rows, columns, is_timed=is_timed)
    elif ".csv" in path.suffixes:
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, restval="", lineterminator=random.choice(["\n", "\r\n"]) if random else "\n")
        writer.writeheader()
        writer.writerows(rows)
        _write_text(path, text.getvalue())
    else:
        _write_text(path, "".join(_json_line(row, random) for row in rows))


def write_timed(path: Path, rows: list[Row]) -> None:
    """Write rows as a Parquet file whose poll times are instants, not text; each must be one (`instants`)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _write_parquet(path, rows, list(dict.fromkeys(column for row in rows for column in row)), is_timed=True)


def _write_parquet(path: Path, rows: list[Row], columns: list[str], *, is_timed: bool) -> None:
    frame = pl.DataFrame({column: _column(rows, column) for column in columns})
    if is_timed:
        frame = frame.with_columns(pl.Series("poll_time", instants(rows), dtype=pl.Datetime("us", "UTC")))
    frame.write_parquet(path)


def _column(rows: list[Row], column: str) -> pl.Series:
    """Give a Parquet column: whole numbers as Int64 where every value is one, text otherwise."""
    values = [row.get(column) for row in rows]
    if column in NUMERIC and all(value is not None and value.isdigit() and int(value) < 2**63 for value in values):
        return pl.Series(column, [int(value) for value in values], dtype=pl.Int64)
    return pl.Series(column, values, dtype=pl.String)


def instants(rows: list[Row]) -> list[datetime] | None:
    """Read poll times as a typed column would hold them; None where one of them cannot stand in such a column."""
    texts = [row.get("poll_time") for row in rows]
    if not all(text and re.fullmatch(r"[0-9-]{10}[T ][0-9:]{8}(\.[0-9]{1,6})?(Z|[+-][0-9:]{5})", text) for text in texts):
        return None
    try:
        return [datetime.fromisoformat(str(text)) for text in texts]
    except ValueError:
        return None


def _json_line(row: Row, random: Random | None) -> str:
    def value(name: str, text: Any) -> Any:
        is_number = name in NUMERIC and isinstance(text, str) and text.isdigit() and (text == "0" or text[0] != "0")
        return int(text) if is_number and (random is None or random.random() < 0.8) else text

    items = [(name, value(name, text)) for name, text in row.items()]
    if random is not None:
        random.shuffle(items)
    return json.dumps(dict(items), ensure_ascii=random is None or random.random() < 0.5) + "\n"


def _write_text(path: Path, text: str) -> None:
    raw = text.encode()
    if path.suffix == ".gz":
        raw = gzip.compress(raw)
    elif path.suffix == ".zst":
        raw = zstandard.ZstdCompressor().compress(raw)
    path.write_bytes(raw)
