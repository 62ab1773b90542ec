"""Spark gives the same bytes as DuckDB, from the same Parquet facts, by the same queries; and is asked before it is trusted.

One session serves all tests here, because it takes long to start, and a bill of a few rows costs it seconds: so all worked cases
are taken in at once, and so are many random worlds.
"""

import json
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count, islice
from pathlib import PurePath
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from always import (
    assert_alike_but_for_states,
    assert_balanced,
    assert_larger,
    assert_more_entitled,
    assert_parts_add_up,
    assert_statements_add_up,
    larger,
    more_entitled,
    refined,
    spread,
)
from fact_files import instants, write_tables, write_timed
from hour_facts import an_hour, at, price, sample, write_facts, write_parquet
from judge import billed
from oracle_facts import DAY, bounds, instant
from pyspark.errors import ArithmeticException
from spark_servers import QUICK
from together import head_of, own, part_of, shifted, together
from worked_cases import CASES, assert_as_worked_out, world_of
from worlds import FAR, World

import metering
from metering import Meter
from metering.cluster import ClusterMeter, open_cluster
from metering.config import Settings
from metering.engine.duckdb import Engine, connect
from metering.engine.spark import SparkEngine, reason_of
from metering.ingest.lake_files import find_lake_files
from metering.ingest.lake_rows import parquet_records, raw_samples
from metering.model.errors import InputError
from metering.model.period import instant_text
from metering.schema import fact_tables

NOW = 1_893_456_000
SOME_DAY = "2026-10-05"
# A few rows are not worth compiling each plan for, nor planning it twice.
SMALL = {
    "spark.driver.extraJavaOptions": f"{QUICK} -Xmn512m",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.shuffle.partitions": "1",
    "spark.default.parallelism": "1",
    "spark.sql.ansi.enabled": "false",  # no property can have that
}  # fmt: skip
SETTINGS = Settings(store=":memory:", spark={"master": "local[2]", "conf": SMALL})


@pytest.fixture(scope="module")
def engine():
    with open_cluster(SETTINGS) as cluster:
        yield cluster._engine


def apart(engine):
    """A session beside another's, with tables of its own."""
    return SparkEngine(engine.session.newSession())


@pytest.fixture
def cluster(engine):
    """A meter on Spark that knows no facts yet, and leaves those of others alone."""
    return ClusterMeter(SETTINGS, apart(engine), clock=lambda: NOW)


class Twins:
    """Both engines, given the same facts and asked the same questions; every answer of theirs is held against the other's."""

    def __init__(self, engine, folder, **clock):
        self.engine = engine
        self.now = NOW
        settings = SETTINGS.model_copy(update=clock)
        self.spark = ClusterMeter(settings, engine, clock=lambda: self.now)
        self.duckdb = Meter(settings, clock=lambda: self.now)
        self.places = (folder / f"{number}" for number in count())
        self.agreed = Counter()
        self.answers = {}

    def __enter__(self):
        self.duckdb.__enter__()
        return self

    def __exit__(self, *error):
        self.duckdb.__exit__(*error)

    def take(self, command, parts=1, timed=()):
        """Take a command in; of the samples, `timed` go as instants, which are folded as they are read, and the others as text."""
        self.now = command.now
        place = write_tables(next(self.places), command.tables, "parquet", parts)
        if timed:
            write_timed(place / "samples" / "timed.parquet", timed)
        expected = self.duckdb.ingest(place, supersede=command.supersede)
        assert told(self.spark.ingest(place, supersede=command.supersede)) == told(expected)
        for word in expected.polls.__slots__:
            self.agreed[word] += getattr(expected.polls, word)
        self.now = NOW

    def settle(self):
        """Lay what each command brought to Spark together, so that no plan reads eight small tables where there is one."""
        for table in fact_tables():
            settled = self.engine.kept(self.engine.session.table(table).coalesce(1))
            settled.createOrReplaceTempView(table)
        self.engine.alias("sample_runs", "closed_runs")

    def bill(self, period, as_of=NOW, known_at=None):
        """Ask both, once; the names of charges, which hold those of accounts, are compared and left out."""
        if (period, as_of, known_at) not in self.answers:
            clock = instant_text(as_of)
            expected = self.duckdb.bill(period, as_of=clock, known_at=None if known_at is None else str(known_at)).document()
            found = self.spark.bill(period, as_of=clock, known_at=known_at).document()
            assert json.dumps(found) == json.dumps(expected)
            for line in found["lines"]:
                del line["charge_id"]
            self.answers[period, as_of, known_at] = found
        return self.answers[period, as_of, known_at]


def told(outcome):
    rows = {table: [getattr(rows, word) for word in rows.__slots__] for table, rows in outcome.tables.items()}
    polls = [getattr(outcome.polls, word) for word in outcome.polls.__slots__]
    rejections = [rejection.text for rejection in outcome.rejections]
    return outcome.ingest_seq, rows, polls, outcome.contradicting, rejections, outcome.notes


def questions_of(worlds):
    """Group worlds by what is asked of them: period, clock, and how many commands are known."""
    found = defaultdict(list)
    for number, world in enumerate(worlds):
        found[bounds(world.period), min(world.as_of, NOW), world.known_at].append(number)
    return {
        (f"{instant_text(start)}..{instant_text(end)}", as_of, known_at): numbers
        for ((start, end), as_of, known_at), numbers in found.items()
    }


def days(number, *, clean):
    """Some random worlds that last a day and are asked at the usual clock, moved to the same day."""
    ordinary = (
        world
        for world in (World.random(seed, clean=clean) for seed in count())
        if len(world.period) == len(SOME_DAY) and (world.cycle, world.max_hold) == (300, 900)
        if world.as_of == world.now == FAR and world.known_at is None and "samples" in world.tables
    )
    return [
        replace(shifted(world, (instant(SOME_DAY) - instant(world.period)) // DAY), period=SOME_DAY, as_of=NOW, now=NOW)
        for world in islice(ordinary, number)
    ]


BROKEN = [
    sample(at(0), -1, "negative", "broken"), sample(at(5), "12\n", "a line end", "broken"),
    sample(at(10), "9" * 40, "large", "broken"), sample("2026-02-30T00:00:00Z", 1, "no date", "broken"),
    sample("2026-10-05 00:20:00", 1, "no offset", "broken"), sample(at(25), 7, "a\u202eb", "broken"),
    sample(at(30), 7, "whole", "broken"), sample(at(30), 7, "whole", "broken"), sample(at(35), 7, "twice", "broken"),
    sample(at(35), 8, "twice", "broken"),
]  # fmt: skip
PLAIN_CASES = [case for case in CASES if "cycle" not in case and "max_hold" not in case]
OTHER_CASES = [case for case in CASES if case not in PLAIN_CASES]
HOSTILE = days(8, clean=False)
# Each with what must change nothing, or only in one direction.
CLEAN = days(3, clean=True)
VARIANTS = [
    [
        world,
        spread(world, Random(number)),
        more_entitled(world, sorted({(row["account"], row["location"]) for row in world.tables["samples"]}), Random(number)),
        larger(world, Random(number)),
        refined(world, Random(number)),
    ]
    for number, world in enumerate(CLEAN)
]
WORLDS = [*map(world_of, PLAIN_CASES), *HOSTILE, *(world for variants in VARIANTS for world in variants)]


def can_be_timed(row):
    """Choose what every second world can say in columns with types: instants, and sizes that are whole numbers."""
    head, size = row["account"][:3], row["allocated_size"]
    return head.isdigit() and int(head) % 2 == 0 and size.isdigit() and int(size) < 2**63 and bool(instants([row]))


@pytest.fixture(scope="module")
def twins(engine, tmp_path_factory):
    """Both engines with all worlds at once; one of them under its own names, and among it rows that are broken."""
    commands = together(WORLDS)
    own_names = own(next(world for world in HOSTILE if len(world.commands) == 1), "").commands[0]
    first = {table: [*rows, *own_names.get(table, ())] for table, rows in commands[0].tables.items()}
    first["samples"] += [{name: str(value) for name, value in row.items()} for row in BROKEN]
    with Twins(engine, tmp_path_factory.mktemp("commands")) as both:
        timed = [row for row in first["samples"] if can_be_timed(row)]
        assert len(timed) > 3_000
        first["samples"] = [row for row in first["samples"] if not can_be_timed(row)]
        both.take(replace(commands[0], tables=first), parts=2, timed=timed)
        for command in commands[1:]:
            both.take(command)
        both.settle()
        yield both


def test_every_worked_case_comes_on_spark_to_what_was_worked_out_by_hand(twins):
    for question, numbers in questions_of([world_of(case) for case in PLAIN_CASES]).items():
        document = twins.bill(*question)
        for number in numbers:
            assert_as_worked_out(PLAIN_CASES[number], part_of(number, document))


def test_a_case_with_another_cycle_comes_on_spark_to_what_was_worked_out_by_hand(engine, tmp_path):
    (case,) = OTHER_CASES
    world = world_of(case)
    with Twins(apart(engine), tmp_path, cycle=world.cycle, max_hold=world.max_hold) as twins:
        for command in together([world]):
            twins.take(command)
        twins.settle()
        for question in questions_of([world]):
            assert_as_worked_out(case, part_of(0, twins.bill(*question)))


def test_hostile_worlds_give_the_same_bytes_and_the_same_rejections(twins):
    document = twins.bill("2026-10")
    for number in range(len(PLAIN_CASES), len(PLAIN_CASES) + len(HOSTILE)):
        assert part_of(number, document)["usage"]
    for what in ("accepted", "duplicate", "conflicting", "rejected"):
        assert twins.agreed[what] > 0, f"the worlds have some {what} polls"
    for part in ("usage", "lines", "episodes", "statements", "findings"):
        assert document[part], f"the worlds have some {part}"


def test_what_must_always_hold_holds_on_spark(twins):
    document = twins.bill(SOME_DAY)
    assert_balanced(document)
    assert_statements_add_up(document)
    cut = instant(SOME_DAY) + 49_031
    start, middle, end = (instant_text(second) for second in (instant(SOME_DAY), cut, instant(SOME_DAY) + DAY))
    assert_parts_add_up(document, [twins.bill(f"{start}..{middle}"), twins.bill(f"{middle}..{end}")], cut)
    for place, variants in enumerate(VARIANTS):
        first = len(PLAIN_CASES) + len(HOSTILE) + place * len(variants)
        alone = billed(own(variants[0], head_of(first)), period=SOME_DAY)
        assert alone == {part: [row for row in document[part] if row["account"].startswith(head_of(first))] for part in alone}
        plain, otherwise, entitled, grown, repeated = (part_of(first + variant, document) for variant in range(len(variants)))
        assert plain["usage"]
        assert otherwise == plain
        assert_more_entitled(plain, entitled)
        assert_larger(plain, grown)
        assert_alike_but_for_states(plain, repeated)


def test_facts_that_are_no_parquet_are_refused(cluster, tmp_path):
    facts = write_facts(tmp_path / "facts", an_hour())
    with pytest.raises(InputError, match=r"reads Parquet facts, and .* is none .*make them with `metering export facts`"):
        cluster.ingest(facts)


def test_uuids_are_read_from_files_here_and_from_elsewhere_asked_for_as_text(engine, tmp_path):
    account, snapshot = "0a1be405-5c1a-4e0b-9d3e-6f2a7c4d1b01", "ffffffff-0000-4000-8000-00000000000a"
    rows = [sample(at(0), 7, snapshot, account), sample(at(5), 8, snapshot, account)]
    write_parquet(tmp_path / "samples.parquet", rows, account="uuid", snapshot="uuid", allocated_size="bigint")
    files, _ = find_lake_files(engine, [str(tmp_path)], SETTINGS.limits)
    raw_samples(engine, files)
    read = engine.sql("select account, snapshot, size_bytes from raw_samples order by size_bytes")
    assert read == [(account, snapshot, 7), (account, snapshot, 8)]
    with pytest.raises(InputError, match=r"UUID.*: write that column as text, as `metering export facts` does"):
        find_lake_files(engine, [f"file://{tmp_path}"], SETTINGS.limits)


def test_what_is_neither_text_nor_number_nor_instant_is_refused_here_and_at_a_url(engine, tmp_path):
    """Of bytes each engine would make another text; a list or a struct kept Spark from the file with an error of its own syntax."""
    odd = {"binary": pa.array([b"x"]), "list": pa.array([["x"]]), "struct": pa.array([{"a": "x"}])}
    for kind, values in odd.items():
        place = tmp_path / kind / "accounts.parquet"
        place.parent.mkdir()
        pq.write_table(pa.table({"account": ["a"], "currency": ["CHF"], "name": values}), place)
        for named in (str(place), f"file://{place}"):
            with pytest.raises(InputError, match=r"the column 'name' is .*, but facts are text, numbers and instants; "):
                find_lake_files(engine, [named], SETTINGS.limits)


def test_instants_of_96_bits_which_tell_no_zone_are_taken_from_no_place(engine, tmp_path):
    """Spark took them for UTC where a URL named the file, and nowhere else: programs differ in what they mean by them."""
    place = tmp_path / "burst_levels.parquet"
    row = {"location": ["ZRH"], "resource": ["backup"], "level": ["1"], "effective_from": [datetime(2026, 10, 5, tzinfo=UTC)]}
    pq.write_table(pa.table(row), place, use_deprecated_int96_timestamps=True)
    (file,), _ = find_lake_files(engine, [str(place)], SETTINGS.limits)
    assert next(parquet_records(engine, file)).cells["effective_from"] == "2026-10-05 00:00:00"
    with pytest.raises(InputError, match=r"timestamps of 96 bits, which tell no zone\): write that column as text") as error:
        find_lake_files(engine, [f"file://{place}"], SETTINGS.limits)
    assert "\n" not in str(error.value)


def test_a_file_that_spark_passes_over_is_refused_for_its_rows_would_be_missing(engine, tmp_path):
    for name in ("_samples.parquet", ".samples.parquet", "samples.parquet"):
        write_parquet(tmp_path / name, [sample(at(0), 7)])
    for name in ("_samples.parquet", ".samples.parquet"):
        for place in (str(tmp_path / name), f"file://{tmp_path}/{name}"):
            with pytest.raises(InputError, match=rf"is not read by Spark, which passes over files called like {name}|no facts in"):
                find_lake_files(engine, [place, str(tmp_path / "samples.parquet")], SETTINGS.limits)
    (tmp_path / "facts" / "samples").mkdir(parents=True)
    (tmp_path / "facts" / "samples" / "1.parquet").symlink_to(tmp_path / "_samples.parquet")
    with pytest.raises(InputError, match=r"1\.parquet is not read by Spark, which passes over files called like _samples\.parquet"):
        find_lake_files(engine, [str(tmp_path / "facts")], SETTINGS.limits)


def test_a_name_that_spark_cannot_open_is_told_as_that(engine, tmp_path):
    write_parquet(tmp_path / "prices-00:00.parquet", [price()])
    (file,), _ = find_lake_files(engine, [str(tmp_path)], SETTINGS.limits)
    with pytest.raises(InputError, match=r"prices-00:00\.parquet cannot be read by Spark .*: give it a name without ':'"):
        list(parquet_records(engine, file))


def test_a_url_of_a_file_is_told_by_its_name_its_folder_or_its_columns(engine, tmp_path):
    (tmp_path / "samples").mkdir()
    write_parquet(tmp_path / "samples" / "day-01.parquet", [sample(at(0), 7)])
    write_parquet(tmp_path / "prices-2026.parquet", [price()])
    write_parquet(tmp_path / "names.PARQUET", [{"account": "a1", "currency": "CHF"}])
    write_parquet(tmp_path / "other.parquet", [{"account": "a1"}])
    (tmp_path / "accounts.csv").write_text("account,currency\n")
    names = ("samples/day-01.parquet", "prices-2026.parquet", "names.PARQUET")
    files, notes = find_lake_files(engine, [f"file://{tmp_path}/{name}" for name in names], SETTINGS.limits)
    assert sorted((file.table, PurePath(file.shown).name) for file in files) == [
        ("accounts", "names.PARQUET"), ("prices", "prices-2026.parquet"), ("samples", "day-01.parquet"),
    ]  # fmt: skip
    assert notes == []
    for name, told in (("other.parquet", "fits no table of facts"), ("accounts.csv", "the spark engine reads Parquet facts")):
        with pytest.raises(InputError, match=told):
            find_lake_files(engine, [f"file://{tmp_path}/{name}"], SETTINGS.limits)


def test_text_that_is_no_utf8_is_damage_on_both_engines(engine, tmp_path):
    for table, rows in (("samples", [sample(at(0), 7, "abcd")]), ("accounts", [{"account": "abcd", "currency": "CHF"}])):
        place = tmp_path / f"{table}.parquet"
        columns = {name: pa.array([str(row[name]) for row in rows]) for name in rows[0]}
        pq.write_table(pa.table(columns), place, compression="none", use_dictionary=False, write_statistics=False)
        place.write_bytes(place.read_bytes().replace(b"abcd", b"ab\xff\xfe"))
        write_parquet(tmp_path / f"{table}-2.parquet", rows)
        with Twins(apart(engine), tmp_path) as twins:
            for meter in (twins.duckdb, twins.spark):
                with pytest.raises(InputError, match=rf"{table}\.parquet (is damaged|cannot be read by) .*: .*write it again"):
                    meter.ingest([place, tmp_path / f"{table}-2.parquet"])


def test_types_that_spark_does_not_find_out_are_read_as_duckdb_reads_them(engine, tmp_path):
    """Nanoseconds, as pandas writes them; floats, as it makes them of sizes where one is missing; and columns nobody reads."""
    day_s = instant(SOME_DAY)
    start_ns = day_s * 10**9
    same = {name: ["x"] * 4 for name in ("location", "account")}
    unread = {"seen_at": pa.array([1] * 4, pa.time64("us")), "tags": pa.array([[{"at": 1}]] * 4), "drive": pa.nulls(4)}
    in_order = pa.array([start_ns - 1, start_ns + 299 * 10**9, start_ns + 600 * 10**9 - 1, 2**63 - 1], pa.timestamp("ns", tz="UTC"))
    on_the_wall = pa.array([start_ns, start_ns + 120_000_000, start_ns + 5, None], pa.timestamp("ns"))
    floats = pa.array([2.0**30, 1e18, float("nan"), None])
    files = {
        "1": {"poll_time": in_order, "snapshot": ["a"] * 4, "allocated_size": pa.array([7] * 4, pa.uint32()), **unread},
        "2": {"poll_time": on_the_wall, "snapshot": ["b"] * 4, "allocated_size": pa.array([7] * 4)},
        "3": {"poll_time": pa.array([start_ns // 1000 + 10**9] * 4, pa.timestamp("us", tz="UTC")), "snapshot": list("abcd"),
              "allocated_size": floats},
    }  # fmt: skip
    (tmp_path / "facts" / "samples").mkdir(parents=True)
    for name, columns in files.items():
        pq.write_table(pa.table(same | columns), tmp_path / "facts" / "samples" / f"{name}.parquet")
    since = pa.array([-1, 10**18 + 5, 2**63 - 1, 1 - 2**63], pa.timestamp("ns", tz="UTC"))
    rows = {name: [str(price()[name])] * 4 for name in ("resource", "currency", "level", "unit", "multiplier")}
    pq.write_table(pa.table(rows | {"price": ["0.28"] * 4, "effective_from": since}), tmp_path / "facts" / "prices.parquet")
    pq.write_table(
        pa.table(rows | {"price": [0.28, 1e-9, 1e16, None], "effective_from": since}), tmp_path / "facts" / "prices-2.parquet"
    )
    with Twins(apart(engine), tmp_path) as twins:
        expected = twins.duckdb.ingest(tmp_path / "facts")
        assert told(twins.spark.ingest(tmp_path / "facts")) == told(expected)
        with twins.duckdb._store.reading() as duckdb:
            for meter in (twins.spark._engine, duckdb):
                # The last nanosecond before midnight is of the day before.
                assert meter.sql("select poll_s from polls order by 1") == [(day_s - 1,), (day_s + 299,), (day_s + 599,)]
                assert meter.sql("select effective_from_s from prices order by 1") == [(-1,), (10**9,)]
    shown = [(PurePath(one.file).name, one.line, one.value) for one in expected.rejections if one.field != "poll"]
    assert shown == [
        ("1.parquet", 4, ""),
        ("2.parquet", 1, "2026-10-05 00:00:00"), ("2.parquet", 2, "2026-10-05 00:00:00.12"),
        ("2.parquet", 3, "2026-10-05 00:00:00.000000005"), ("2.parquet", 4, ""),
        ("3.parquet", 1, "1073741824.0"), ("3.parquet", 2, "1e+18"), ("3.parquet", 3, "nan"), ("3.parquet", 4, ""),
        ("prices-2.parquet", 1, "0.28 (a float)"), ("prices-2.parquet", 2, "1e-09 (a float)"),
        ("prices-2.parquet", 3, "1e+16 (a float)"), ("prices-2.parquet", 4, ""),
        ("prices.parquet", 3, "infinity"), ("prices.parquet", 4, "-infinity"),
    ]  # fmt: skip


def test_what_cannot_be_seen_is_that_to_a_java_that_does_not_know_it(engine):
    names = ("endpoint", "account", "location", "snapshot", "drive", "status", "name", "problem", "is_shared")
    seen, unseen = "b\U00013440", "\u0890\u0891\U00013430\U0001343f"
    rows = [("Z", "a", "Z", f"s{character}", "", "", "", None, False) for character in seen + unseen]
    mine = apart(engine)
    mine.load("folded_samples", dict.fromkeys(names, "varchar") | {"is_shared": "boolean"}, rows)
    mine.create("staging/told_keys")
    told = mine.sql("select snapshot from told_keys where problem = 'snapshot.unseen' order by snapshot")
    assert told == [(f"s{character}",) for character in unseen]


def test_columns_that_are_called_as_ours_are_passed_over_on_both_engines(engine, tmp_path):
    ours = (
        "place",
        "number",
        "row_index",
        "row_number",
        "file_number",
        "read_s",
        "listing",
        "row_count",
        "slots",
        "_metadata",
        "_tmp_metadata_row_index",
    )
    timed = {"poll_time": "timestamptz", "allocated_size": "bigint"}
    (tmp_path / "facts" / "samples").mkdir(parents=True)
    for hour in range(2):
        rows = [sample(at(60 * hour + minute), 7 + hour * minute) | dict.fromkeys(ours, "x") for minute in (0, 5)]
        write_parquet(tmp_path / "facts" / "samples" / f"{hour}.parquet", rows, **timed)
    write_parquet(tmp_path / "facts" / "prices.parquet", [price()])
    with Twins(apart(engine), tmp_path) as twins:
        expected = twins.duckdb.ingest(tmp_path / "facts")
        assert told(twins.spark.ingest(tmp_path / "facts")) == told(expected)
        assert (expected.tables["samples"].accepted, expected.polls.accepted) == (4, 4)
        assert twins.bill(SOME_DAY)["usage"]


def test_what_decides_nothing_and_is_written_otherwise_takes_no_fact_on_either_engine(engine, tmp_path):
    bought = {"id": "1", "account": "a1", "location": "ZRH", "amount": "5", "start_time": "2026-10-01", "end_time": "2026-11-01"}
    costs = [("1", "1.50"), ("1", "1.5"), ("2", "1.50"), ("2", "1.60")]
    for number, (name, cost) in enumerate(costs):
        (tmp_path / f"{number}" / "subscriptions").mkdir(parents=True)
        write_parquet(tmp_path / f"{number}" / "subscriptions" / f"{number}.parquet", [bought | {"id": name, "price": cost}])
        (tmp_path / f"{number}" / "prices").mkdir()
        write_parquet(tmp_path / f"{number}" / "prices" / "p.parquet", [price()], price=f"decimal({2 + 9 * number}, {2 + number})")
    write_parquet(tmp_path / "samples.parquet", [sample(at(0), 7), sample(at(5), 8), sample(at(5), 9)])
    with Twins(apart(engine), tmp_path) as twins:
        places = [tmp_path / f"{number}" for number in range(4)] + [tmp_path / "samples.parquet"]
        expected = twins.duckdb.ingest(places)
        assert told(twins.spark.ingest(places)) == told(expected)
        tables = {name: (rows.accepted, rows.duplicate, rows.conflicting) for name, rows in expected.tables.items()}
        assert (tables["subscriptions"], tables["prices"], expected.contradicting) == ((2, 2, 0), (1, 3, 0), 1)
        assert [rejection.value for rejection in expected.rejections] == ["location=ZRH id=2"]
        assert twins.engine.sql("select id, price from subscriptions order by id") == [("1", "1.5"), ("2", "1.50")]
        assert twins.bill(SOME_DAY)["usage"][0]["entitled_byte_seconds"] == str(10 * 900)


def test_folders_called_like_partitions_say_nothing_on_either_engine(engine, tmp_path):
    timed = {"poll_time": "timestamptz", "allocated_size": "bigint"}
    facts = tmp_path / "account=z" / "facts"
    for minute in (0, 5):
        (place := facts / "samples" / "location=GVA" / f"allocated_size={minute}").mkdir(parents=True)
        write_parquet(place / "timed.parquet", [sample(at(minute), 1000)], **timed)
        write_parquet(place / "text.parquet", [sample(at(minute), 1000, account="b")])
    (facts / "prices" / "currency=USD").mkdir(parents=True)
    write_parquet(facts / "prices" / "currency=USD" / "x.parquet", [price()])
    with Twins(apart(engine), tmp_path) as twins:
        expected = twins.duckdb.ingest(facts)
        assert told(twins.spark.ingest(facts)) == told(expected)
        usage = twins.bill(SOME_DAY)["usage"]
    # Polls at 00:00 and 00:05, then 15 minutes held at most: 1000 bytes for 1200 seconds.
    said = [(row["account"], row["location"], row["occupied_byte_seconds"]) for row in usage]
    assert said == [("a1", "ZRH", "1200000"), ("b", "ZRH", "1200000")]
    spark = ClusterMeter(SETTINGS, apart(engine), clock=lambda: NOW)
    assert told(spark.ingest(f"file://{facts}"))[:3] == told(expected)[:3]
    assert spark.bill(SOME_DAY).document()["usage"] == usage


def test_instants_beyond_the_calendar_are_none_on_either_engine(engine, tmp_path):
    first_s, end_s = -719_162 * DAY, 2_932_897 * DAY
    texts = ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "0000-01-01"]
    rows = [sample(text, 7, account=f"t{number}") for number, text in enumerate(texts)]
    (tmp_path / "facts" / "samples").mkdir(parents=True)
    write_parquet(tmp_path / "facts" / "samples" / "text.parquet", rows)
    seconds = [first_s - 300, first_s, end_s - 1, end_s]
    times = pa.array([second * 10**6 for second in seconds] + [-(2**63)], pa.timestamp("us", tz="UTC"))
    same = {name: ["x"] * 5 for name in ("location", "account", "snapshot")} | {"allocated_size": pa.array([7] * 5, pa.int64())}
    pq.write_table(pa.table({"poll_time": times, **same}), tmp_path / "facts" / "samples" / "timed.parquet")
    with Twins(apart(engine), tmp_path) as twins:
        expected = twins.duckdb.ingest(tmp_path / "facts")
        assert told(twins.spark.ingest(tmp_path / "facts")) == told(expected)
        polls = sorted(row[0] for row in twins.spark._engine.sql("select poll_s from polls"))
    assert polls == [first_s, first_s, end_s - 1, end_s - 1]
    assert [(PurePath(one.file).name, one.line, one.reason) for one in expected.rejections] == [
        (name, line, "is no date of the calendar") for name, lines in (("text.parquet", (3, 4, 5)), ("timed.parquet", (1, 4, 5)))
        for line in lines
    ]  # fmt: skip


def test_what_is_alike_in_a_block_of_four_hours_is_one_fold_and_text_stays_rows(engine, tmp_path):
    rows = [sample(at(minute, 7), 7 if minute < 10 else 8, "s", "a") for minute in (0, 5, 10, 15, 20)]
    (tmp_path / "samples").mkdir()
    write_parquet(tmp_path / "samples" / "1.parquet", rows, poll_time="timestamptz", allocated_size="bigint")
    write_parquet(tmp_path / "samples" / "2.parquet", rows[:1])
    files, _ = find_lake_files(engine, [str(tmp_path)], SETTINGS.limits)
    assert raw_samples(engine, files) is False
    said = "select file_number, size_bytes, allocated_size, row_count, poll_s, last_poll_s, least_phase_s, greatest_phase_s, slots "
    said += "from {} order by file_number, poll_s"
    start = instant(SOME_DAY) + 7
    assert engine.sql(said.format("raw_folds")) == [
        (1, 7, None, 2, start, start + 300, 7, 7, 0b11), (1, 8, None, 3, start + 600, start + 1200, 7, 7, 0b11100),
        (2, None, "7", 1, None, None, None, None, None),
    ]  # fmt: skip
    assert [row[3] for row in engine.sql(said.format("raw_samples"))] == [1] * 6
    assert raw_samples(engine, files[:1]) is True
    assert engine.scalar("select count(*) from raw_folds") == 2


def test_running_sums_are_the_same_on_both_engines(engine):
    rows = [(key, at, 10**37 - key * at, at % 3) for key in range(3) for at in range(5)]
    columns = {"key": "bigint", "at_s": "bigint", "change": "decimal(38, 0)", "number": "bigint"}
    read = "select key, at_s, next_at_s, cast(level as varchar), cast(total as varchar) from sums order by key, at_s"
    connection = connect(":memory:", read_only=False, spill_folder=None)
    found = []
    for each in (engine, Engine(connection)):
        each.load("changes", columns, rows)
        each.accumulate("changes", "sums", by="key", along="at_s", sums={"change": "level", "number": "total"})
        found.append(each.sql(read))
    connection.close()
    assert found[0] == found[1]
    assert len(found[0]) == len(rows)


def test_a_url_is_listed_by_spark_and_held_against_its_manifest(engine, tmp_path):
    out = tmp_path / "facts"
    with metering.open(":memory:") as meter:
        meter.ingest(write_facts(tmp_path / "written", an_hour() | {"prices": [price()]}))
        meter.export("facts", out)
    files, notes = find_lake_files(engine, [f"file://{out}"], SETTINGS.limits)
    assert {file.table for file in files} == {"samples", "subscriptions", "prices", "burst_levels", "accounts"}
    assert notes == []
    (out / "prices.parquet").write_bytes((out / "prices.parquet").read_bytes() + b"\0")
    with pytest.raises(InputError, match=r"prices\.parquet is not what its manifest\.json says"):
        find_lake_files(engine, [f"file://{out}"], SETTINGS.limits)
    (out / "prices.parquet").unlink()
    with pytest.raises(InputError, match=r"lacks prices\.parquet, which its manifest\.json names"):
        find_lake_files(engine, [f"file://{out}"], SETTINGS.limits)
    with pytest.raises(InputError, match=r"nowhere cannot be read by Spark \(it is not there\)"):
        find_lake_files(engine, [f"file://{tmp_path}/nowhere"], SETTINGS.limits)


def test_a_place_that_spark_cannot_reach_gets_one_clear_line_and_what_to_do(engine):
    for scheme, connector in (("s3", "hadoop-aws"), ("s3a", "hadoop-aws"), ("gs", "gcs-connector"), ("abfss", "hadoop-azure")):
        said = (
            rf"^{scheme}://b/x cannot be read by Spark \(.*\): Spark has no connector for {scheme}://; name one in .*{connector}:V"
        )
        with pytest.raises(InputError, match=said) as error:
            find_lake_files(engine, [f"{scheme}://b/x"], SETTINGS.limits)
        assert "\n" not in str(error.value)
    for place, told in (
        ("wasbs://c@a/x", "no connector for wasbs://; name one in .*hadoop-azure:VERSION"),
        ("dbfs:/x", "no connector for dbfs://; name one in .* of metering.toml$"),
        ("S3A://b/x", "write s3a:// in small letters$"), ("s3n://b/x", "write s3a:// in its place$"),
        ("s3a:b", "write it as s3a://PLACE/FOLDER$"), ("hdfs:///x", "name the host too, as in hdfs://HOST:PORT/FOLDER$"),
        ("hdfs://127.0.0.1:1/x", "Connection refused.*: see that its host is spelled right, runs, and can be reached"),
        ("webhdfs://127.0.0.1:1/x", "Connection refused.*: see that its host is spelled right"),
        ("http://127.0.0.1:1/x", "http:// cannot list what a folder holds: copy the facts"),
        ("file://host/x", "a file:// URL names no machine: write file:///FOLDER$"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=f"^{place} cannot be read by Spark .*{told}"):
            find_lake_files(engine, [place], SETTINGS.limits)


def test_of_what_fails_on_a_machine_of_sparks_the_bottom_is_told_in_one_line(engine, tmp_path):
    place = tmp_path / "samples.parquet"
    write_parquet(place, [sample(at(0), 7, "a", "acme")])
    frame = engine.session.read.parquet(str(place))
    place.write_bytes(b"PAR1" + bytes(place.stat().st_size - 8) + b"PAR1")
    with pytest.raises(Exception, match=r"An error occurred while calling|FAILED_READ_FILE") as raised:
        frame.collect()
    said = reason_of(raised.value)
    assert "\n" not in said
    assert "An error occurred" not in said
    assert "Exception: " in said
    assert reason_of(RuntimeError("")) == "RuntimeError"
    assert reason_of(RuntimeError("one\ntwo")) == "one"


def test_sums_are_of_38_digits_and_overflow_whatever_the_properties_say(engine):
    assert SMALL["spark.sql.ansi.enabled"] == "false"
    assert engine.session.conf.get("spark.sql.ansi.enabled") == "true"
    nearly = (
        "select sum(x) as total from (select cast('99999999999999999999999999999999999998' as decimal(38, 0)) as x "
        "union all select cast({} as decimal(38, 0)) as x) as t"
    )
    total = engine.frame(nearly.format(1))
    assert total.schema["total"].dataType.simpleString() == "decimal(38,0)"
    assert total.collect()[0][0] == 10**38 - 1
    with pytest.raises(ArithmeticException, match=r"OVERFLOW|OUT_OF_RANGE"):
        engine.sql(nearly.format(2))
