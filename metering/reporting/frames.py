"""Tables as pandas DataFrames, with exact dtypes: no figure passes through a float."""

from typing import Any

import pandas as pd

from metering.model.period import moment
from metering.model.tables import Kind, Table


def frame(table: Table) -> pd.DataFrame:
    """Give a table as a tidy DataFrame; columns carry their units in their names.

    Money is object (Decimal), bytes and byte-seconds object (int), seconds and counts Int64, instants and dates UTC timestamps,
    the rest object (text).
    """
    columns = {}
    for i, column in enumerate(table.columns):
        columns[column.name] = _series(column.kind, [row[i] for row in table.rows])
    return pd.DataFrame(columns)


def _series(kind: Kind, values: list[Any]) -> "pd.Series[Any]":
    if kind in ("count", "seconds"):
        return pd.Series(values, dtype="Int64")
    if kind in ("instant", "date"):
        instants = [pd.NaT if value is None else pd.Timestamp(moment(value)) for value in values]
        return pd.Series(instants, dtype="datetime64[us, UTC]")
    return pd.Series(values, dtype=object)
