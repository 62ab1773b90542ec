"""The raw columns that every sample file gives, whatever its format, and the SQL that selects them.

A raw row is text as it came, with the file and row it came from; nothing is judged here.
"""

TEXT_COLUMNS = (
    "poll_time", "endpoint", "account", "location", "snapshot", "allocated_size", "drive", "status", "name", "owner",
)  # fmt: skip
# What a fold says of its rows besides their number, see folds.py; of a single row they are null.
FOLD_COLUMNS = ("slots", "last_poll_s", "least_phase_s", "greatest_phase_s")
# What every format gives of a row, before anything is judged.
RAW_COLUMNS = {
    "file_number": "integer",
    **dict.fromkeys(("row_number", "listing", "poll_s", "answered_s"), "bigint"),
    **dict.fromkeys((*TEXT_COLUMNS, "drive_size", "problem", "problem_value"), "varchar"),
    **dict.fromkeys(("size_bytes", "row_count", *FOLD_COLUMNS), "bigint"),
}
IDENTIFIERS = ("endpoint", "account", "location", "snapshot", "drive", "status", "name")
# Of a fold, which is many rows, and of a row that gets the number of its place, see `spooled`.
UNNUMBERED = {"row_number": "null"}


def raw_rows(values: dict[str, str], source: str) -> str:
    """Give the SQL that selects all raw columns from `source`: as `values` tell them, all others but the row number empty."""
    told = {"row_number": "row_number", "listing": "0", "row_count": "1"} | values
    picks = (f"cast({told.get(column, 'null')} as {kind}) as {column}" for column, kind in RAW_COLUMNS.items())
    return f"select {', '.join(picks)} from {source}"


def of_file(number: int) -> dict[str, str]:
    """Give the SQL of the number of the file that all rows come from."""
    return {"file_number": f"{number:d}"}


def numbered(sources: dict[int, str]) -> str:
    """Give the SQL of all rows of files, by number, each with that number and its place in its file, which one core counts.

    Each file is a read of its own: where `read_csv` is given more files than it has threads for, it has been seen to lose a record
    that the end of its file cuts off within quotes, without a word (DuckDB 2.0.1).
    """
    return " union all ".join(
        f"select cast({number:d} as integer) as file_number, row_number() over () as row_number, * from {source}"
        for number, source in sources.items()
    )


def json_text(value: str) -> str:
    """Give a JSON value as text; null stays null."""
    return f"json_extract_string({value}, '$')"
