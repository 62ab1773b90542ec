"""Large Parquet files, folded before anything is asked of their rows.

A fold is what rows of one block of four hours say alike but for their time: how many they are, from which poll to which, and a bit
for each slot of five minutes (queries/staging/staged_runs.sql says what the bits are good for). Rows are grouped as they lie in the
file, as dictionaries and UUIDs; there are some fifteen times fewer folds than rows to check, to read as text and to find keys
for. Whoever needs single rows, to name one that is rejected, reads the file.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterable

from metering.engine.duckdb import Engine, quoted_name, read_files
from metering.ingest.files import FactFile
from metering.ingest.raw_rows import FOLD_COLUMNS, UNNUMBERED, of_file, raw_rows
from metering.ingest.sources import is_numbered, parquet_values
from metering.model.period import CALENDAR_END_S, CALENDAR_START_S

# Below this, folding costs as much as it saves.
FOLDED_FROM_ROWS = 100_000
_TABLE = "folded_rows_{}"
# The raw columns that a fold tells otherwise than a row.
TOLD_BY_FOLDS = {name: name for name in ("poll_s", "row_count", *FOLD_COLUMNS)} | UNNUMBERED
# By what staging tells series and labels (queries/staging/staged_key_numbers.sql).
_KEYS = frozenset({"endpoint", "account", "location", "snapshot", "drive", "status", "name"})


def read_together(engine: Engine, files: dict[int, FactFile]) -> list[dict[int, FactFile]]:
    """Put together the Parquet files, by number, that are read in one look: of the same columns and types, and not worth a fold."""
    groups: defaultdict[object, dict[int, FactFile]] = defaultdict(dict)
    for number, file in files.items():
        groups[(file.columns, file.types) if is_numbered(file) else number][number] = file
    found = []
    for group in groups.values():
        large: set[int] = set()
        if len(group) > 1:
            counts = engine.sql(
                f"select file_index from {read_files('parquet', (file.path for file in group.values()))} "
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
    source = read_files("parquet", [file.path])
    if "poll_s" not in values or int(engine.scalar(f"select count(*) from {source}")) < FOLDED_FROM_ROWS:
        return None
    polled = values.pop("poll_s")
    alike = ", ".join(quoted_name(column) for column, _ in said_columns(file, values))
    table = quoted_name(_TABLE.format(number))
    folds = folded(alike, f"(select {alike}, {polled} as read_s from {source}) as r")
    engine.sql(f"create or replace temp table {table} as {folds}")
    return raw_rows(values | TOLD_BY_FOLDS | of_file(number), table)


def folded(alike: str, source: str) -> str:
    """Give the SQL, which any engine runs, of the folds of rows with columns that may be `alike`, and `read_s`, their poll.

    A row whose poll is no instant of the calendar is rejected, and so is in no fold: a fold is taken or rejected whole.
    """
    return (
        f"select {alike}, count(*) as row_count, min(read_s) as poll_s, max(read_s) as last_poll_s, "
        "min(read_s % 300) as least_phase_s, max(read_s % 300) as greatest_phase_s, "
        "bit_or(cast(1 as bigint) << cast(greatest((read_s % 14400) // 300, 0) as integer)) as slots "
        f"from {source} where read_s >= {CALENDAR_START_S:d} and read_s < {CALENDAR_END_S:d} "
        f"group by {alike}, read_s - read_s % 14400"
    )


def are_told_once(engine: Engine, files: dict[int, FactFile]) -> bool:
    """Tell whether no two folds of these files, by number, say the same series, size and label of the same block.

    Folds of one file differ in what their columns say, so in keys and size too where those are all columns, none is empty, and
    each is text or a number as it lies there. Folds of several files differ where no block is in two of them.
    """
    spans = []
    for number, file in files.items():
        values = parquet_values(file)
        said = said_columns(file, values)
        kinds = {column: kind for column, kind in said if column != "allocated_size"}
        if "size_bytes" not in values or not kinds.keys() <= _KEYS or not set(kinds.values()) <= {"VARCHAR", "UUID"}:
            return False
        empty = [f"{quoted_name(column)} is null" for column, _ in said]
        empty += [f"{quoted_name(column)} = ''" for column, kind in kinds.items() if kind == "VARCHAR"]
        spans += engine.sql(
            f"select min(poll_s - poll_s % 14400), max(last_poll_s - last_poll_s % 14400), bool_or({' or '.join(empty)}) "
            f"from {quoted_name(_TABLE.format(number))} having count(*) > 0"
        )
    spans.sort()
    return not any(is_empty for *_, is_empty in spans) and all(one[1] < other[0] for one, other in itertools.pairwise(spans))


def said_columns(file: FactFile, values: dict[str, str]) -> list[tuple[str, str]]:
    """Give the columns, with their types, that tell what a row says; the size only where it is a number."""
    columns = zip(file.columns, file.types, strict=True)
    return [each for each in columns if each[0] in values or (each[0] == "allocated_size" and "size_bytes" in values)]


def count_folds(engine: Engine, numbers: Iterable[int]) -> int:
    """Give the number of folds of the files of these numbers."""
    return sum(int(engine.scalar(f"select count(*) from {quoted_name(_TABLE.format(number))}")) for number in numbers)


def drop_folds(engine: Engine, numbers: Iterable[int]) -> None:
    """Give the memory of the folds of the files of these numbers back."""
    engine.drop("folded_samples", *(_TABLE.format(number) for number in numbers))
