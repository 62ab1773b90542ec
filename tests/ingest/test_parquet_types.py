"""Parquet has types: those that say what is meant are taken, those that may have lost something are refused."""

import re
from datetime import time

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hour_facts import HOUR, at, counts, ingested, literal, price, sample, write_parquet

import metering
from metering.ingest import folds
from metering.model.errors import InputError

UUID = "0f3a5b1e-8d1f-4c57-9d0e-0a1b2c3d4e5f"


def bill_of(place):
    with metering.open(":memory:") as meter:
        outcome = meter.ingest(place)
        return outcome, meter.bill(HOUR)


@pytest.mark.parametrize("kind", ["timestamptz", "timestamptz_ns"])
def test_a_timestamp_with_time_zone_is_an_instant(tmp_path, kind):
    write_parquet(tmp_path / "samples.parquet", [sample("2026-10-05T02:00:00.999+02:00", 9)], poll_time=kind)
    _, bill = bill_of(tmp_path)
    assert [(episode.start, episode.peak_burst_bytes) for episode in bill.episodes] == [(1791158400, 9)]


def test_an_instant_before_1970_is_floored_towards_the_past(tmp_path):
    write_parquet(tmp_path / "samples.parquet", [sample("1969-12-31T23:59:58.500Z", 9)], poll_time="timestamptz")
    with metering.open(str(tmp_path / "s.duckdb")) as meter:
        meter.ingest(tmp_path / "samples.parquet")
    assert duckdb.connect(str(tmp_path / "s.duckdb")).execute("select poll_s from polls").fetchall() == [(-2,)]


@pytest.mark.parametrize("kind", ["timestamp", "timestamp_ns", "timestamp_s", "timestamp_ms"])
def test_a_timestamp_without_time_zone_is_refused_with_its_row(tmp_path, kind):
    write_parquet(tmp_path / "samples.parquet", [sample("2026-10-05 00:00:00", 9)], poll_time=kind)
    with pytest.raises(InputError, match=r"line 1: poll_time '2026-10-05 00:00:00' has no offset"):
        ingested(tmp_path)


def test_a_date_is_its_midnight(tmp_path):
    write_parquet(tmp_path / "samples.parquet", [sample("2026-10-05", 9)], poll_time="date")
    assert bill_of(tmp_path)[1].episodes[0].start == 1791158400


@pytest.mark.parametrize("kind", ["bigint", "ubigint", "integer", "utinyint", "hugeint", "decimal(18,0)", "varchar"])
def test_whole_numbers_of_every_width_are_sizes(tmp_path, kind):
    write_parquet(tmp_path / "samples.parquet", [sample(at(0), 200)], allocated_size=kind)
    if kind == "hugeint":  # Parquet has none: DuckDB writes a double
        with pytest.raises(InputError, match="allocated_size"):
            ingested(tmp_path)
    else:
        assert bill_of(tmp_path)[1].usage[0].peak_occupied_bytes == 200


def test_a_size_above_the_largest_is_refused_whatever_its_type(tmp_path):
    write_parquet(tmp_path / "samples.parquet", [sample(at(0), 2**63)], allocated_size="ubigint")
    with pytest.raises(InputError, match=r"line 1: allocated_size '9223372036854775808' is above 9223372036854775807"):
        ingested(tmp_path)


@pytest.mark.parametrize("kind", ["double", "float", "decimal(18,1)", "boolean"])
def test_a_size_of_a_type_that_is_not_whole_is_refused(tmp_path, kind):
    write_parquet(tmp_path / "samples.parquet", [sample(at(0), 1)], allocated_size=kind)
    with pytest.raises(InputError, match=r"line 1: allocated_size '(1\.0|true)' is no whole number of bytes"):
        ingested(tmp_path)


def test_a_whole_double_is_refused_too_for_it_may_have_been_rounded(tmp_path):
    connection = duckdb.connect()
    connection.execute(
        "copy (select '2026-10-05T00:00:00Z' as poll_time, 'ZRH' as location, 'a' as account, 's' as snapshot, "
        f"cast(9007199254740993 as double) as allocated_size) to {literal(tmp_path / 'samples.parquet')} (format parquet)"
    )
    with pytest.raises(InputError, match="is no whole number of bytes"):
        ingested(tmp_path)


@pytest.mark.parametrize("column", ["account", "location", "snapshot"])
@pytest.mark.parametrize("kind", ["integer", "bigint", "double"])
def test_an_identifier_that_is_a_number_is_refused(tmp_path, column, kind):
    write_parquet(tmp_path / "samples.parquet", [sample(at(0)) | {column: "123"}], **{column: kind})
    with pytest.raises(InputError, match=rf"the column '{column}' is {kind.upper()}, but identifiers are text"):
        ingested(tmp_path)


def test_uuids_and_enums_are_text(tmp_path):
    rows = [sample(at(0), 5, UUID, UUID, "ZRH", drive=UUID, status="available")]
    connection = duckdb.connect()
    connection.execute("create type place as enum ('GVA', 'ZRH')")
    write_parquet(tmp_path / "text.parquet", rows)
    connection.execute(
        f"copy (select * replace (cast(location as place) as location, cast(account as uuid) as account, cast(snapshot as uuid) as "
        f"snapshot, cast(drive as uuid) as drive) from {literal(tmp_path / 'text.parquet')}) to "
        f"{literal(tmp_path / 'samples.parquet')} (format parquet)"
    )
    with metering.open(str(tmp_path / "store.duckdb")) as meter:
        assert counts(meter.ingest(tmp_path / "samples.parquet")) == (1, 0, 0, 0, 0)
        assert counts(meter.ingest(tmp_path / "text.parquet")) == (0, 1, 0, 0, 0)


def test_text_that_is_kept_as_bytes_is_refused(tmp_path):
    write_parquet(tmp_path / "samples.parquet", [sample(at(0))], account="blob")
    with pytest.raises(InputError, match="the column 'account' is BLOB, but identifiers are text"):
        ingested(tmp_path)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (pa.array([b"x"]), "BLOB"), (pa.array([["x"]]), "VARCHAR[]"), (pa.array([{"a": "x"}]), "STRUCT(a VARCHAR)"),
        (pa.array([[("k", "v")]], pa.map_(pa.string(), pa.string())), "MAP(VARCHAR, VARCHAR)"), (pa.array([time(1)]), "TIME"),
    ],
)  # fmt: skip
@pytest.mark.parametrize(("table", "column"), [("accounts", "name"), ("prices", "price"), ("samples", "allocated_size")])
def test_what_is_neither_text_nor_number_nor_instant_is_refused(tmp_path, table, column, values, kind):
    """Each engine would make text of another kind of it, and an account would be called `{'a': x}`."""
    rows = {"accounts": {"account": "a", "currency": "CHF", "name": ""}, "prices": price(), "samples": sample(at(0))}[table]
    columns = {name: pa.array([str(value)]) for name, value in rows.items()} | {column: values}
    pq.write_table(pa.table(columns), tmp_path / f"{table}.parquet")
    said = f"the column '{column}' is {kind}, but facts are text, numbers and instants; write it as text"
    with pytest.raises(InputError, match=re.escape(said)):
        ingested(tmp_path)


def test_a_column_of_another_type_that_no_table_has_is_ignored(tmp_path):
    rows = {name: pa.array([str(value)]) for name, value in sample(at(0)).items()}
    pq.write_table(pa.table(rows | {"tags": pa.array([["x"]])}), tmp_path / "samples.parquet")
    assert counts(ingested(tmp_path)) == (1, 0, 0, 0, 0)


def test_a_column_of_nulls_only_is_empty(tmp_path):
    write_parquet(tmp_path / "samples.parquet", [sample(at(0), 5, drive="", status="", endpoint="")])
    assert counts(ingested(tmp_path)) == (1, 0, 0, 0, 0)


def test_small_tables_come_as_parquet_with_types(tmp_path):
    write_parquet(
        tmp_path / "prices.parquet",
        [
            {
                "resource": "backup", "currency": "CHF", "level": 1, "price": "0.2800", "unit": "GB/month",
                "multiplier": 2783138807808000, "effective_from": "2026-10-01T00:00:00Z",
            },
        ],
        level="integer", price="decimal(10,4)", multiplier="bigint", effective_from="timestamptz",
    )  # fmt: skip
    write_parquet(
        tmp_path / "subscriptions.parquet",
        [{"id": "1", "account": "a1", "location": "ZRH", "amount": 5, "start_time": "2026-10-01", "end_time": "2026-11-01T12:00Z"}],
        amount="bigint", start_time="date", end_time="timestamptz",
    )  # fmt: skip
    write_parquet(tmp_path / "samples.parquet", [sample(at(0), 2**30)])
    write_parquet(tmp_path / "accounts.parquet", [{"account": "a1", "currency": "CHF", "name": "A"}])
    _, bill = bill_of(tmp_path)
    assert bill.lines[0].price == "0.2800"
    assert bill.lines[0].peak_burst_bytes == 2**30 - 5


def test_nanoseconds_in_a_small_table_are_floored_as_everywhere(tmp_path):
    row = {"location": "ZRH", "resource": "backup", "level": 2}
    rows = [row | {"effective_from": since} for since in ("2026-10-01T23:59:59.999999999Z", "1969-12-31T23:59:58.000000001Z")]
    write_parquet(tmp_path / "burst_levels.parquet", rows, effective_from="timestamptz_ns")
    with metering.open(str(tmp_path / "store.duckdb")) as meter:
        meter.ingest(tmp_path)
        with meter._store.reading() as engine:
            told = engine.sql("select effective_from_s from burst_levels order by 1")
    assert told == [(-2,), (1_790_899_199,)]


@pytest.mark.parametrize(
    ("kind", "told"), [("decimal(2,2)", "0.28"), ("decimal(3,3)", "0.280"), ("decimal(30,30)", f"0.28{'0' * 28}")]
)
def test_a_price_of_a_type_that_has_no_whole_digits_is_taken(tmp_path, kind, told):
    """So pyarrow writes Decimal("0.28") by itself."""
    row = {
        "resource": "backup", "currency": "CHF", "level": 1, "price": "0.28", "unit": "GB/month", "multiplier": 2783138807808000,
        "effective_from": "2026-10-01",
    }  # fmt: skip
    bought = {"id": "1", "account": "a1", "location": "ZRH", "amount": 5, "start_time": "2026-10-01", "end_time": "2026-11-01"}
    write_parquet(tmp_path / "prices.parquet", [row], price=kind)
    write_parquet(tmp_path / "subscriptions.parquet", [bought | {"price": "0.28"}], price=kind)
    write_parquet(tmp_path / "samples.parquet", [sample(at(0), 2**30)])
    write_parquet(tmp_path / "accounts.parquet", [{"account": "a1", "currency": "CHF", "name": "A"}])
    outcome, bill = bill_of(tmp_path)
    assert outcome.rejections == []
    assert bill.lines[0].price == told


@pytest.mark.parametrize("value", ["0.5", "-0.5"])
def test_a_number_without_whole_digits_is_shown_with_its_zero_where_it_is_refused(tmp_path, value):
    write_parquet(tmp_path / "samples.parquet", [sample(at(0), value)], allocated_size="decimal(1,1)")
    with pytest.raises(InputError, match=f"allocated_size '{value}' is no whole number of bytes"):
        ingested(tmp_path)


@pytest.mark.parametrize(
    ("column", "kind"), [("price", "double"), ("price", "float"), ("multiplier", "double"), ("level", "double")]
)
def test_a_price_that_is_a_float_is_refused(tmp_path, column, kind):
    row = {
        "resource": "backup", "currency": "CHF", "level": 1, "price": "1", "unit": "GB/month", "multiplier": 2783138807808000,
        "effective_from": "2026-10-01",
    }  # fmt: skip
    write_parquet(tmp_path / "prices.parquet", [row], **{column: kind})
    with pytest.raises(InputError, match=rf"line 1: {column} '.*\(a float\)'"):
        ingested(tmp_path)


def test_an_instant_without_offset_in_a_small_table_is_refused(tmp_path):
    row = {"location": "ZRH", "resource": "backup", "level": 2, "effective_from": "2026-10-01 00:00:00"}
    write_parquet(tmp_path / "burst_levels.parquet", [row], effective_from="timestamp")
    with pytest.raises(InputError, match="effective_from '2026-10-01 00:00:00' has no offset"):
        ingested(tmp_path)


def test_damage_behind_a_sound_footer_is_told_with_its_file_and_nothing_is_taken(tmp_path):
    write_parquet(tmp_path / "samples.parquet", [sample(at(i % 60, i // 60), i * 7919, f"s{i}") for i in range(2000)])
    whole = (tmp_path / "samples.parquet").read_bytes()
    (tmp_path / "samples.parquet").write_bytes(whole[:4] + b"\xff" * 40 + whole[44:])
    with pytest.raises(InputError, match=r"samples\.parquet is (damaged|no readable Parquet file) \("):
        ingested(tmp_path)


# What DuckDB calls rows and files, what Spark does, and what we do; a file may have columns of such names that mean what they like.
OURS = [
    "file_row_number", "File_Row_Number", "file_index", "filename", "rowid", "row_number", "file_number", "listing", "poll_s",
    "read_s", "row_count", "slots", "size_bytes", "problem", "problem_value", "owner", "drive_size", "raw_samples", "_metadata",
]  # fmt: skip


@pytest.mark.parametrize("folded_from", [1, 2**62], ids=["folded", "row by row"])
@pytest.mark.parametrize("files", [1, 2], ids=["one file", "two files"])
@pytest.mark.parametrize("name", [*OURS, "all of them"])
def test_a_column_that_is_called_as_ours_is_ignored_with_a_note(tmp_path, monkeypatch, name, files, folded_from):
    monkeypatch.setattr(folds, "FOLDED_FROM_ROWS", folded_from)
    names = OURS[:1] + OURS[2:] if name == "all of them" else [name]
    rows = [sample(at(minute), 7, f"s{minute}") | dict.fromkeys(names, "1") for minute in (0, 5, 10, 15)]
    rows[2] |= {"allocated_size": -1}
    (tmp_path / "samples").mkdir()
    types = {"poll_time": "timestamptz", "allocated_size": "bigint", name: "bigint"}
    for part in range(files):
        write_parquet(tmp_path / "samples" / f"{part}.parquet", rows[part::files], **types)
    outcome = ingested(tmp_path)
    assert counts(outcome) == (3, 0, 0, 1, 0)
    # The third of four rows, or the second of the first file's two.
    (wrong,) = outcome.rejections
    assert (wrong.file, wrong.line) == (str(tmp_path / "samples" / "0.parquet"), 4 - files)
    noted = {note.partition(": ")[2] for note in outcome.notes}
    assert noted == {f"the column {column!r} is no column of samples and is ignored" for column in names}


def test_a_column_that_stands_twice_is_refused_as_in_text(tmp_path):
    rows = [sample(at(0), 7)]
    columns = {name: pa.array([str(row[name]) for row in rows]) for row in rows for name in row}
    inner = pa.array([[{"account": "x", "snapshot": "y"}]])
    names, values = [*columns, "tags", "x_1", "tags", "account"], [*columns.values(), inner, inner, inner, pa.array(["b"])]
    pq.write_table(pa.table(values[:-1], names=names[:-1]), tmp_path / "samples.parquet")
    assert counts(ingested(tmp_path)) == (1, 0, 0, 0, 0)
    pq.write_table(pa.table(values, names=names), tmp_path / "samples.parquet")
    with pytest.raises(InputError, match=r"samples\.parquet has the column 'account' twice: which one counts cannot be told"):
        ingested(tmp_path)


def test_columns_that_differ_by_capitals_only_are_told_apart_or_refused(tmp_path):
    columns = {name: pa.array([str(value)]) for name, value in sample(at(0), 7, account="a1").items()}
    pq.write_table(pa.table(columns | {"Account": pa.array(["b"])}), tmp_path / "samples.parquet")
    with metering.open(str(tmp_path / "store.duckdb")) as meter:
        meter.ingest(tmp_path / "samples.parquet")
        assert meter.bill(HOUR).usage[0].account == "a1"
    pq.write_table(pa.table({"Account": pa.array(["b"])} | columns), tmp_path / "samples.parquet")
    with pytest.raises(InputError, match=r"samples\.parquet has columns that differ from 'account' by capitals only: rename them"):
        ingested(tmp_path)


@pytest.mark.parametrize("name", OURS)
def test_so_it_is_in_a_small_table(tmp_path, name):
    write_parquet(tmp_path / "accounts.parquet", [{"account": "a1", "currency": "CHF", name: "1"}], **{name: "bigint"})
    assert counts(ingested(tmp_path), "accounts") == (1, 0, 0, 0, 0)
