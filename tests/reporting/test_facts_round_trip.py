"""Facts that leave can come back: what is exported and ingested again gives the same bill, to the last byte."""

import functools
import hashlib
import json
import signal
import subprocess
import sys
from decimal import Decimal

import polars as pl
import pytest
from discount_answers import said
from hour_facts import GIB, HOUR, an_hour, at, bill_json, counts, heartbeat, price, sample, write_facts
from small_world import polls, write

import metering
from metering.api import Meter
from metering.config import Settings
from metering.model.errors import InputError, MisuseError, NoDataError
from metering.model.period import instant_seconds
from metering.reporting.facts_folder import facts_folder

FORMS = ["csv", "ndjson", "parquet"]
# Exports facts, and is killed after so many files came to their names.
KILLED = """
import os, pathlib, signal, sys
import metering
names, replace = [], pathlib.Path.replace
def counted(path, target):
    replace(path, target)
    names.append(target)
    if len(names) == int(sys.argv[1]):
        os.kill(os.getpid(), signal.SIGKILL)
pathlib.Path.replace = counted
metering.open(sys.argv[2]).export("facts", sys.argv[3], facts_format="csv")
"""
# Likewise, where what is renamed counts too.
KILLED_ANYWHERE = """
import os, pathlib, signal, sys
import metering
names = []
def counting(change):
    def counted(path, target):
        change(path, target)
        if ".owner" not in str(target):
            names.append(target)
        if len(names) == int(sys.argv[1]):
            os.kill(os.getpid(), signal.SIGKILL)
    return counted
pathlib.Path.replace, pathlib.Path.rename = counting(pathlib.Path.replace), counting(pathlib.Path.rename)
metering.open(sys.argv[2]).export("facts", sys.argv[3], facts_format=sys.argv[4])
"""
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


def files_of(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


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
    samples = "samples/2026-10-05.parquet" if form == "parquet" else f"samples.{form}"
    tables = [f"{table}.{form}" for table in ("accounts", "burst_levels", "prices", "subscriptions")]
    assert files_of(tmp_path / "out") == sorted([samples, "manifest.json", *tables])
    with metering.open(":memory:") as meter:
        outcome = meter.ingest(tmp_path / "out")
        assert outcome.rejections == []
        assert [counts(outcome, table) for table in outcome.tables] == [
            (rows[str(tmp_path / "out" / table)], 0, 0, 0, 0) for table in outcome.tables
        ]
        assert json.dumps(meter.bill(period or HOUR).document()) == json.dumps(expected)


def bought(identifier, start="", end="", period=""):
    """30 GiB in ZRH; a month of 30 days costs 30 × 0.2."""
    return {
        "id": identifier, "account": "00123", "location": "ZRH", "amount": 30 * GIB, "start_time": start, "end_time": end,
        "period": period,
    }  # fmt: skip


PURCHASES = [
    bought("exact", start="2026-10-01T00:00:00Z", end="2026-11-01T00:00:00Z"),
    bought("from", start="2026-09-30T23:00:00Z", period="1 month"),
    bought("until", end="2026-10-30T00:00:00Z", period="1 month"),
]


def purchases(rows):
    return an_hour() | {"subscriptions": rows, "prices": [price(amount="0.2", level=0)]}


@pytest.mark.parametrize("form", FORMS)
def test_an_exported_subscription_costs_what_it_did_and_is_followed_by_what_followed_it(tmp_path, form):
    """What was bought by period is not paid for up to the noon to which its end is moved."""
    with metering.open(":memory:") as meter:
        meter.ingest(write_facts(tmp_path / "facts", purchases(PURCHASES)))
        expected, extended = meter.report("subscriptions", HOUR), meter.quote(extend="from")
        meter.export("facts", tmp_path / "out", facts_format=form)
    costs = dict(zip(expected["id"], expected["cost"], strict=True))
    assert costs == {"exact": Decimal("6.2"), "from": Decimal(6), "until": Decimal(6)}
    with metering.open(":memory:") as meter:
        meter.ingest(tmp_path / "out")
        assert meter.report("subscriptions", HOUR).to_dict("records") == expected.to_dict("records")
        assert meter.quote(extend="from") == extended


def test_exported_subscriptions_are_duplicates_of_what_they_were_exported_from(tmp_path):
    with metering.open(":memory:") as meter:
        meter.ingest(write_facts(tmp_path / "facts", purchases(PURCHASES)))
        meter.export("facts", tmp_path / "out", facts_format="csv")
        assert counts(meter.ingest(tmp_path / "out"), "subscriptions") == (0, 3, 0, 0, 0)


@pytest.mark.parametrize("said", [{}, {"start": "2026-10-20T18:00:00Z"}], ids=["from now", "in the future"])
def test_what_the_time_of_ingest_decided_of_a_subscription_is_exported_as_it_was_decided(tmp_path, said):
    with Meter(Settings(store=":memory:"), clock=lambda: instant_seconds("2026-10-05T10:00:00Z")) as meter:
        meter.ingest(write_facts(tmp_path / "facts", purchases([bought("1", **said, period="1 month")])))
        expected = meter.report("subscriptions", "2026-10", as_of="2026-11-01T00:00:00Z").to_dict("records")
        meter.export("facts", tmp_path / "out", facts_format="csv")
    start = "2026-10-20T12:00:00Z" if said else "2026-10-05T10:00:00Z"
    assert [(f"{row['start']:%Y-%m-%dT%H:%M:%SZ}", row["period"]) for row in expected] == [(start, "1 month")]
    for later in ("2026-10-05T10:00:01Z", "2027-01-01T00:00:00Z"):
        with Meter(Settings(store=":memory:"), clock=lambda now=later: instant_seconds(now)) as meter:
            meter.ingest(tmp_path / "out")
            assert meter.report("subscriptions", "2026-10", as_of="2026-11-01T00:00:00Z").to_dict("records") == expected


UNDECIDED = {
    "from now": bought("1", period="1 month"),
    "from now until an end": bought("1", end="2026-11-01T00:00:00Z"),
    "in the future": bought("1", start="2026-10-20T18:00:00Z", period="1 month"),
}


def meter_at(place, now):
    return Meter(Settings(store=str(place)), clock=lambda: instant_seconds(now))


@pytest.mark.parametrize("again", ["2026-10-05T10:00:01Z", "2026-10-25T00:00:00Z", "2027-01-01T00:00:00Z"])
@pytest.mark.parametrize("said", UNDECIDED.values(), ids=UNDECIDED)
def test_what_the_time_of_ingest_decided_is_the_same_subscription_again_whenever_it_comes(tmp_path, said, again):
    facts = write_facts(tmp_path / "facts", purchases([said]))
    with meter_at(tmp_path / "s.duckdb", "2026-10-05T10:00:00Z") as meter:
        meter.ingest(facts)
        meter.export("facts", tmp_path / "out", facts_format="csv")
    with meter_at(tmp_path / "s.duckdb", again) as meter:
        for folder in (facts, tmp_path / "out"):
            outcome = meter.ingest(folder)
            assert (counts(outcome, "subscriptions"), outcome.rejections, outcome.ingest_seq) == ((0, 1, 0, 0, 0), [], None)
        both = meter.ingest([facts, tmp_path / "out"])
        assert (counts(both, "subscriptions"), both.rejections, both.ingest_seq) == ((0, 2, 0, 0, 0), [], None)


@pytest.mark.parametrize("again", ["2026-10-05T10:00:01Z", "2027-01-01T00:00:00Z"])
@pytest.mark.parametrize("name", ["from now", "from now until an end"])
@pytest.mark.parametrize("supersede", [False, True])
def test_a_row_without_a_start_does_not_contradict_the_start_that_is_known(tmp_path, name, again, supersede):
    """As in a store that was made from exported facts, where the files that they came from are taken in again."""
    facts = write_facts(tmp_path / "facts", purchases([UNDECIDED[name]]))
    with meter_at(":memory:", "2026-10-05T10:00:00Z") as meter:
        meter.ingest(facts)
        meter.export("facts", tmp_path / "out", facts_format="csv")
    with meter_at(tmp_path / "s.duckdb", again) as meter:
        meter.ingest(tmp_path / "out")
        assert counts(meter.ingest(facts, supersede=supersede), "subscriptions") == (0, 1, 0, 0, 0)


@pytest.mark.parametrize(
    "other",
    [
        bought("1", period="2 months"),
        bought("1", period="1 month") | {"amount": 31 * GIB},
        bought("1", start="2026-10-05T10:00:01Z", period="1 month"),
        bought("1", start="2026-10-05T10:00:00Z", end="2026-11-05T12:00:00Z"),
    ],
    ids=["another period", "another amount", "another start", "no period"],
)
def test_what_says_otherwise_than_a_purchase_from_now_is_still_a_conflict(tmp_path, other):
    with meter_at(tmp_path / "s.duckdb", "2026-10-05T10:00:00Z") as meter:
        meter.ingest(write_facts(tmp_path / "facts", purchases([UNDECIDED["from now"]])))
    with meter_at(tmp_path / "s.duckdb", "2026-10-05T11:00:00Z") as meter:
        outcome = meter.ingest(write_facts(tmp_path / "other", purchases([other])))
    assert counts(outcome, "subscriptions") == (0, 0, 1, 0, 0)


def test_a_purchase_that_begins_later_is_none_from_now(tmp_path):
    with meter_at(tmp_path / "s.duckdb", "2026-10-05T10:00:00Z") as meter:
        meter.ingest(write_facts(tmp_path / "facts", purchases([bought("1", start="2026-12-24T12:00:00Z", period="1 month")])))
        outcome = meter.ingest(write_facts(tmp_path / "other", purchases([UNDECIDED["from now"]])))
    assert counts(outcome, "subscriptions") == (0, 0, 1, 0, 0)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("period", [None, HOUR])
def test_facts_of_one_account_are_its_own_and_give_its_bill(tmp_path, store, form, period):
    with metering.open(str(store)) as meter:
        meter.export("facts", tmp_path / "out", period=period, account="00123", facts_format=form)
        expected = meter.bill(HOUR, account="00123").document()
    with metering.open(":memory:") as meter:
        meter.ingest(tmp_path / "out")
        billed = meter.bill(HOUR).document()
    assert billed | {"period": expected["period"]} == expected
    owned = [path for path in files_of(tmp_path / "out") if path.startswith(("samples", "subscriptions", "accounts"))]
    assert len(owned) == 3
    read = {"csv": functools.partial(pl.read_csv, infer_schema=False), "ndjson": pl.read_ndjson, "parquet": pl.read_parquet}[form]
    assert {account for path in owned for account in read(tmp_path / "out" / path)["account"]} == {"00123"}


def test_facts_of_an_account_that_has_none_are_refused_and_nothing_is_written(tmp_path, store):
    told = r"account 'nobody' has no facts: `metering export facts` without --account writes everybody's"
    with metering.open(str(store)) as meter, pytest.raises(NoDataError, match=told):
        meter.export("facts", tmp_path / "out", account="nobody")
    assert not (tmp_path / "out").exists()


def test_no_clock_chooses_among_facts(tmp_path, store):
    told = "facts are of no clock: --known-at says which of them count, --period which samples"
    with metering.open(str(store)) as meter, pytest.raises(MisuseError, match=told):
        meter.export("facts", tmp_path / "out", as_of="2026-10-05T00:30:00Z")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("form", FORMS)
def test_exported_samples_are_duplicates_of_what_they_were_exported_from(tmp_path, store, form):
    with metering.open(str(store)) as meter:
        rows = meter.export("facts", tmp_path / "out", facts_format=form)
        outcome = meter.ingest(tmp_path / "out" / ("samples" if form == "parquet" else f"samples.{form}"))
    assert counts(outcome) == (0, rows[str(tmp_path / "out" / "samples")], 0, 0, 0)


def test_a_snapshot_that_never_changes_stands_in_the_file_of_each_day_of_each_month(tmp_path):
    listed = [
        *polls("2026-08-30T12:00:00Z", "2026-11-02", {"same": GIB}, step=43_200),
        *polls("2026-09-30", "2026-10-03", {}, account="B", step=43_200),
        *polls("2026-10-01", "2026-10-02", {"short": 2 * GIB}, account="C", step=43_200),
    ]
    with metering.open(":memory:") as meter:
        meter.ingest(write(tmp_path / "facts", samples=listed))
        meter.export("facts", tmp_path / "out")
        outcome = meter.ingest(tmp_path / "out" / "samples")
    files = sorted((tmp_path / "out" / "samples").iterdir())
    assert [file.stem for file in files][::63] == ["2026-08-30", "2026-11-01"]
    # A poll at noon of the first day, two of each day since; B was polled on three days, and C on one.
    assert [pl.read_parquet(file).height for file in files] == [1, *[2] * 30, 4, 6, 4, *[2] * 30]
    assert counts(outcome) == (0, len(listed), 0, 0, 0)


@pytest.mark.parametrize("form", FORMS)
def test_facts_without_burst_levels_come_back_too(tmp_path, form):
    facts = an_hour()
    del facts["burst_levels"]
    place = write_facts(tmp_path / "facts", facts)
    with metering.open(":memory:") as meter:
        meter.ingest(place)
        rows = meter.export("facts", tmp_path / "out", facts_format=form)
        expected = meter.bill(HOUR).document()
    assert rows[str(tmp_path / "out" / "burst_levels")] == 0
    with metering.open(":memory:") as meter:
        meter.ingest(tmp_path / "out")
        assert meter.bill(HOUR).document() == expected


def test_exported_facts_are_those_that_were_known_then(tmp_path):
    with metering.open(":memory:") as meter:
        for size in (5, 6):
            meter.ingest(write_facts(tmp_path / str(size), {"samples": [sample(at(0), size)]}), supersede=True)
        for seq in (1, 2):
            meter.export("facts", tmp_path / f"known-{seq}", known_at=seq, facts_format="ndjson")
    sizes = [json.loads((tmp_path / f"known-{seq}" / "samples.ndjson").read_text())["allocated_size"] for seq in (1, 2)]
    assert sizes == [5, 6]


def test_what_has_no_file_of_facts_is_told(tmp_path):
    told = []
    with Meter(Settings(store=str(tmp_path / "s.duckdb")), clock=lambda: instant_seconds("2026-11-05T00:00:00Z")) as meter:
        meter.ingest(write_facts(tmp_path / "facts", an_hour()))
        meter.export("facts", tmp_path / "nothing", tell=told.append)
        assert told == []
        meter.close("2026-10-05", by="ann", reason="a test")
        meter.ingest(said(tmp_path, "1", "2026-10-05T00:00:00Z", "ZRH", **{"1_year": "0.5"}))
        meter.export("facts", tmp_path / "both", tell=told.append)
        assert told == [
            "left out: 1 closed period: a `metering backup` has it",
            "left out: the discounts that the collector read: name them under `discounts` where these facts are taken in",
        ]


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


def test_each_day_is_a_parquet_file_sorted_by_snapshot_with_instants_of_utc(tmp_path):
    days = ["1969-12-31", "2026-10-05", "2026-10-06"]
    rows = [sample(f"{day}T{hour:02}:00:00Z", hour, name) for hour in (23, 0, 5) for day in days for name in ("s2", "s1")]
    with metering.open(":memory:") as meter:
        meter.ingest(write_facts(tmp_path / "facts", {"samples": rows}))
        counted = meter.export("facts", tmp_path / "out")
        assert meter.ingest(tmp_path / "out").polls.duplicate == 9
    assert counted[str(tmp_path / "out" / "samples")] == 18
    assert files_of(tmp_path / "out" / "samples") == [f"{day}.parquet" for day in days]
    for day in days:
        frame = pl.read_parquet(tmp_path / "out" / "samples" / f"{day}.parquet")
        assert frame.schema["poll_time"] == pl.Datetime("us", "UTC")
        assert [(row["snapshot"], f"{row['poll_time']:%Y-%m-%d %H}") for row in frame.to_dicts()] == [
            (name, f"{day} {hour:02}") for name in ("s1", "s2") for hour in (0, 5, 23)
        ]


@pytest.mark.parametrize("form", FORMS)
def test_the_manifest_tells_the_rows_bytes_and_digest_of_every_file(tmp_path, store, form):
    with metering.open(str(store)) as meter:
        counted = meter.export("facts", tmp_path / "out", facts_format=form)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["metering_facts"] == 1
    assert [file["path"] for file in manifest["files"]] == [name for name in files_of(tmp_path / "out") if name != "manifest.json"]
    for file in manifest["files"]:
        content = (tmp_path / "out" / file["path"]).read_bytes()
        assert (file["bytes"], file["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    assert sum(file["rows"] for file in manifest["files"]) == sum(counted.values())


def overwrite(folder):
    place = folder / "samples" / "2026-10-05.parquet"
    content = bytearray(place.read_bytes())
    content[len(content) // 2] ^= 1
    place.write_bytes(content)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (overwrite, r"out/samples/2026-10-05\.parquet is not what its manifest\.json says"),
        (lambda out: (out / "prices.parquet").unlink(), r"out lacks prices\.parquet, which its manifest\.json names"),
        (lambda out: (out / "accounts.csv").write_text("account,currency\nz,CHF\n"), r"out/accounts\.csv is not in the manifest"),
        (lambda out: (out / "manifest.json").write_text("{"), r"manifest\.json cannot be read as a manifest of facts"),
        (lambda out: (out / "manifest.json").write_text('{"metering_facts": 2, "files": []}'), "cannot be read as a manifest"),
        (lambda out: (out / "manifest.json").write_text("[" * 200_000), "cannot be read as a manifest"),
    ],
    ids=["a changed file", "a lost file", "a file too many", "no JSON", "a later version", "nested without end"],
)
def test_a_directory_that_is_not_what_its_manifest_says_is_refused(tmp_path, store, change, told):
    with metering.open(str(store)) as meter:
        meter.export("facts", tmp_path / "out")
    change(tmp_path / "out")
    with metering.open(":memory:") as meter, pytest.raises(InputError, match=told):
        meter.ingest(tmp_path / "out")


@pytest.mark.parametrize("changes", [1, 4])
def test_an_export_that_was_killed_is_no_facts_directory(tmp_path, store, changes):
    """What is there is whole, file by file; which files are missing nobody else could tell."""
    killed = subprocess.run([sys.executable, "-c", KILLED, str(changes), str(store), str(tmp_path / "out")], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert "manifest.json" in files_of(tmp_path / "out")
    assert "accounts.csv" not in files_of(tmp_path / "out")
    told = r"out/manifest\.json tells that the export did not end: export the facts again, into a new folder"
    with metering.open(":memory:") as meter, pytest.raises(InputError, match=told):
        meter.ingest(tmp_path / "out")


# Of five files, the first change is the manifest, 2 to 6 make them, 7 tells what comes, 8 to 12 put them, and 13 is the end.
@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize("changes", [1, 4, 7, 8, 9, 12])
def test_what_a_killed_export_left_is_replaced_by_the_next(tmp_path, store, changes, form):
    out = tmp_path / "out"
    killed = subprocess.run([sys.executable, "-c", KILLED_ANYWHERE, str(changes), str(store), str(out), form], check=False)
    assert killed.returncode == -signal.SIGKILL
    with metering.open(str(store)) as meter:
        meter.export("facts", tmp_path / "undisturbed", facts_format=form)
        meter.export("facts", out, facts_format=form)
    assert bytes_of(out) == bytes_of(tmp_path / "undisturbed")


def bytes_of(folder):
    return {path.relative_to(folder): path.is_file() and path.read_bytes() for path in folder.rglob("*")}


def mine(out):
    (out / "accounts.csv").write_text("account,currency\nz,CHF\n")


def link(out):
    (out / "linked.csv").symlink_to(out.parent / "elsewhere")


@pytest.mark.parametrize("change", [mine, link, lambda out: (out / "empty").mkdir(), lambda out: (out / "manifest.json").unlink()])
def test_what_is_another_s_in_the_folder_of_a_killed_export_is_never_touched(tmp_path, store, change):
    out = tmp_path / "out"
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "kept").write_text("mine")
    subprocess.run([sys.executable, "-c", KILLED_ANYWHERE, "9", str(store), str(out), "csv"], check=False)
    assert (out / "burst_levels.csv").exists()
    change(out)
    there = bytes_of(tmp_path)
    with metering.open(str(store)) as meter, pytest.raises(InputError, match="out is not empty: name a new folder"):
        meter.export("facts", out, facts_format="csv")
    scratch = {path for path in there if any(part.startswith(".metering-") for part in path.parts)}
    assert bytes_of(tmp_path) == {path: content for path, content in there.items() if path not in scratch}


def test_two_exports_into_one_folder_at_once_do_not_mix(tmp_path, store):
    with metering.open(str(store)) as meter, facts_folder(tmp_path / "out") as made:
        with pytest.raises(InputError, match="out is not empty: name a new folder"):
            meter.export("facts", tmp_path / "out")
        made.put({})
    assert files_of(tmp_path / "out") == ["manifest.json"]


def test_another_program_s_manifest_is_no_concern_of_ours(tmp_path):
    facts = write_facts(tmp_path / "facts", {"samples": [sample(at(0), 5)]})
    (facts / "manifest.json").write_text('{"name": "a web app"}')
    with metering.open(":memory:") as meter:
        assert counts(meter.ingest(facts)) == (1, 0, 0, 0, 0)
