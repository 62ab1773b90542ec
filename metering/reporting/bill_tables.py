"""A bill as tables for other engines: usage, lines, episodes and statements, each a Parquet file with exact decimals."""

import tempfile
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
    make_folder(folder)
    for name, model, rows in parts:
        write_table(table_of(name, model, rows), folder / f"{name}.parquet")
    return {str(folder / f"{name}.parquet"): len(rows) for name, _, rows in parts}


def make_folder(folder: Path) -> None:
    """Make the folder of a bill's tables, for its owner's eyes only, unless it is there, and see that it can be written.

    Raises:
        InputError: it cannot be.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise InputError(f"{folder} cannot be written ({error.strerror}): name another place") from None
