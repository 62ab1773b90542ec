"""A bill as tables for other engines: usage, lines, episodes and statements, each a Parquet file with exact decimals."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel

from metering.model.errors import InputError
from metering.model.records import Bill, ChargeLine, Episode, Statement, UsageRow
from metering.model.tables import table_of
from metering.reporting.files import write_table


def write_bill_tables(bill: Bill, folder: Path) -> dict[str, int]:
    """Write the tables of a bill into a folder and give the number of rows by place; files of the same names are replaced.

    Raises:
        InputError: the folder cannot be written.
    """
    parts: list[tuple[str, type[BaseModel], Sequence[BaseModel]]] = [
        ("usage", UsageRow, bill.usage), ("lines", ChargeLine, bill.lines), ("episodes", Episode, bill.episodes),
        ("statements", Statement, bill.statements),
    ]  # fmt: skip
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be written ({error.strerror}): name another place") from None
    for name, model, rows in parts:
        write_table(table_of(name, model, rows), folder / f"{name}.parquet")
    return {str(folder / f"{name}.parquet"): len(rows) for name, _, rows in parts}
