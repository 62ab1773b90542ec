"""Which columns a fact file must have (INTERFACE, "Fact files"): the bold ones, and no other."""

import pytest

import metering
from metering.model.errors import InputError

REQUIRED = {
    "samples": {
        "poll_time": "2026-10-01T00:00:00Z", "location": "ZRH", "account": "a1", "snapshot": "s1", "allocated_size": "5",
    },
    "subscriptions": {"id": "k1", "account": "a1", "location": "ZRH", "amount": "5"},
    "prices": {
        "resource": "backup", "currency": "CHF", "level": "1", "price": "0.28", "unit": "GB/month",
        "multiplier": "2783138807808000", "effective_from": "2026-10-01",
    },
    "burst_levels": {"location": "ZRH", "resource": "backup", "level": "1", "effective_from": "2026-10-01"},
    "accounts": {"account": "a1", "currency": "CHF"},
}  # fmt: skip
# What a subscription needs beside its bold columns is not a column but one of three ways to say when (ACCOUNTING §5).
SAID_BESIDE = {"subscriptions": {"period": "1 month"}}


def written(place, table, row):
    (place / f"{table}.csv").write_text(",".join(row) + "\n" + ",".join(row.values()) + "\n", encoding="utf-8")
    return place / f"{table}.csv"


@pytest.mark.parametrize("table", REQUIRED)
def test_a_file_with_only_the_required_columns_is_taken(table, tmp_path):
    with metering.open(":memory:") as meter:
        outcome = meter.ingest(written(tmp_path, table, REQUIRED[table] | SAID_BESIDE.get(table, {})))
    assert (outcome.tables[table].accepted, outcome.rejections) == (1, [])


@pytest.mark.parametrize(("table", "column"), [(table, column) for table, row in REQUIRED.items() for column in row])
def test_a_file_without_a_required_column_is_refused_by_name(table, column, tmp_path):
    row = {name: value for name, value in REQUIRED[table].items() if name != column}
    with metering.open(":memory:") as meter, pytest.raises(InputError, match=rf"{table}\.csv has no column '{column}'"):
        meter.ingest(written(tmp_path, table, row))
