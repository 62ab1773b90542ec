"""Spark gives the same bytes as DuckDB, from the same Parquet facts, by the same queries; and is asked before it is trusted.

One session serves all tests here, because it takes long to start.
"""

import json
import shutil
from collections import defaultdict

import duckdb
import pytest
from fact_files import write_tables
from hour_facts import HOUR, an_hour, at, price, sample, write_facts
from worlds import World

import metering
from metering import Meter
from metering.cluster import ClusterMeter, open_cluster
from metering.config import Settings
from metering.engine.probes import PROBES, assert_trusted
from metering.engine.sessions import open_session
from metering.engine.translate import to_spark
from metering.model.errors import EngineError, InputError, NoDataError

NOW = 1_900_000_000
FAR = "2030-01-01T00:00:00Z"
# A few rows are not worth compiling each plan for, nor planning it twice.
SMALL = {"spark.sql.shuffle.partitions": "1", "spark.sql.codegen.wholeStage": "false", "spark.sql.adaptive.enabled": "false"}
SETTINGS = Settings(store=":memory:", spark={"master": "local[2]", "conf": SMALL})


@pytest.fixture(scope="module")
def engine():
    with open_cluster(SETTINGS) as cluster:
        yield cluster._engine


@pytest.fixture
def cluster(engine):
    """A meter on Spark that knows no facts yet."""
    return ClusterMeter(SETTINGS, engine, clock=lambda: NOW)


def told(outcome):
    rows = {table: [getattr(rows, word) for word in rows.__slots__] for table, rows in outcome.tables.items()}
    polls = [getattr(outcome.polls, word) for word in outcome.polls.__slots__]
    return outcome.ingest_seq, rows, polls, [rejection.text for rejection in outcome.rejections], outcome.notes


def bill_text(meter, period, **options):
    try:
        return json.dumps(meter.bill(period, **options).document())
    except NoDataError as error:
        return f"no data: {str(error).partition(':')[0]}"


def assert_alike(cluster, ingests, questions):
    """Give both engines the same facts and the same questions; tells how many findings and lines they agreed on."""
    agreed = defaultdict(int)
    with Meter(SETTINGS, clock=lambda: NOW) as meter:
        for place, supersede in ingests:
            expected = meter.ingest(place, supersede=supersede)
            assert told(cluster.ingest(place, supersede=supersede)) == told(expected)
            for word in expected.polls.__slots__:
                agreed[word] += getattr(expected.polls, word)
        assert cluster.last_full_month() == meter.last_full_month()
        for period, options in questions:
            expected = bill_text(meter, period, **options)
            assert bill_text(cluster, period, **options) == expected
            for part, rows in json.loads(expected).items() if expected.startswith("{") else ():
                agreed[part] += len(rows)
    return agreed


def test_a_hostile_world_gives_the_same_bytes_and_the_same_rejections(cluster, tmp_path):
    world = next(world for world in map(World.random, range(100)) if all(name in world.tables for name in ("samples", "prices")))
    broken = [
        sample(at(0), -1, "negative", "broken"), sample(at(5), "12\n", "a line end", "broken"),
        sample(at(10), "9" * 40, "large", "broken"), sample("2026-02-30T00:00:00Z", 1, "no date", "broken"),
        sample("2026-10-05 00:20:00", 1, "no offset", "broken"), sample(at(25), 7, "a\u202eb", "broken"),
        sample(at(30), 7, "whole", "broken"), sample(at(30), 7, "whole", "broken"), sample(at(35), 7, "twice", "broken"),
        sample(at(35), 8, "twice", "broken"),
    ]  # fmt: skip
    tables = {name: rows for name, rows in world.tables.items() if name != "captures"}
    texts = [{name: str(value) for name, value in row.items()} for row in broken]
    place = write_tables(tmp_path / "facts", tables | {"samples": tables["samples"] + texts}, "parquet", parts=3)
    agreed = assert_alike(cluster, [(place, False)], [("2026-10", {"as_of": FAR})])
    assert agreed["rejected"] > 0


def test_exported_facts_are_read_from_a_url(cluster, tmp_path):
    out = tmp_path / "it's [1] 100% of é"
    with metering.open(":memory:") as meter:
        meter.ingest(write_facts(tmp_path / "facts", an_hour() | {"prices": [price()]}))
        meter.export("facts", out)
        expected = bill_text(meter, HOUR)
    outcome = cluster.ingest(f"file://{out}")
    assert outcome.rejections == []
    assert bill_text(cluster, HOUR) == expected


def test_facts_that_are_no_parquet_are_refused(cluster, tmp_path):
    facts = write_facts(tmp_path / "facts", an_hour())
    with pytest.raises(InputError, match=r"reads Parquet facts, and .* is none .*make them with `metering export facts`"):
        cluster.ingest(facts)


class Wrapping:
    """An engine whose bigints wrap in silence, as pysail's were seen to."""

    def scalar(self, sql):
        value = duckdb.sql(sql.replace("as bigint", "as hugeint")).fetchall()[0][0]
        return (int(value) + 2**63) % 2**64 - 2**63


class Deaf:
    def scalar(self, sql):
        raise RuntimeError(f"no such function in {sql[:6]}")


def test_an_engine_that_wraps_or_does_not_answer_is_refused_with_that_reason():
    wraps = r"sc://x is no engine to bill with: the sum of 2\^63 - 1 and 1 as bigints is -9223372036854775808 there, where it must"
    with pytest.raises(EngineError, match=wraps):
        assert_trusted(Wrapping(), "sc://x")
    with pytest.raises(EngineError, match=r"it cannot tell the sum of .* \(no such function in select\)"):
        assert_trusted(Deaf(), "sc://x")
    assert sum(probe.answer is None for probe in PROBES) >= 6


def test_a_missing_java_or_server_gets_one_clear_line(monkeypatch, tmp_path):
    for master in ("sc://127.0.0.1:1", "spark://127.0.0.1:1"):
        with pytest.raises(EngineError, match=rf"no Spark answers at {master} \(127.0.0.1:1: .*\): start it, or name another"):
            open_session(master, {})
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineError, match="Spark needs Java, and there is none on this machine's PATH: install Java 17 or later"):
        open_session("local[1]", {})
    old = tmp_path / "java"
    old.write_text(f"#!{shutil.which('sh', path='/bin:/usr/bin')}\necho 'openjdk version \"11.0.2\"' >&2\n")
    old.chmod(0o755)
    with pytest.raises(EngineError, match=r"Spark needs Java 17 or later, and .*java is Java 11"):
        open_session("local[1]", {})


def test_what_both_engines_mean_otherwise_is_put_right_in_translation():
    series = "IF((CAST(:a AS BIGINT)) <= (4), SEQUENCE(CAST(:a AS BIGINT), CAST(4 AS BIGINT)), ARRAY())"
    assert to_spark("select unnest(generate_series($a, 4)) as x", {"a": 5}) == (f"SELECT EXPLODE({series}) AS x", {"a": 5})
    assert to_spark("select regexp_matches(x, '^[0-9]+$') as y from t")[0] == r"SELECT x RLIKE '^[0-9]+\\z' AS y FROM t"
    assert to_spark("from t where $is_kept", {"is_kept": True}) == ("SELECT * FROM t WHERE :is_kept", {"is_kept": True})
