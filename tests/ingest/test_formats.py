"""The same facts in every format, in any number of files and any order, are the same facts."""

import pytest
from hour_facts import (
    HOUR,
    SAMPLE_COLUMNS,
    an_hour,
    at,
    bill_json,
    counts,
    csv_bytes,
    heartbeat,
    ingested,
    ndjson_bytes,
    sample,
    write_facts,
    write_parquet,
)

import metering
from metering.model.errors import InputError

ENDINGS = ["csv", "csv.gz", "csv.zst", "ndjson", "jsonl", "ndjson.gz", "ndjson.zst", "jsonl.gz", "parquet"]


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    return bill_json(write_facts(tmp_path_factory.mktemp("plain") / "facts", an_hour()))


def test_the_expected_bill_bills_something(expected):
    assert '"amount_due": "185701219"' in expected
    assert '"account": "00123"' in expected


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_format_gives_the_same_bytes(tmp_path, ending, expected):
    assert bill_json(write_facts(tmp_path / "facts", an_hour(), ending)) == expected


@pytest.mark.parametrize("ending", ["csv", "ndjson.gz", "parquet"])
def test_fifteen_files_in_any_order_give_the_same_bytes(tmp_path, ending, expected):
    assert bill_json(write_facts(tmp_path / "facts", an_hour(), ending, parts=15, seed=7)) == expected


def test_the_same_facts_twice_and_under_another_name_change_nothing(tmp_path, expected):
    first = write_facts(tmp_path / "facts", an_hour())
    again = write_facts(tmp_path / "again", an_hour(), "parquet", seed=3)
    assert bill_json(first, first, again) == expected


def test_a_single_file_is_told_by_its_columns_whatever_its_name(tmp_path, expected):
    folder = write_facts(tmp_path / "facts", an_hour())
    for table, name in (("samples", "x.csv"), ("prices", "y.csv"), ("subscriptions", "z.csv"), ("burst_levels", "b.csv")):
        (folder / f"{table}.csv").rename(tmp_path / name)
    files = [tmp_path / name for name in ("x.csv", "y.csv", "z.csv", "b.csv")]
    with metering.open(":memory:") as meter:
        meter.ingest([*files, folder / "accounts.csv"])
        assert meter.bill(HOUR).statements[1].amount_due == 185701219
    assert bill_json(folder / "accounts.csv", *files) == expected


@pytest.mark.parametrize(
    "options",
    [{"bom": True}, {"end": "\r\n"}, {"delimiter": ";"}, {"delimiter": "\t"}, {"delimiter": "|", "bom": True, "end": "\r\n"}],
    ids=str,
)
def test_csv_as_spreadsheets_write_it_is_read(tmp_path, options, expected):
    assert bill_json(write_facts(tmp_path / "facts", an_hour(), **options)) == expected


def test_blank_lines_before_and_between_the_rows_say_nothing(tmp_path, expected):
    folder = write_facts(tmp_path / "facts", an_hour())
    for name in ("samples", "accounts"):
        place = folder / f"{name}.csv"
        lines = place.read_text().splitlines(keepends=True)
        place.write_text("\n\n" + lines[0] + "\n" + "".join(lines[1:]) + "\n\n")
    assert bill_json(folder) == expected


def test_columns_stand_in_any_order(tmp_path, expected):
    folder = write_facts(tmp_path / "facts", an_hour())
    (folder / "samples.csv").write_bytes(csv_bytes(an_hour()["samples"], sorted(SAMPLE_COLUMNS, reverse=True)))
    assert bill_json(folder) == expected


@pytest.mark.parametrize("ending", ["csv", "ndjson", "parquet"])
def test_an_unknown_column_is_ignored_with_a_note(tmp_path, ending):
    facts = an_hour()
    facts["samples"] = [row | {"Name": "another", "colour": "blue"} for row in facts["samples"]]
    if ending == "parquet":
        facts["samples"] = [{name: cell for name, cell in row.items() if name != "Name"} for row in facts["samples"]]
    outcome = ingested(write_facts(tmp_path / "facts", facts, ending))
    assert any(
        note.endswith("samples." + ending + ": the column 'colour' is no column of samples and is ignored")
        for note in outcome.notes
    )
    assert counts(outcome) == (len(facts["samples"]), 0, 0, 0, 0)


@pytest.mark.parametrize("missing", ["poll_time", "location", "account", "snapshot", "allocated_size"])
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_missing_column_is_named_with_its_file(tmp_path, missing, ending):
    facts = {"samples": [{name: cell for name, cell in sample(at(0)).items() if name != missing}]}
    with pytest.raises(InputError, match=rf"samples\.{ending} has no column '{missing}', which samples need"):
        ingested(write_facts(tmp_path / "facts", facts, ending))


def test_a_column_that_stands_twice_is_refused(tmp_path):
    place = tmp_path / "samples.csv"
    place.write_text("poll_time,location,account,snapshot,allocated_size,account\n")
    with pytest.raises(InputError, match="the column 'account' twice"):
        ingested(place)


@pytest.mark.parametrize("ending", ["csv", "ndjson", "parquet"])
def test_optional_columns_may_be_left_out_and_the_endpoint_is_then_the_location(tmp_path, ending):
    facts = {"samples": [sample(at(0)), heartbeat(at(5))]}
    with metering.open(":memory:") as meter:
        meter.ingest(write_facts(tmp_path / "facts", facts, ending))
        rows = meter.bill(HOUR).usage
    assert [(row.location, row.occupied_byte_seconds, row.measured_seconds) for row in rows] == [("ZRH", 300 * 2**30, 600)]


def test_a_file_with_a_pattern_in_its_name_is_the_file_that_is_read(tmp_path):
    write_parquet(tmp_path / "a[1].parquet", [sample(at(0), 5)])
    write_parquet(tmp_path / "a1.parquet", [sample(at(0), 6)])
    for name in ("a[1].csv", "a?.csv", "a*.ndjson"):
        rows = [sample(at(0), 7)]
        (tmp_path / name).write_bytes(ndjson_bytes(rows) if name.endswith("json") else csv_bytes(rows))
    (tmp_path / "a1.csv").write_bytes(csv_bytes([sample(at(0), 8)]))
    for name, size in (("a[1].parquet", 5), ("a1.parquet", 6), ("a[1].csv", 7), ("a?.csv", 7), ("a*.ndjson", 7), ("a1.csv", 8)):
        with metering.open(":memory:") as meter:
            meter.ingest(tmp_path / name)
            assert meter.bill(HOUR).usage[0].peak_occupied_bytes == size, name


def test_a_folder_with_a_pattern_and_a_quote_in_its_name_is_read(tmp_path, expected):
    for ending in ("parquet", "csv.gz"):
        assert bill_json(write_facts(tmp_path / f"it's [1] {ending[:3]}*" / "facts", an_hour(), ending, parts=2)) == expected


def test_other_files_in_a_facts_directory_are_passed_over_with_a_note(tmp_path, expected):
    folder = write_facts(tmp_path / "facts", an_hour(), parts=2)
    (folder / "README.md").write_text("read me")
    (folder / "invoices.csv").write_text("a,b\n")
    (folder / "samples" / "part-000.csv.tmp").write_text("half a file")
    (folder / "samples" / ".part-9.csv").write_text("hidden")
    (folder / "2026-11").mkdir()
    (folder / "2026-11" / "bill.csv").write_text("a,b\n")
    (folder / "2026-11" / "samples.csv").write_text("another month")
    with metering.open(":memory:") as meter:
        notes = meter.ingest(folder).notes
    assert [note.split("/")[-1].split(" ")[0] for note in notes] == ["samples.csv", "invoices.csv", "part-000.csv.tmp"]
    assert bill_json(folder) == expected


@pytest.mark.parametrize("content", [b"", b"\n", b"  \r\n\n"])
@pytest.mark.parametrize("name", ["samples.csv", "prices.csv", "samples.ndjson", "accounts.ndjson", "z.capture.ndjson"])
def test_an_empty_file_is_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    if name.startswith("z.") and content:
        assert counts(ingested(tmp_path / name)) == (0, 0, 0, 0, 0)
    else:
        with pytest.raises(InputError, match=rf"{name} is empty"):
            ingested(tmp_path / name)


def test_a_header_without_rows_is_a_file_without_rows(tmp_path):
    (tmp_path / "samples.csv").write_bytes(csv_bytes([], SAMPLE_COLUMNS))
    assert counts(ingested(tmp_path)) == (0, 0, 0, 0, 0)


@pytest.mark.parametrize("ending", ["csv.gz", "csv.zst", "ndjson.gz", "ndjson.zst"])
@pytest.mark.parametrize("damage", ["cut in the middle", "cut at the end", "a bit flipped"])
def test_a_compressed_file_that_was_cut_off_or_damaged_is_refused_whole(tmp_path, ending, damage):
    rows = [sample(at(minute // 60, minute % 60), minute * 7919 % 1_000_003) for minute in range(3000)]
    folder = write_facts(tmp_path / "facts", {"samples": rows}, ending)
    place = folder / f"samples.{ending}"
    packed = bytearray(place.read_bytes())
    if damage == "a bit flipped":
        packed[len(packed) * 2 // 3] ^= 0x10
    place.write_bytes(packed[: len(packed) // 2 if "middle" in damage else -3] if "cut" in damage else packed)
    with pytest.raises(InputError, match=rf"samples\.{ending} cannot be read, it is cut off or damaged"):
        ingested(folder)


@pytest.mark.parametrize("name", ["samples.parquet", "prices.parquet"])
def test_what_is_no_parquet_is_told_so(tmp_path, name):
    (tmp_path / name).write_bytes(b"PAR1 and nothing else PAR1")
    with pytest.raises(InputError, match=rf"{name} is no readable Parquet file"):
        ingested(tmp_path / name)


def test_a_name_that_tells_no_format_is_refused(tmp_path):
    (tmp_path / "samples.xlsx").write_bytes(b"PK")
    with pytest.raises(InputError, match="has no format of facts"):
        ingested(tmp_path / "samples.xlsx")
    with pytest.raises(InputError, match="nothing is not there"):
        ingested(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no facts in"):
        ingested(tmp_path / "empty")


def test_where_nothing_has_the_name_of_facts_what_was_passed_over_is_told(tmp_path):
    (tmp_path / "Samples (1).csv").write_text("poll_time\n")
    said = r"^no facts in .* \(.*Samples \(1\)\.csv is passed over: no table of facts has its name\): name a facts directory"
    with pytest.raises(InputError, match=said):
        ingested(tmp_path)


def test_a_file_whose_columns_fit_no_table_is_refused(tmp_path):
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="fits no table of facts"):
        ingested(tmp_path / "x.csv")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\ra,b\n1,2\n", "a header that cannot be taken apart|no column"),
        (b"account,currency,name\ra,CHF,x\r", "a header that cannot be taken apart|no column"),
        (b'"a' + b"x" * 3_000_000 + b'",b\n', "a first line of more than 2097152 bytes, which is no header"),
    ],
)
def test_a_header_that_cannot_be_taken_apart_is_refused(tmp_path, content, said):
    (tmp_path / "accounts.csv").write_bytes(content)
    with pytest.raises(InputError, match=rf"accounts\.csv has ({said})"):
        ingested(tmp_path)
