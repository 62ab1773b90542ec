"""Facts that leave can come back: what is exported and ingested again gives the same bill, to the last byte."""

import json

import pytest
from hour_facts import GIB, HOUR, an_hour, at, bill_json, counts, heartbeat, sample, write_facts

import metering
from metering.model.errors import InputError, MisuseError

FORMS = ["csv", "ndjson", "parquet"]
# What is hard on a text format: quotes, delimiters, line ends, NUL, white space, signs that other programs swallow.
NAMES = [
    '"',
    '""',
    "a,b;c",
    "line\nline\r\nline\rend",
    "tab\t",
    " x ",
    "NULL",
    "null",
    "\\N",
    "\x00",
    "'",
    "=1+1",
    "\u2028",
    "Ä😀",
    "\\",
    "-",
]


def hard_facts():
    facts = an_hour()
    facts["samples"] += [
        sample(at(0), i, name or "s", "hard", "LON", name=name, drive=name.strip() if name.isprintable() else "")
        for i, name in enumerate(NAMES)
        if name.isprintable()
    ]
    facts["samples"] += [sample(at(5), i, f"s{i}", "hard", "LON", name=name) for i, name in enumerate(NAMES)]
    facts["samples"] += [heartbeat(at(10), "hard", "LON"), sample(at(15), 2**63 - 1, "s", "NA", "NA", status="deleting")]
    facts["accounts"] += [{"account": name.strip() or "x", "currency": "KWD", "name": name} for name in NAMES if name.isprintable()]
    facts["subscriptions"].append(
        {
            "id": "9",
            "account": "hard",
            "location": "LON",
            "amount": 10**29 + 1,
            "start_time": at(0),
            "end_time": at(30),
            "period": "",
        }
    )
    facts["prices"][0] |= {"price": "0.280000000000000000000000000001"}
    return facts


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("facts")
    place = folder / "store.duckdb"
    bill_json(write_facts(folder / "facts", hard_facts()), store=place)
    return place


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("period", [None, HOUR, "2026-10-05T00:20:00Z..2026-10-05T00:40:00Z"])
def test_exported_facts_give_the_same_bill_when_they_are_ingested_again(tmp_path, store, form, period):
    with metering.open(str(store)) as meter:
        rows = meter.export("facts", tmp_path / "out", period=period, facts_format=form)
        expected = meter.bill(period or HOUR).document()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        f"{table}.{form}" for table in ("accounts", "burst_levels", "prices", "samples", "subscriptions")
    )
    with metering.open(":memory:") as meter:
        outcome = meter.ingest(tmp_path / "out")
        assert outcome.rejections == []
        assert [counts(outcome, table) for table in outcome.tables] == [
            (rows[str(tmp_path / "out" / table)], 0, 0, 0, 0) for table in outcome.tables
        ]
        assert json.dumps(meter.bill(period or HOUR).document()) == json.dumps(expected)


@pytest.mark.parametrize("form", FORMS)
def test_exported_samples_are_duplicates_of_what_they_were_exported_from(tmp_path, store, form):
    with metering.open(str(store)) as meter:
        rows = meter.export("facts", tmp_path / "out", facts_format=form)
        outcome = meter.ingest(tmp_path / "out" / f"samples.{form}")
    assert counts(outcome) == (0, rows[str(tmp_path / "out" / "samples")], 0, 0, 0)


def test_exported_facts_are_those_that_were_known_then(tmp_path):
    with metering.open(":memory:") as meter:
        for size in (5, 6):
            meter.ingest(write_facts(tmp_path / str(size), {"samples": [sample(at(0), size)]}), supersede=True)
        for seq in (1, 2):
            meter.export("facts", tmp_path / f"known-{seq}", known_at=seq, facts_format="ndjson")
    sizes = [json.loads((tmp_path / f"known-{seq}" / "samples.ndjson").read_text())["allocated_size"] for seq in (1, 2)]
    assert sizes == [5, 6]


def test_facts_are_exported_into_a_new_folder_only(tmp_path, store):
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "mine.txt").write_text("mine")
    with metering.open(str(store)) as meter:
        with pytest.raises(InputError, match="is not empty: name a new folder"):
            meter.export("facts", tmp_path / "used")
        with pytest.raises(InputError, match=r"deeper cannot be written"):
            meter.export("facts", tmp_path / "used" / "mine.txt" / "deeper")
        with pytest.raises(MisuseError, match="facts are written as csv, ndjson or parquet"):
            meter.export("facts", tmp_path / "new", facts_format="xml")
    assert [path.name for path in (tmp_path / "used").iterdir()] == ["mine.txt"]


def test_one_gib_stays_one_gib(tmp_path):
    with metering.open(":memory:") as meter:
        meter.ingest(write_facts(tmp_path / "facts", {"samples": [sample(at(0), GIB)]}))
        meter.export("facts", tmp_path / "out", facts_format="csv")
    text = (tmp_path / "out" / "samples.csv").read_text()
    assert text.replace('""', "") == (
        "poll_time,endpoint,account,location,snapshot,allocated_size,drive,status,name\n"
        "2026-10-05T00:00:00Z,ZRH,a1,ZRH,s1,1073741824,,,\n"
    )


def test_an_exported_period_keeps_what_feeds_a_location_even_if_it_showed_long_before_or_after(tmp_path):
    rows = [
        # long before, GVA's listing once held a snapshot that is stored in ZRH; and one that ZRH lists too
        sample("2026-09-01T00:00:00Z", 7, "once", endpoint="GVA"),
        sample("2026-09-01T00:00:00Z", 8, "both", endpoint="GVA"),
        heartbeat(at(0), location="GVA"),
        *(sample(at(minute), 9, "both", endpoint="ZRH") for minute in range(0, 60, 5)),
        sample(at(30), 9, "both", endpoint="GVA"),
        # long after, FRA's turns out to hold one too
        heartbeat(at(20), location="FRA"),
        sample("2026-10-20T00:00:00Z", 5, "late", endpoint="FRA"),
        *(sample(f"2026-10-{day}T00:00:00Z", 5, "late", endpoint="FRA") for day in range(21, 28)),
    ]
    with metering.open(":memory:") as meter:
        meter.ingest(write_facts(tmp_path / "facts", {"samples": rows}))
        expected = meter.bill(HOUR).document()
        counted = meter.export("facts", tmp_path / "out", period=HOUR)
    assert counted[str(tmp_path / "out" / "samples")] < len(rows), "not everything is needed"
    with metering.open(":memory:") as meter:
        meter.ingest(tmp_path / "out")
        assert meter.bill(HOUR).document() == expected
    assert {row["partial_seconds"] > 0 for row in expected["usage"] if row["location"] == "ZRH"} == {True}
