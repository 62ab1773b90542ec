"""Spark sessions: on this machine, on a cluster's master, or on a Spark Connect server; opened quietly, asked, and stopped.

What Spark's JVM has to say while it starts goes to a file; of what went wrong one line is told.
"""

import contextlib
import logging
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from metering.engine.probes import assert_trusted
from metering.engine.spark import SparkEngine, quietly, reason_of
from metering.model.errors import EngineError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_CONNECT = "sc://"
_PORTS = {"sc": 15002, "spark": 7077}
_PATIENCE_SECONDS = 5
# A server's first answer may have to wait for its garbage collector, or for a proxy's handshake.
_CONNECT_SECONDS = 30
_LEAST_JAVA = 17
_JAVA_HINT = (
    f"install Java {_LEAST_JAVA} or later (Debian: apt-get install openjdk-17-jre-headless), name it in JAVA_HOME, "
    "or name a server with --master sc://HOST"
)
_OF_SPARK = ("pyspark", "py4j", "grpc")
_PYSPARK_HINT = "pip install 'metering[spark]'"
_START_HINT = "name another --master, or mend [spark.conf] of metering.toml"
# What a JVM says besides what went wrong: where in its code, and that it ends.
_ASIDE = re.compile(r"\s*at |\s*\.\.\. \d+ more|Error: (Could not create the Java|A fatal exception has)")

# What every session relies on: overflow raises, no time zone but UTC, decimals of 38 digits that lose none.
_RULES = {
    "spark.sql.ansi.enabled": "true",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.decimalOperations.allowPrecisionLoss": "true",
    "spark.sql.caseSensitive": "true",
    # A table kept by a checkpoint carries its constraints, and reading one twice in a plan then fails: key not found (Spark 4.3).
    "spark.sql.constraintPropagation.enabled": "false",
    "spark.sql.parser.escapedStringLiterals": "false",
    "spark.sql.files.ignoreCorruptFiles": "false",
    "spark.sql.files.ignoreMissingFiles": "false",
}
_LAUNCH = {
    "spark.app.name": "metering",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
}
# On this machine alone: nothing listens for others, a shuffle has as many parts as help, and s3:// is read as s3a:// is; a
# cluster has its own idea of that.
_LAUNCH_LOCAL = {
    "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.memory": "2g",
    "spark.sql.shuffle.partitions": "8",
}


@contextlib.contextmanager
def spark_engine(master: str, conf: Mapping[str, str]) -> Iterator[SparkEngine]:
    """Open a session on a master, see that it can be trusted, and stop it afterwards.

    Args:
        master: `local[*]`, `spark://HOST:PORT`, another master that Spark knows, or `sc://HOST` for a Spark Connect server.
        conf: properties of Spark's own, above what is chosen here; the rules of arithmetic are not among what they can change.

    Raises:
        EngineError: Java or the server is missing, or its arithmetic cannot be trusted.
    """
    session = open_session(master, conf)
    try:
        engine = SparkEngine(session)
        assert_trusted(engine, f"Spark at {master}")
        yield engine
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in _OF_SPARK:
            raise
        raise EngineError(f"Spark at {master} failed ({reason_of(error)}); nothing was written: run again") from error
    finally:
        with contextlib.suppress(Exception):  # a server that is gone cannot be told
            session.stop()


def open_session(master: str, conf: Mapping[str, str]) -> "SparkSession":
    """Open a session; who opens it stops it.

    Raises:
        EngineError: Java or the server is missing.
    """
    from pyspark.sql import SparkSession  # noqa: PLC0415 -- an extra, and heavy

    _assert_answering(master)
    # It tells each overflow that a probe provokes, whole stack traces included.
    logging.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL + 1)
    # In nobody's name, and with its stack trace, py4j tells each interruption, and a Java that is gone: both are raised too.
    logging.getLogger().addFilter(_is_not_of_py4j)
    builder: Any = SparkSession.builder
    if master.startswith(_CONNECT):
        return _ruled(_connected(builder, master))
    _assert_java()
    local = _LAUNCH_LOCAL if master.startswith("local") else {}
    for name, value in {**_LAUNCH, **local, **conf, **_RULES}.items():
        builder = builder.config(name, value)
    with _interrupted_afterwards(), _stderr_aside() as said:
        try:
            return _ruled(builder.master(master).getOrCreate())
        except Exception as error:  # noqa: BLE001 -- py4j and pyspark raise what the JVM raised, or what kept it from starting
            raise EngineError(f"Spark does not start at {master} ({_reason(error, said())}): {_START_HINT}") from None


def _is_not_of_py4j(record: logging.LogRecord) -> bool:
    return Path(record.pathname).parent.name != "py4j"


def _connected(builder: Any, master: str) -> "SparkSession":
    try:
        with quietly():
            _assert_grpc(master)
            session: SparkSession = builder.remote(master).create()
            session.version  # noqa: B018 -- the first question that the server itself answers
    except ImportError as error:
        raise EngineError(f"Spark Connect needs more than is installed ({reason_of(error)}): {_PYSPARK_HINT}") from None
    except EngineError:
        raise
    except SystemExit:  # pyspark takes a program that is no file for its own doctests, which it skips where pandas is new
        raise EngineError("Spark Connect cannot be loaded by a program that is no file (python -c): run one that is") from None
    except Exception as error:  # noqa: BLE001 -- grpc raises its own
        raise EngineError(f"the Spark Connect server at {master} cannot be used ({reason_of(error)})") from None
    return session


def _assert_grpc(master: str) -> None:
    """Fail where what listens is no server of gRPC: Spark's client would ask it again and again, for many minutes."""
    import grpc  # noqa: PLC0415 -- comes with pyspark's extra, and is heavy
    from pyspark.sql.connect.client import DefaultChannelBuilder  # noqa: PLC0415

    channel = DefaultChannelBuilder(master).toChannel()
    try:
        with _stderr_aside():  # where grpc tells each handshake that fails
            grpc.channel_ready_future(channel).result(timeout=_CONNECT_SECONDS)
    except grpc.FutureTimeoutError:
        said = "something listens there, but it speaks no gRPC, or not with these parameters"
        raise EngineError(f"the Spark Connect server at {master} cannot be used ({said}): name another --master") from None
    finally:
        channel.close()


def _ruled(session: "SparkSession") -> "SparkSession":
    with quietly():  # some are old ways to say what is meant anyway
        for name, value in _RULES.items():
            session.conf.set(name, value)
    return session


def _assert_answering(master: str) -> None:
    """Fail at once where nobody listens: Spark's clients try for minutes."""
    scheme, _, rest = master.partition("://")
    if scheme not in _PORTS:
        return
    named = re.split("[/;]", rest)[0]
    hosts = [named] if scheme == "sc" else named.split(",")
    problems = []
    for host in hosts:
        shown = host.rpartition("@")[2]
        try:
            address = urlsplit(f"//{shown}")
            number = address.port or _PORTS[scheme]
            shown = shown if address.port else f"{shown.rstrip(':')}:{number}"
            if not address.hostname:
                raise ValueError("no host is named")  # noqa: TRY301 -- told as what is wrong with the others
            socket.create_connection((address.hostname, number), timeout=_PATIENCE_SECONDS).close()
        except (OSError, ValueError) as error:
            problems.append(f"{shown}: {getattr(error, 'strerror', None) or error}")
        else:
            return
    raise EngineError(f"no Spark answers at {master} ({'; '.join(problems)}): start it, or name another --master")


def _assert_java() -> None:
    home = os.environ.get("JAVA_HOME")
    program = shutil.which("java", path=os.path.join(home, "bin") if home else None)  # noqa: PTH118 -- a search path is text
    if program is None:
        place = f"in JAVA_HOME ({home})" if home else "on this machine's PATH"
        raise EngineError(f"Spark needs Java, and there is none {place}: {_JAVA_HINT}")
    done = subprocess.run([program, "-version"], capture_output=True, text=True, check=False)  # noqa: S603 -- as Spark runs it
    version = re.search(r'version "(\d+)', done.stderr + done.stdout)
    if version is None or int(version[1]) < _LEAST_JAVA:
        said = (done.stderr + done.stdout).strip().splitlines() or ["it says nothing"]
        found = f"is Java {version[1]}" if version else f"tells no version ({said[0][:200]})"
        raise EngineError(f"Spark needs Java {_LEAST_JAVA} or later, and {program} {found}: {_JAVA_HINT}")


@contextlib.contextmanager
def _interrupted_afterwards() -> Iterator[None]:
    """Let an interruption wait until Java is reached, since pyspark would leave it behind, running; a second one does not wait."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's
        return
    came: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    kept = {number: handler for number in numbers if callable(handler := signal.getsignal(number))}

    def later(number: int, _frame: object) -> None:
        came.append(number)
        restore()

    def restore() -> None:
        for each, handler in kept.items():
            if signal.getsignal(each) is later:  # pyspark's own, which ends what runs first, stays
                signal.signal(each, handler)

    for each in kept:
        signal.signal(each, later)
    try:
        yield
    finally:
        restore()
    for number in came:
        signal.raise_signal(number)


@contextlib.contextmanager
def _stderr_aside() -> "Iterator[Any]":
    """Let what is started meanwhile write its stderr to a file, and give a way to read it: a JVM's log is no message of ours."""
    with tempfile.TemporaryFile() as log:

        def said() -> str:
            log.seek(0)
            return log.read().decode(errors="replace")

        kept = os.dup(2)
        try:
            os.dup2(log.fileno(), 2)
            yield said
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _reason(error: Exception, said: str) -> str:
    lines = [line for line in said.splitlines() if not _ASIDE.match(line)]
    told = [line for line in lines if any(word in line for word in ("rror", "xception", "nvalid"))]
    return re.sub(r'^(Exception in thread "\S+"|Caused by:) ', "", told[-1].strip())[:300] if told else reason_of(error)
