"""Large Parquet files, folded before anything is asked of their rows.

A fold is what rows of one block of four hours say alike but for their time: how many they are, from which poll to which, and a bit
for each slot of five minutes (queries/staging/staged_runs.sql says what the bits are good for). Rows are grouped as they lie in the
file, as dictionaries and UUIDs; there are some fifteen times fewer folds than rows to check, to read as text and to find keys
for. Whoever needs single rows, to name one that is rejected, reads the file.
"""

from collections import defaultdict

from metering.engine.duckdb import Engine, glob_escaped, quoted, quoted_name
from metering.ingest.files import FactFile
from metering.ingest.sources import listed, parquet_values, raw_rows

# Below this, folding costs as much as it saves.
FOLDED_FROM_ROWS = 100_000
_TABLE = "folded_rows_{}"


def read_together(engine: Engine, files: dict[int, FactFile]) -> list[dict[int, FactFile]]:
    """Put together the Parquet files, by number, that are read in one look: of the same columns and types, and not worth a fold."""
    groups: defaultdict[object, dict[int, FactFile]] = defaultdict(dict)
    for number, file in files.items():
        # A column of such a name would stand in the place of the number by which a row tells its file.
        is_told = not {"file_index", "file_row_number"} & {column.casefold() for column in file.columns}
        groups[(file.columns, file.types) if is_told else number][number] = file
    found = []
    for group in groups.values():
        large: set[int] = set()
        if len(group) > 1:
            counts = engine.sql(
                f"select file_index from read_parquet({listed(file.path for file in group.values())}) "
                f"group by file_index having count(*) >= {FOLDED_FROM_ROWS:d}"
            )
            numbers = list(group)
            large = {numbers[row[0]] for row in counts}
        found += [{number: group[number]} for number in large]
        found.append({number: file for number, file in group.items() if number not in large})
    return [group for group in found if group]


def fold(engine: Engine, file: FactFile, number: int) -> str | None:
    """Fold a Parquet file's rows into a temporary table, and give the SQL that selects the folds as raw rows.

    None where that gains nothing: the file is small, or its times are text, which has to be read before it tells a block.
    """
    values = parquet_values(file)
    source = f"read_parquet({quoted(glob_escaped(file.path))})"
    if "poll_s" not in values or int(engine.scalar(f"select count(*) from {source}")) < FOLDED_FROM_ROWS:
        return None
    polled = values.pop("poll_s")
    said = [column for column in file.columns if column in values or (column == "allocated_size" and "size_bytes" in values)]
    alike = ", ".join(quoted_name(column) for column in said)
    table = quoted_name(_TABLE.format(number))
    engine.sql(
        f"create or replace temp table {table} as "
        f"select {alike}, count(*) as row_count, min(read_s) as poll_s, max(read_s) as last_poll_s, "
        "min(read_s % 300) as least_phase_s, max(read_s % 300) as greatest_phase_s, "
        "bit_or(cast(1 as bigint) << cast(greatest((read_s % 14400) // 300, 0) as integer)) as slots "
        f"from (select {alike}, {polled} as read_s from {source}) group by {alike}, read_s - read_s % 14400"
    )
    told = {name: name for name in ("poll_s", "row_count", "slots", "last_poll_s", "least_phase_s", "greatest_phase_s")}
    return raw_rows(number, values | told | {"row_number": "cast(null as bigint)"}, table)


def count_folds(engine: Engine) -> int:
    """Give the number of folds of all files."""
    like = _TABLE.format("%").replace("_", "!_")
    tables = engine.sql(
        "select table_name from duckdb_tables() where temporary and table_name like $like escape '!'", {"like": like}
    )
    # What DuckDB estimates of a table does not know what this transaction put into it.
    return sum(int(engine.scalar(f"select count(*) from {quoted_name(name)}")) for (name,) in tables)


def drop_folds(engine: Engine, count: int) -> None:
    """Give the memory of the folds of `count` files back."""
    engine.drop("folded_samples", *(_TABLE.format(number) for number in range(1, count + 1)))
