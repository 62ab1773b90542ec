"""Engines that must not be trusted, sessions that cannot start, and what both engines mean otherwise: nothing here starts Spark."""

import logging
import re
import shutil
import signal
import subprocess
import sys

import duckdb
import pytest
from py4j import java_gateway

from metering.engine import sessions
from metering.engine.probes import PROBES, assert_trusted
from metering.engine.sessions import open_session
from metering.engine.translate import to_spark
from metering.ingest.lake_hints import hint
from metering.model.errors import EngineError


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
    for master, reason in (
        ("sc://[::1]:1", r"\[::1\]:1: .*"), ("spark://[::1]:1,127.0.0.1:1", r"\[::1\]:1: .*; 127.0.0.1:1: .*"),
        ("sc://127.0.0.1:99999", "127.0.0.1:99999: Port out of range 0-65535"), ("sc://", ":15002: no host is named"),
        ("sc://[::1", r"\[::1: Invalid IPv6 URL"),
    ):  # fmt: skip
        with pytest.raises(EngineError, match=rf"no Spark answers at {re.escape(master)} \({reason}\): start it"):
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


def test_credentials_that_an_object_store_refuses_are_told_as_that():
    said = (
        "java.nio.file.AccessDeniedException: s3a://b/x: getFileStatus on s3a://b/x: (Service: S3, Status Code: 403): 403 Forbidden"
    )
    assert hint("s3a://b/x", said) == (
        "give Spark credentials that may read it, as its connector takes them (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the "
        "environment)"
    )
    denied = "org.apache.hadoop.security.AccessControlException: Permission denied: user=x, access=READ_EXECUTE, inode=/x"
    assert hint("hdfs://h:9000/x", denied) == "give Spark credentials that may read it, as its connector takes them"


# Where something listens that never answers. A process of its own: pyspark looks at what program imports it.
SILENT = """
import socket
from metering.engine import sessions
sessions._CONNECT_SECONDS = 1
with socket.create_server(("127.0.0.1", 0)) as listener:
    url = f"sc://127.0.0.1:{listener.getsockname()[1]}"
    for master in (url, f"{url}/;use_ssl=true"):
        try:
            sessions.open_session(master, {})
        except sessions.EngineError as error:
            print(str(error).replace(url, "URL"))
"""


def test_a_program_that_is_no_file_is_told_that_connect_cannot_be_loaded():
    """Pyspark ends it, with exit code 0 and a word on doctests, where pandas is newer than it knows."""
    done = subprocess.run([sys.executable, "-c", SILENT], capture_output=True, text=True, check=True)
    assert re.match(r"Spark Connect cannot be loaded by a program |.* speaks no gRPC", done.stdout)


def test_what_listens_but_is_no_connect_server_is_told_and_not_asked_for_minutes(tmp_path):
    (tmp_path / "silent.py").write_text(SILENT)
    done = subprocess.run([sys.executable, tmp_path / "silent.py"], capture_output=True, text=True, check=True)
    told = "cannot be used (something listens there, but it speaks no gRPC, or not with these parameters): name another --master"
    assert done.stdout.splitlines() == [f"the Spark Connect server at URL{way} {told}" for way in ("", "/;use_ssl=true")]
    assert done.stderr == ""


def test_of_a_java_that_does_not_start_the_reason_is_told_and_not_where_in_its_code():
    said = """WARNING: Using incubator modules: jdk.incubator.vector
Exception in thread "main" org.apache.spark.SparkException: Master must either be yarn or start with spark, k8s, or local
\tat org.apache.spark.deploy.SparkSubmit.error(SparkSubmit.scala:1068)
\tat org.apache.spark.deploy.SparkSubmit$$anon$2.error(SparkSubmit.scala:1169)
"""
    error = RuntimeError("[JAVA_GATEWAY_EXITED] Java gateway process exited before sending its port number.")
    reason = "org.apache.spark.SparkException: Master must either be yarn or start with spark, k8s, or local"
    assert sessions._reason(error, said) == reason
    launcher = "Invalid maximum heap size: -Xmxlots\nError: Could not create the Java Virtual Machine.\n"
    assert sessions._reason(error, launcher + "Error: A fatal exception has occurred. Program will exit.\n") == (
        "Invalid maximum heap size: -Xmxlots"
    )
    assert sessions._reason(error, said.splitlines()[0]) == str(error)


def test_py4j_does_not_log_in_nobodys_name(monkeypatch, tmp_path):
    """It does so of each interruption, and of a Java that is gone, with whole stack traces; both are raised too."""
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(EngineError, match="Spark needs Java"):
        open_session("local[1]", {})
    root = logging.getLogger()
    for place, is_told in ((java_gateway.__file__, False), (__file__, True)):
        record = root.makeRecord("root", logging.ERROR, place, 1, "KeyboardInterrupt while sending command.", (), None)
        assert bool(root.filter(record)) is is_told


def test_an_interruption_waits_until_java_is_reached_and_a_second_one_does_not():
    usual, steps = signal.getsignal(signal.SIGINT), []

    def started(*interruptions):
        with sessions._interrupted_afterwards():
            for number, each in enumerate(interruptions, start=1):
                signal.raise_signal(each)
                steps.append(number)

    for interruptions in ([signal.SIGINT], [signal.SIGINT, signal.SIGINT]):
        with pytest.raises(KeyboardInterrupt):
            started(*interruptions)
    assert steps == [1, 1]
    assert signal.getsignal(signal.SIGINT) is usual


def test_what_both_engines_mean_otherwise_is_put_right_in_translation():
    series = "IF((CAST(:a AS BIGINT)) <= (4), SEQUENCE(CAST(:a AS BIGINT), CAST(4 AS BIGINT)), ARRAY())"
    assert to_spark("select unnest(generate_series($a, 4)) as x", {"a": 5}) == (f"SELECT EXPLODE({series}) AS x", {"a": 5})
    assert to_spark("select regexp_matches(x, '^[0-9]+$') as y from t")[0] == r"SELECT x RLIKE '^[0-9]+\\z' AS y FROM t"
    assert to_spark("from t where $is_kept", {"is_kept": True}) == ("SELECT * FROM t WHERE :is_kept", {"is_kept": True})
