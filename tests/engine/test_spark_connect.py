"""Spark Connect: the main job from the command line against a server of Spark's own, and against one that is not to be trusted.

The server runs with the settings that a user's would have, code generation included, which the other tests of Spark do without.
"""

import importlib.util
import sys

import polars as pl
import pytest
from spark_servers import PROGRAMS, QUICK, export_sample_month, free_port, run, served

CONNECT = "org.apache.spark.sql.connect.service.SparkConnectServer"


@pytest.fixture
def facts(tmp_path):
    """The sample month at a place whose name holds all that a URL might trip over, in files of three kinds, several of each."""
    place = tmp_path / "it's [1] 100% of é"
    export_sample_month(place)
    (place / "manifest.json").unlink()
    for day in (5, 6):
        file = place / "samples" / f"2026-10-{day:02}.parquet"
        pl.read_parquet(file, glob=False).with_columns(pl.col("poll_time").dt.strftime("%Y-%m-%dT%H:%M:%SZ")).write_parquet(file)
    for day in (7, 8):
        file = place / "samples" / f"2026-10-{day:02}.parquet"
        pl.read_parquet(file, glob=False).drop("name").write_parquet(file)
    return place


def test_a_connect_server_bills_the_sample_month_from_a_url_to_the_same_bytes_and_tables(facts, tmp_path):
    port = free_port()
    conf = {
        "spark.connect.grpc.binding.address": "127.0.0.1", "spark.connect.grpc.binding.port": port,
        "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1", "spark.ui.enabled": "false",
        "spark.driver.extraJavaOptions": QUICK, "spark.sql.shuffle.partitions": 2,
    }  # fmt: skip
    named = [word for name, value in conf.items() for word in ("--conf", f"{name}={value}")]
    submit = [str(PROGRAMS / "spark-submit"), "--class", CONNECT, "--master", "local[2]", *named]
    expected = run(facts, "--store", ":memory:", "--tables", "by-duckdb", folder=tmp_path)
    assert expected.returncode == 0
    with served(submit, port, tmp_path / "server.txt"):
        url = f"sc://127.0.0.1:{port}"
        found = run(f"file://{facts}", "--engine", "spark", "--master", url, "--tables", "by-spark", folder=tmp_path)
    assert (found.returncode, found.stdout) == (0, expected.stdout), found.stderr.decode()
    messages = found.stderr.decode().replace(f"file://{facts}", str(facts)).replace("by-spark", "by-duckdb")
    assert messages == expected.stderr.decode()
    tables = ("usage", "lines", "episodes", "statements")
    for name in tables:
        by_spark, by_duckdb = (tmp_path / who / f"{name}.parquet" for who in ("by-spark", "by-duckdb"))
        assert by_spark.read_bytes() == by_duckdb.read_bytes()


@pytest.mark.skipif(importlib.util.find_spec("pysail") is None, reason="pysail is not installed (pip install pysail)")
def test_pysail_is_refused_with_the_reason(facts, tmp_path):
    port = free_port()
    sail = [sys.executable, "-m", "pysail", "spark", "server", "--ip", "127.0.0.1", "--port", str(port)]
    with served(sail, port, tmp_path / "server.txt"):
        url = f"sc://127.0.0.1:{port}"
        found = run(facts, "--engine", "spark", "--master", url, folder=tmp_path)
    assert (found.returncode, found.stdout) == (1, b"")
    (line,) = found.stderr.decode().splitlines()
    reasons = (f"{url} is no engine to bill with: ", f"the Spark Connect server at {url} cannot be used (")
    assert any(reason in line for reason in reasons), "it wraps, or knows no pyspark that is so new"
