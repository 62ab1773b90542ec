"""Lists of the provider in files: every format says the same, and a broken file is refused in one line that names the place."""

import csv
import gzip
import io
import json
import time
from fractions import Fraction

import pytest
import zstandard

from metering.ingest.provider_lists import Listed, read_list
from metering.ingest.provider_rows import day_rows, ledger_rows, sample_rows
from metering.model.errors import InputError, MisuseError

LINE = {
    "id": "7", "time": "2026-10-05T09:06:00+00:00", "poll_time": "2026-10-05T09:06:00+00:00", "billing_cycle": 1, "interval": 300,
    "human_interval": "5 minutes", "amount": "0.00014583333333333333", "initial": "1", "end": "0.99985416666666666667",
    "resource_amount": "4831838208", "reason": "Burst: 4.50 GB of backup for 5 minutes at 2026-10-05 09:06",
}  # fmt: skip
SAMPLE = {"amount": "3221225472", "poll_time": "2026-10-05 09:06:00+00:00", "resource": "backup", "uuid": "u"}
DAY = {"date": "2026-10-05", "amount": "0.042", "resource_type": "backup", "usage": 4_831_838_208}


def written(folder, text, name):
    place = folder / name
    data = text if isinstance(text, bytes) else text.encode()
    packed = {".gz": gzip.compress, ".zst": zstandard.ZstdCompressor(write_checksum=True).compress}.get(place.suffix, bytes)
    place.write_bytes(packed(data))
    return place


def as_csv(rows, delimiter=","):
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


FORMS = {
    "ledger.json": json.dumps({"meta": {"limit": 0, "offset": 0, "total_count": 2}, "objects": [LINE, LINE | {"id": "8"}]}),
    "plain.json": json.dumps([LINE, LINE | {"id": "8"}], indent=1),
    "uncounted.json": json.dumps({"meta": {"total_count": 0}, "objects": [LINE, LINE | {"id": "8"}]}),
    "ledger.ndjson": json.dumps(LINE) + "\n\n" + json.dumps(LINE | {"id": "8"}),
    "pages.jsonl": json.dumps({"objects": [LINE]}) + "\n" + json.dumps({"objects": [LINE | {"id": "8"}]}) + "\n",
    "ledger.csv": as_csv([LINE, LINE | {"id": "8"}]),
    "semicolons.CSV": as_csv([LINE, LINE | {"id": "8"}], ";"),
}


@pytest.mark.parametrize("packing", ["", ".gz", ".zst"])
@pytest.mark.parametrize("name", FORMS)
def test_every_format_says_the_same(tmp_path, name, packing):
    rows = ledger_rows(read_list(written(tmp_path, FORMS[name], name + packing)))
    assert [(row.resource, row.seconds, row.burst_bytes, row.amount) for row in rows] == [
        ("backup", 300, 4_831_838_208, Fraction("0.00014583333333333333"))
    ] * 2
    assert {(row.account, row.location, row.end_s - row.start_s) for row in rows} == {(None, None, 300)}


BROKEN = {
    "nan.json": ('[{"amount": NaN}]', "nan.json is no strict JSON: NaN is no JSON number"),
    "twice.json": ('[{"id": "1", "id": "2"}]', "the key 'id' stands twice"),
    "cut.json": ('[{"id": "1"', "is no strict JSON"),
    "empty.json": ("", "is no strict JSON"),
    "deep.json": ("[" * 100_000, "is nested too deeply"),
    "latin.json": (b'[{"id": "\xe9"}]', "latin.json is no UTF-8 text"),
    "page.json": ('{"meta": {"total_count": 8928}, "objects": [{}]}', "holds 1 of 8928 objects: fetch them all, with limit=0"),
    "error.json": ('[{"error_type": "permission", "error_message": "no"}]', "object 1 lacks reason: is it of the list"),
    "other.json": ('{"balance": "1"}', "is no list of the provider: it lacks objects"),
    "text.json": ('"text"', "is no strict JSON"),
    "item.json": ("[7]", "item.json object 1 is no JSON object"),
    "line.ndjson": (json.dumps(LINE) + "\n{]", "line.ndjson line 2 is no strict JSON"),
    "empty.csv": ("", "is empty"),
    "mac.csv": ("id,reason\r1,2\r", "lines that end as on an old Mac: save it as CSV UTF-8"),
    "twice.csv": ("id,id\n1,2\n", "names a column twice"),
    "ragged.csv": ("id,reason\n1,2,3\n", "ragged.csv line 2 cannot be taken apart"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_refused_in_one_line(tmp_path, name):
    text, said = BROKEN[name]
    with pytest.raises(InputError) as refused:
        ledger_rows(read_list(written(tmp_path, text, name)))
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert name in str(refused.value)


def test_a_packed_file_that_was_cut_off_is_refused(tmp_path):
    whole = gzip.compress(json.dumps([LINE] * 50).encode())
    (tmp_path / "l.json.gz").write_bytes(whole[:-9])
    with pytest.raises(InputError, match="cut off or damaged"):
        list(read_list(tmp_path / "l.json.gz"))


def test_a_file_that_is_not_there_or_tells_no_format_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"none\.json cannot be read: No such file"):
        list(read_list(tmp_path / "none.json"))
    with pytest.raises(MisuseError, match="tells no format"):
        list(read_list(tmp_path / "ledger.txt"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"amount": "1e400"}, "amount '1e400' is no plain decimal"),
        ({"amount": "1E2000000"}, "is no plain decimal"),
        ({"amount": True}, "amount 'True' is no plain decimal"),
        ({"amount": "0,5"}, "is no plain decimal"),
        ({"interval": "12.0"}, "interval '12.0' is no whole number"),
        ({"interval": 0}, "interval 0 is no length"),
        ({"interval": None}, "lacks interval"),
        ({"resource_amount": "-1"}, "resource_amount '-1' is no whole number"),
        ({"poll_time": "2026-10-05T09:06:00"}, "poll_time '2026-10-05T09:06:00' has no offset"),
        ({"poll_time": "yesterday"}, "is no instant"),
        ({"poll_time": 7}, "poll_time '7' is no text"),
        ({"reason": None}, "lacks reason"),
    ],
)
def test_a_line_of_burst_that_cannot_be_read_is_named_with_its_field(changes, said):
    with pytest.raises(InputError, match="file object 1") as refused:
        ledger_rows([Listed("file object 1", LINE | changes)])
    assert said in str(refused.value)


def test_numbers_of_json_keep_every_digit(tmp_path):
    text = json.dumps([LINE]).replace('"0.00014583333333333333"', "0.00014583333333333333")
    (row,) = ledger_rows(read_list(written(tmp_path, text, "l.json")))
    assert row.amount == Fraction("0.00014583333333333333")
    zero = ledger_rows([Listed("l", LINE | {"amount": "0E-20"})])[0]
    assert zero.amount == 0


def test_a_payment_is_no_line_of_burst():
    paid = {"id": "1", "time": LINE["time"], "poll_time": LINE["time"], "interval": None, "amount": "-100", "reason": "Payment"}
    (row,) = ledger_rows([Listed("l", paid)])
    assert (row.resource, row.amount) == (None, -100)


def test_samples_and_days_are_read_and_their_broken_fields_named():
    (sample,) = sample_rows([Listed("l", SAMPLE)])
    assert (sample.uuid, sample.size_bytes, sample.resource) == ("u", 3_221_225_472, "backup")
    (day,) = day_rows([Listed("l", DAY | {"account": "a", "location": "ZRH"})])
    assert (day.amount, day.peak_bytes, day.account, day.location) == (Fraction("0.042"), 4_831_838_208, "a", "ZRH")
    with pytest.raises(InputError, match=r"l: amount '1\.5' is no whole number"):
        sample_rows([Listed("l", SAMPLE | {"amount": "1.5"})])
    with pytest.raises(InputError, match="is no date such as"):
        day_rows([Listed("l", DAY | {"date": "2026-10-05T00:00:00Z"})])
    with pytest.raises(InputError, match="lacks amount"):
        day_rows([Listed("l", {name: value for name, value in DAY.items() if name != "amount"})])


def test_a_reason_that_nearly_is_one_of_burst_takes_no_time(tmp_path):
    """Of three places for anything each, all were tried against all: 40 ms a line, hours for the lines of a month."""
    nearly = LINE | {"reason": "Burst: " + " of a for at" * 100 + "\n"}
    listed = read_list(written(tmp_path, json.dumps([nearly] * 1_000), "ledger.json"))
    begun_ns = time.process_time_ns()
    rows = ledger_rows(listed)
    assert time.process_time_ns() - begun_ns < 10**10
    assert {row.resource for row in rows} == {None}
