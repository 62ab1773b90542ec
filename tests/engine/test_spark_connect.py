"""Spark Connect: the main job from the command line against a server of Spark's own, and against one that is not to be trusted.

The server runs with the settings that a user's would have, code generation included, which the other tests of Spark do without.
"""

import importlib.util
import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pyspark
import pytest

import metering

SAMPLE_DATA = Path(__file__).parent.parent.parent / "sample_data"
CONNECT = "org.apache.spark.sql.connect.service.SparkConnectServer"
PATIENCE_SECONDS = 300


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@contextmanager
def served(command, port, log):
    """Run a server until it is no longer needed; what it says goes to a file."""
    with log.open("wb") as said:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd=log.parent)
    try:
        ends = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                is_coming = process.poll() is None and time.monotonic() < ends
                assert is_coming, log.read_text(errors="replace")[-2_000:]
                time.sleep(0.2)
        yield f"sc://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def run(*arguments, folder):
    """Run `metering run` as a user would."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("METERING_", "SPARK_", "PYSPARK_"))}
    return subprocess.run(
        [sys.executable, "-m", "metering", "run", *map(str, arguments), "--format", "json"],
        cwd=folder, env=plain | {"HOME": str(folder)}, capture_output=True, check=False,
    )  # fmt: skip


@pytest.fixture
def facts(tmp_path):
    """The sample month as `export facts` writes it, at a place whose name holds all that a URL might trip over."""
    place = tmp_path / "it's [1] 100% of é"
    with metering.open(":memory:") as meter:
        meter.ingest(SAMPLE_DATA)
        meter.export("facts", place, period="2026-10")
    return place


def test_a_connect_server_bills_the_sample_month_from_a_url_to_the_same_bytes_and_tables(facts, tmp_path):
    port = free_port()
    submit = Path(pyspark.__file__).parent / "bin" / "spark-submit"
    conf = {
        "spark.connect.grpc.binding.address": "127.0.0.1", "spark.connect.grpc.binding.port": port,
        "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1", "spark.ui.enabled": "false",
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1", "spark.sql.shuffle.partitions": 2,
    }  # fmt: skip
    named = [word for name, value in conf.items() for word in ("--conf", f"{name}={value}")]
    expected = run(facts, "--store", ":memory:", "--tables", "by-duckdb", folder=tmp_path)
    assert expected.returncode == 0
    with served([str(submit), "--class", CONNECT, "--master", "local[2]", *named], port, tmp_path / "server.txt") as url:
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
    with served(sail, port, tmp_path / "server.txt") as url:
        found = run(facts, "--engine", "spark", "--master", url, folder=tmp_path)
    assert (found.returncode, found.stdout) == (1, b"")
    (line,) = found.stderr.decode().splitlines()
    reasons = (f"{url} is no engine to bill with: ", f"the Spark Connect server at {url} cannot be used (")
    assert any(reason in line for reason in reasons), "it wraps, or knows no pyspark that is so new"
