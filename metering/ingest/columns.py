"""What the columns of fact files are called, and of what types they are where a file has types."""

import re
from typing import Literal

from metering.ingest.fact_models import IDENTIFIER_COLUMNS, Account, BurstLevel, PriceRow, Subscription
from metering.ingest.raw_rows import IDENTIFIERS
from metering.model.errors import InputError

Table = Literal["samples", "captures", "answers", "subscriptions", "prices", "burst_levels", "accounts"]
# Raw responses, as the collector keeps them.
RAW_TABLES = ("captures", "answers")

REQUIRED_COLUMNS: dict[Table, tuple[str, ...]] = {
    "samples": ("poll_time", "location", "account", "snapshot", "allocated_size"),
    "subscriptions": Subscription.required(),
    "prices": PriceRow.required(),
    "burst_levels": BurstLevel.required(),
    "accounts": Account.required(),
}
OPTIONAL_COLUMNS: dict[Table, tuple[str, ...]] = {
    "samples": ("endpoint", "drive", "status", "name"),
    "subscriptions": Subscription.optional(),
    "prices": PriceRow.optional(),
    "burst_levels": BurstLevel.optional(),
    "accounts": Account.optional(),
}
FACTS_HINT = "name a facts directory, or files such as samples.csv, prices.ndjson.gz, samples/day-01.parquet"

# The types of Parquet, as DuckDB calls them, that are text, and those that are numbers, instants and what is told row by row.
_TEXTS = re.compile(r'VARCHAR|UUID|"NULL"|ENUM\(.*\)', re.DOTALL)
_OTHERS = re.compile(
    r"U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|DECIMAL\(\d+,\d+\)|FLOAT|DOUBLE|BOOLEAN|JSON|DATE|"
    r"TIMESTAMP( WITH TIME ZONE|(TZ)?(_S|_MS|_NS)?)"
)
_SHOWN_OF_TYPE = 100


def table_of_columns(shown: str, columns: tuple[str, ...]) -> Table:
    """Tell which table a file holds by its columns.

    Raises:
        InputError: they fit none.
    """
    if "response" in columns:
        return "captures"
    fitting = [table for table, required in REQUIRED_COLUMNS.items() if set(required) <= set(columns)]
    if not fitting:
        raise InputError(
            f"{shown} fits no table of facts: neither its name nor its columns ({', '.join(columns)}) tell; "
            f"{_of_comments(columns) or FACTS_HINT}"
        )
    return max(fitting, key=lambda table: len(REQUIRED_COLUMNS[table]))


def _of_comments(columns: tuple[str, ...]) -> str:
    """Say what may be wrong where columns that lack what they must have begin like a comment, else nothing."""
    if not columns or not columns[0].startswith("#"):
        return ""
    return "its first column begins with '#', and CSV facts have no comments: remove what stands before the header"


def check_columns(shown: str, table: Table, columns: tuple[str, ...], notes: list[str], *, are_all: bool) -> None:
    """Check the columns of a header, or of the first line of NDJSON, which need not have all of them."""
    known = REQUIRED_COLUMNS[table] + OPTIONAL_COLUMNS[table]
    for column in REQUIRED_COLUMNS[table] if are_all else ():
        if column not in columns:
            hint = f"; {said}" if (said := _of_comments(columns)) else ""
            raise InputError(f"{shown} has no column {column!r}, which {table} need; it has {', '.join(columns)}{hint}")
    for column in columns:
        if column not in known:
            notes.append(f"{shown}: the column {column!r} is no column of {table} and is ignored")
        elif are_all and columns.count(column) > 1:
            raise InputError(f"{shown} has the column {column!r} twice: which one counts cannot be told")


def check_types(shown: str, table: Table, columns: tuple[str, ...], types: tuple[str, ...]) -> None:
    """Check the types of a Parquet file's columns, as far as the table has them; a text file has none.

    Raises:
        InputError: an identifier is no text: a number as which one was kept has lost its zeros; or a column is of bytes, lists or
            other things, which each engine would write as text of another kind.
    """
    known = REQUIRED_COLUMNS[table] + OPTIONAL_COLUMNS[table]
    identifiers = IDENTIFIERS if table == "samples" else IDENTIFIER_COLUMNS
    for column, kind in zip(columns, types, strict=False):
        if column not in known or _TEXTS.fullmatch(kind):
            continue
        is_told = f"{shown}: the column {column!r} is {kind[:_SHOWN_OF_TYPE]}"
        if column in identifiers:
            raise InputError(f"{is_told}, but identifiers are text (00123 is not 123); write it as text")
        if not _OTHERS.fullmatch(kind):
            raise InputError(f"{is_told}, but facts are text, numbers and instants; write it as text")
