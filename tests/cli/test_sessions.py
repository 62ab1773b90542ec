"""Sessions at the command line: what is typed, what is printed, how it ends. Bad input gets one clear line and loses nothing."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest
from hour_facts import HOUR, an_hour, csv_bytes, sample, write_facts
from typer.main import get_command
from typer.testing import CliRunner

from metering.cli.app import app
from metering.store import Store

COMMAND = [sys.executable, "-m", "metering"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working directory with a facts directory of an hour, and no settings from outside."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("METERING_")]:
        monkeypatch.delenv(name)
    write_facts(tmp_path / "facts", an_hour())
    return tmp_path


def run(*words, **environment):
    """Run a command in this process: its exit code, what it printed, what it said."""
    ended = CliRunner(env=environment).invoke(app, list(map(str, words)))
    assert ended.exception is None or isinstance(ended.exception, SystemExit), repr(ended.exception)
    assert "Traceback" not in ended.output
    return ended.exit_code, ended.stdout, ended.stderr


def ingest(*words):
    assert run("ingest", *words)[0] == 0


NO_STORE = "metering: there is no store at metering.duckdb: `metering ingest FACTS --store metering.duckdb` makes one\n"
KNOWN = "polls are known from 2026-10-05T00:00:00Z to 2026-10-05T00:55:00Z"
WRITE = "write 2026-10, 2026-10-03 or 2026-10-01..2026-10-08"

REFUSED = [
    (["bill", "2026-11"], 1, f"nothing was observed in 2026-11: {KNOWN}"),
    (["bill", HOUR, "--account", "nobody"], 1,
     f"account 'nobody' has no usage: `metering report usage --period {HOUR}` names those that have"),
    (["bill", "2026-13"], 2, f"period '2026-13' is no date of the calendar; {WRITE}"),
    (["bill", "october"], 2, f"period 'october' is neither a month, a day nor START..END; {WRITE}"),
    (["bill", "2026-10-02..2026-10-01"], 2, "period '2026-10-02..2026-10-01' is empty: its end must come after its start"),
    (["bill", "2026-10-01T00:00:00..2026-10-02"], 2,
     f"period '2026-10-01T00:00:00..2026-10-02' has no offset: end it in Z or ±hh:mm; {WRITE}"),
    (["bill", "1969-12"], 2, "period '1969-12' begins before 1970"),
    (["bill", HOUR, "--as-of", "noon"], 2, "--as-of 'noon' is no instant such as 2026-10-01T00:00:00Z; write 2026-11-01T00:00:00Z"),
    (["bill", HOUR, "--as-of", "2026-10-05T12:00"], 2,
     "--as-of '2026-10-05T12:00' has no offset: end it in Z or ±hh:mm; write 2026-11-01T00:00:00Z"),
    (["bill", "2026-10", "--as-of", "2026-09-30"], 1,
     "2026-10 has not begun at 2026-09-30T00:00:00Z: bill an earlier period, or give --as-of"),
    (["bill", HOUR, "--known-at", "long ago"], 2,
     "--known-at 'long ago' is no instant such as 2026-10-01T00:00:00Z; give an ingest number or an instant"),
    (["bill", HOUR, "--known-at", "0"], 1, f"nothing was known of {HOUR} by then: the first polls came with ingest 1"),
    (["bill", HOUR, "--known-at", "1970-01-02T00:00:00Z"], 1,
     f"nothing was known of {HOUR} by then: the first polls came with ingest 1"),
    (["bill", HOUR, "--known-at", "99"], 2, "--known-at 99 is no ingest: the last is 1; give its number, or an instant"),
    (["export", "usage", "--period", HOUR, "--known-at", "2", "-o", "u.csv"], 2,
     "--known-at 2 is no ingest: the last is 1; give its number, or an instant"),
    (["bill", HOUR, "--known-at", "9" * 5_000], 2,
     f"--known-at {'9' * 5_000} is no ingest: the last is 1; give its number, or an instant"),
    (["report", "usage", "--period", HOUR, "--by", "colour"], 2,
     "usage cannot be reported by 'colour': choose from account, location, day, hour"),
    (["report", "usage", "--period", HOUR, "--by", "day,hour"], 2, "--by takes day or hour, not both: an hour names its day"),
    (["report", "burst", "--period", HOUR, "--by", "episode,account"], 2,
     "'episode' stands alone in --by: it already names account and location"),
    (["export", "usage", "--period", HOUR, "-o", "usage.xls"], 2,
     "usage.xls tells no format: end it in .csv, .ndjson, .parquet or .xlsx"),
    (["export", "usage", "--period", HOUR, "-o", "no/usage.csv"], 1,
     "no/usage.csv cannot be written (No such file or directory); name another place, or mend this one"),
    (["export", "facts", "-o", "facts"], 1, "facts is not empty: name a new folder, so that no facts mix"),
    (["bill", HOUR, "--config", "none.toml"], 2, "none.toml cannot be read: No such file or directory"),
    (["bill", HOUR, "--store", "facts"], 1, "facts is a directory, not a store: name a file such as facts/metering.duckdb"),
    (["bill", HOUR, "--store", "facts/samples.csv"], 1,
     "facts/samples.csv cannot be opened as a store: it is no DuckDB file; name another file, or restore it from a backup"),
]  # fmt: skip


def test_each_request_that_cannot_be_answered_gets_its_one_line(here):
    ingest(here / "facts")
    before = (here / "metering.duckdb").read_bytes()
    for words, code, line in REFUSED:
        assert run(*words) == (code, "", f"metering: {line}\n"), words
    assert (here / "metering.duckdb").read_bytes() == before
    assert sorted(path.name for path in here.iterdir()) == ["facts", "metering.duckdb"]


@pytest.mark.parametrize(
    "words", [["bill", HOUR], ["report", "usage", "--period", HOUR], ["export", "usage", "--period", HOUR, "-o", "u.csv"]]
)
def test_without_a_store_there_is_nothing_to_answer_from(here, words):
    assert run(*words) == (1, "", NO_STORE)
    assert not (here / "metering.duckdb").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["bill"], "Missing argument"),
        (["bill", HOUR, "--nonsense"], "No such option"),
        (["nonsense"], "No such command"),
        (["report", "nothing", "--period", HOUR], "'nothing' is not one of 'usage', 'burst'"),
        (["report", "usage"], "Missing option '--period'"),
        (["bill", HOUR, "--format", "xml"], "'xml' is not one of 'table', 'json', 'csv'"),
        (["export", "usage", "-o", "u.csv"], "export usage needs a period, such as --period 2026-10"),
        (
            ["export", "usage", "-o", "u.csv", "--period", HOUR, "--facts-format", "parquet"],
            "--facts-format is of exported facts; of usage, the name of the file tells the format",
        ),
        (
            ["quote", "--amount", "1GiB", "--location", "ZRH", "--currency", "CHF", "--period", "1 month", "--unit", "GB/hour"],
            "--unit is of a --price",
        ),
        (["quote", "--extend", "1", "--now", "2026-10-05T00:00:00Z"], "leave --now out"),
        (["audit", "--list", "--check"], "it lists the checks and looks at no period: give it alone"),
        (["audit", "--list", "-o", "checks.csv"], "it lists the checks and looks at no period: give it alone"),
        (["ingest"], "Missing argument"),
    ],
)
@pytest.mark.usefixtures("here")
def test_misuse_is_told_with_the_usage_and_exit_2(words, said):
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert said in " ".join(err.split())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["bill", HOUR, "--format", "xml"], "'--format': 'xml' is not one of 'table', 'json', 'csv'."),
        (["--format", "xml", "bill", HOUR], "'--format': 'xml' is not one of 'table', 'json', 'csv'."),
        (["plot", "u", "--period", HOUR, "-o", "u.png"], "'PLOT': 'u' is not one of 'usage', 'burst', 'cost'."),
        (["plot", "usage", "--period", HOUR, "-o", "u.png", "--width", "10"], "'--width': '10' is too small: 300 is the least"),
        (["plot", "usage", "--period", HOUR, "-o", "u.png", "--width", "4001"], "'--width': '4001' is too large: 4000 is the most"),
        (["forecast", "--days", "many"], "'--days': 'many' is no whole number"),
        (["forecast", "--days", "1.5"], "'--days': '1.5' is no whole number"),
        (["sandbox", "facts", "-o", "new", "--seed", "9" * 5_000], "is no whole number"),
        (["bill", HOUR, "-o", ""], "-o: it is empty, or a dot: give the name of what is to be written"),
    ],
)
@pytest.mark.usefixtures("here")
def test_a_wrong_value_is_told_on_one_line_in_plain_words(words, said):
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert err.splitlines()[-1].startswith("Error: Invalid value for ")
    assert err.splitlines()[-1].endswith(said)
    assert "Input should" not in err
    assert "Value error" not in err


FILES = [
    ("samples.csv", b"", "samples.csv is empty: it lacks even a header; restore it, or remove it"),
    ("samples.csv", b"poll_time,location,account,snapshot\n",
     "samples.csv has no column 'allocated_size', which samples need; it has poll_time, location, account, snapshot"),
    ("prices.csv", b"resource,currency\n", "prices.csv has no column 'level', which prices need; it has resource, currency"),
    ("samples.csv", csv_bytes([sample("2026-10-05T00:00:00Z", "12.0")]),
     "none of the 1 rows can be taken; the first: samples.csv line 2: allocated_size '12.0' is no whole number of bytes"),
    ("samples.csv", csv_bytes([sample("2026-10-05T00:00:00", 12)]),
     "none of the 1 rows can be taken; the first: samples.csv line 2: poll_time '2026-10-05T00:00:00' has no offset: "
     "end it in Z or ±hh:mm"),
    ("x.csv", b"a,b\n1,2\n", "x.csv fits no table of facts: neither its name nor its columns (a, b) tell; name a facts directory, "
     "or files such as samples.csv, prices.ndjson.gz, samples/day-01.parquet"),
    ("x.txt", b"a,b\n", "x.txt has no format of facts: its name must end in .csv, .ndjson, .jsonl or .parquet (.gz, .zst)"),
    ("samples.csv", "poll_time,location".encode("utf-16"), "samples.csv is no UTF-8 text: save it as CSV UTF-8, or write it again"),
    ("samples.parquet", b"no parquet", None),
    ("samples.csv.gz", b"no gzip", None),
    ("samples.csv.zst", b"no zstd", None),
]  # fmt: skip


@pytest.mark.parametrize("command", ["ingest", "run"])
@pytest.mark.parametrize(("name", "content", "line"), FILES, ids=range(len(FILES)))
def test_facts_that_cannot_be_read_are_told_in_one_line_and_nothing_is_lost(here, command, name, content, line):
    ingest(here / "facts")
    (here / name).write_bytes(content)
    code, out, err = run(command, name)
    assert (code, out) == (1, "")
    if line is None:
        assert re.fullmatch(rf"metering: {re.escape(name)} .+\n", err)
    else:
        assert err == f"metering: {line}\n"
    assert json.loads(run("bill", HOUR)[1])["usage"], "the store is as it was"


def test_an_ingest_prints_what_became_of_the_rows_and_says_what_was_wrong(here):
    (here / "samples.csv").write_bytes(
        csv_bytes([sample("2026-10-05T00:00:00Z", 5, colour="red"), sample("2026-10-05T00:05:00Z", "x", colour="red")])
    )
    assert run("ingest", "samples.csv", "--format", "csv") == (
        0,
        "table,accepted,duplicate,conflicting,rejected,ignored\npolls,1,0,0,1,0\nsamples,1,0,0,1,0\n",
        "note: samples.csv: the column 'colour' is no column of samples and is ignored\n"
        "rejected: samples.csv line 3: allocated_size 'x' is no whole number of bytes\n",
    )
    code, out, err = run("ingest", "samples.csv", "--format", "csv", "-q")
    assert (code, out.splitlines()[1:], err) == (0, ["polls,0,1,0,1,0", "samples,0,1,0,1,0"], "")


@pytest.mark.usefixtures("here")
def test_an_ingest_as_json_is_one_document():
    document = json.loads(run("ingest", "facts", "--format", "json")[1])
    assert (document["ingest_seq"], document["rejections"], document["notes"]) == (1, [], [])
    assert document["tables"]["samples"] == {"accepted": 47, "duplicate": 0, "conflicting": 0, "rejected": 0, "ignored": 0}
    code, out, err = run("ingest", "facts", "--format", "json")
    assert (code, json.loads(out)["ingest_seq"], err) == (0, None, "nothing new: metering.duckdb is as it was\n")


def test_strict_and_supersede_do_what_they_say(here):
    ingest(here / "facts")
    (here / "other.csv").write_bytes(csv_bytes([sample("2026-10-05T00:00:00Z", 1, "x", "b", "GVA", endpoint="GVA")]))
    code, out, err = run("ingest", "other.csv", "--strict")
    assert (code, out) == (1, "")
    assert err.startswith("metering: nothing was taken, as --strict asks: 0 rejected rows and 1 conflicting poll")
    assert run("ingest", "other.csv")[2] == (
        "conflicting: 1 poll that came with two different contents: the first stays; --supersede replaces it\n"
    )
    twice = [sample("2026-10-05T00:01:00Z", size, "x", "b", "GVA", endpoint="GVA") for size in (1, 2)]
    (here / "twice.csv").write_bytes(csv_bytes(twice))
    assert run("ingest", "twice.csv")[2] == (
        "conflicting: 1 poll of which this command brings two different contents: neither is taken; leave one of them out\n"
    )
    assert run("ingest", "other.csv", "--supersede", "--format", "csv")[1].splitlines()[1] == "polls,1,0,0,0,0"


@pytest.mark.usefixtures("here")
def test_run_is_ingest_and_bill_in_one_and_gives_the_same_bytes_again_and_as_bill_does():
    code, first, err = run("run", "facts", "--period", HOUR)
    assert (code, err) == (0, "")
    assert run("run", "facts", "--period", HOUR, "-q")[1] == first == run("bill", HOUR)[1]
    assert run("--store", ":memory:", "--format", "json", "run", "facts", "--period", HOUR)[1] == first
    assert run("bill", HOUR, "--known-at", "1")[1] == run("bill", HOUR, "--known-at", "2999-01-01T00:00:00Z")[1] == first


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["--period", "2026-13"], f"period '2026-13' is no date of the calendar; {WRITE}"),
        (["--as-of", "noon"], "--as-of 'noon' is no"),
    ],
)
def test_run_reads_what_it_is_asked_before_it_takes_facts_in_or_starts_an_engine(here, asked, said):
    for engine in ("duckdb", "spark"):
        code, out, err = run("run", "facts", *asked, "--engine", engine, JAVA_HOME=str(here))
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert err.startswith(f"metering: {said}")
    assert not (here / "metering.duckdb").exists()


@pytest.mark.parametrize("engine", ["duckdb", "spark"])
@pytest.mark.parametrize(
    ("tables", "said"),
    [("a-file", "File exists"), ("a-file/below", "Not a directory"), ("/proc/nowhere", "No such file or directory")],
)
def test_a_place_that_tables_cannot_have_is_refused_before_facts_are_taken_in(here, engine, tables, said):
    (here / "a-file").touch()
    refused = run("run", "facts", "--tables", tables, "--engine", engine, JAVA_HOME=str(here))
    assert refused == (1, "", f"metering: {tables} cannot be written ({said}): name another place\n")
    assert not (here / "metering.duckdb").exists()


NO_PARQUET = (
    "the spark engine reads Parquet facts, and facts/accounts.csv is none (5 such files): make them with `metering export facts`"
)


@pytest.mark.parametrize(
    ("facts", "said"), [("nowhere", "nowhere is not there: name a"), ("empty", "no facts in empty: name a"), ("facts", NO_PARQUET)]
)
def test_facts_that_are_not_there_are_told_before_spark_is_started(here, facts, said):
    (here / "empty").mkdir()
    code, out, err = run("run", facts, "s3a://bucket/facts", "--engine", "spark", JAVA_HOME=str(here))
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(f"metering: {said}")


def test_what_spark_lacks_on_this_machine_is_told_in_one_line(here):
    export_hour(here / "parquet")
    code, out, err = run("run", "parquet", "--engine", "spark", JAVA_HOME=str(here))
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(f"metering: Spark needs Java, and there is none in JAVA_HOME ({here}): install Java 17 or later")


@pytest.mark.parametrize("missing", [["sqlglot"], ["pyarrow"], ["pyspark", "pyarrow", "sqlglot"]], ids=" ".join)
def test_without_the_extra_of_spark_what_to_install_is_told(here, missing):
    """A process of its own, for what needs a library is loaded once; that of the test knows them all."""
    blocked = (
        f"import sys; sys.modules.update(dict.fromkeys({missing})); sys.argv[0] = 'metering'; from metering.cli import main; main()"
    )
    command = [sys.executable, "-c", blocked, "run", "facts", "--engine", "spark"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=here)
    said = f"metering: the spark engine is not installed ({', '.join(missing)} missing): pip install 'metering[spark]'\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", said)


def test_an_interruption_on_spark_speaks_of_no_store(here, monkeypatch):
    @contextlib.contextmanager
    def interrupted(_settings):
        raise KeyboardInterrupt
        yield

    export_hour(here / "parquet")
    monkeypatch.setattr("metering.cluster.open_cluster", interrupted)
    assert run("run", "parquet", "--engine", "spark") == (130, "", "metering: interrupted; nothing was kept\n")


def export_hour(folder):
    ingest("facts", "--store", "exported.duckdb")
    assert run("export", "facts", "--store", "exported.duckdb", "-o", folder)[0] == 0


@pytest.mark.usefixtures("here")
def test_run_without_a_period_bills_the_last_month_in_the_facts():
    code, out, err = run("run", "facts")
    assert (code, json.loads(out)["period"]["start"]) == (0, "2026-10-01T00:00:00Z")
    assert "billing 2026-10, of which the facts do not reach the end" in err


def test_check_exits_3_where_there_is_something_to_find_and_0_where_not(here):
    ingest(here / "facts")
    code, out, _ = run("bill", HOUR, "--check")
    assert (code, bool(json.loads(out)["findings"])) == (3, True)
    ten_minutes = "2026-10-05T00:00:00Z..2026-10-05T00:10:00Z"
    code, out, _ = run("bill", ten_minutes, "--account", "00123", "--check")
    assert (code, json.loads(out)["findings"]) == (0, [])


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("METERING_CYCLE", "often", "cycle (in metering.toml, or METERING_CYCLE): "),
        ("METERING_CYCLE", "0", "cycle (in metering.toml, or METERING_CYCLE): "),
        ("METERING_CYCLE", "300.5", "cycle (in metering.toml, or METERING_CYCLE): "),
        ("METERING_MAX_HOLD", "10", "metering.toml or the environment: max_hold is 10 s, less than the cycle of 300 s"),
        ("METERING_THREADS", "0", "threads (in metering.toml, or METERING_THREADS): "),
        ("METERING_MEMORY", "lots", "memory (in metering.toml, or METERING_MEMORY): "),
        ("METERING_STORE_WAIT", "-1", "store_wait (in metering.toml, or METERING_STORE_WAIT): "),
    ],
)
@pytest.mark.usefixtures("here")
def test_a_setting_that_makes_no_sense_is_misuse(name, value, said):
    code, out, err = run("bill", HOUR, **{name: value})
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"metering: {said}")


def test_settings_come_from_the_file_and_above_it_from_the_environment_and_the_option(here):
    for name in ("a", "b", "c"):
        ingest("facts", "--store", f"{name}.duckdb")
    (here / "metering.toml").write_text('store = "none.duckdb"\n')
    assert run("bill", HOUR)[0] == 1
    (here / "metering.toml").write_text('store = "a.duckdb"\nmax_hold = 300\n')
    from_file = json.loads(run("bill", HOUR)[1])
    assert sum(row["held_seconds"] for row in from_file["usage"]) == 0
    assert json.loads(run("bill", HOUR, METERING_MAX_HOLD="900", METERING_STORE="b.duckdb")[1]) != from_file
    assert run("bill", HOUR, "--store", "c.duckdb", METERING_STORE="none.duckdb")[0] == 0
    assert run("bill", HOUR, METERING_STORE="", METERING_CYCLE="")[0] == 0, "what is empty says nothing"


def test_a_quote_says_where_its_location_is_none_that_is_known(here):
    words = ["quote", "--amount", "100GiB", "--period", "1 year", "--price", "0.105", "--now", "2026-10-01T12:00:00Z", "--location"]
    known, typed = run(*words, "ZRH"), run(*words, "ZHR")
    assert (known[0], known[2]) == (0, "")
    assert typed[0] == 0
    assert typed[1] == known[1].replace("ZRH", "ZHR")
    assert typed[2] == "note: ZHR is none of the locations that are known (CWL, DUB, FRA, GVA, LON, ZRH); is it spelled right?\n"
    (here / "metering.toml").write_text('locations = ["ZHR"]')
    assert run(*words, "ZHR")[2] == ""


@pytest.mark.usefixtures("here")
def test_a_quote_on_a_terminal_can_be_read():
    words = ["quote", "--amount", "1100GiB", "--period", "1 year", "--price", "0.108", "--currency", "CHF", "--format", "table"]
    told = [" ".join(line.split()) for line in run(*words, "--location", "ZRH", "--now", "2026-10-01T12:00:00Z")[1].splitlines()]
    assert told[0] == "Purchase: 1,100.00 GiB (1,181,116,006,400 bytes) of backup in ZRH"
    # 1,100 GiB for 365 / 30 months at 0.108, and a quarter less
    assert any(line.startswith("1,181,116,006,400 bytes × ") and line.endswith(" 1,445.40 CHF") for line in told)
    assert {"discount of 25 % 361.35 CHF", "to be paid 1,084.05 CHF"} <= {*told}


OUTPUTS = [
    ["bill", HOUR], ["report", "usage", "--period", HOUR], ["report", "html", "--period", HOUR], ["audit", "--period", HOUR],
    ["export", "statement", "--period", HOUR], ["export", "focus", "--period", HOUR], ["export", "facts"], ["explain", "x"],
    ["plot", "usage", "--period", HOUR], ["advise"], ["forecast"], ["reconcile", "--ledger", "x"], ["sandbox", "facts"],
]  # fmt: skip


@pytest.mark.parametrize("words", OUTPUTS, ids=" ".join)
def test_a_file_to_write_is_never_called_like_stdout(here, words):
    before = sorted(here.iterdir())
    code, out, err = run(*words, "-o", "-")
    assert (code, out) == (2, "")
    assert (
        err.splitlines()[-1]
        == "Error: Invalid value for -o: - names no file: give a name, or leave -o out where a command can print"
    )
    assert sorted(here.iterdir()) == before


def test_every_command_that_writes_a_file_is_asked_for_stdout_above():
    def commands(group, names=()):
        for name, command in getattr(group, "commands", {}).items():
            yield from commands(command, (*names, name))
        if any("-o" in parameter.opts for parameter in group.params):
            yield names

    assert {(*words[:1],) if words[0] != "sandbox" else (*words[:2],) for words in OUTPUTS} == set(commands(get_command(app)))


@pytest.mark.parametrize("text", ["cycle = ", "colour = 1", 'cycle = "often"', "\xff"])
def test_a_settings_file_that_makes_no_sense_is_misuse(here, text):
    (here / "metering.toml").write_bytes(text.encode("latin-1"))
    code, out, err = run("bill", HOUR)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "metering.toml" in err


def test_text_from_outside_moves_no_terminal(here):
    evil = "\x1b[2J\x1b]0;owned\x07\u202e"
    facts = an_hour()
    facts["accounts"] = [row | {"name": f"{evil}{row['name']}"} for row in facts["accounts"]]
    facts["samples"] = [row | {"name": evil, "status": evil} for row in facts["samples"]]
    facts["samples"].append(sample("2026-10-05T00:00:00Z", evil, "s", "00123", "ZRH", endpoint="ZRH"))
    facts["prices"].append(facts["prices"][0] | {"price": evil})
    folder = write_facts(here / f"evil{evil[:4]}", facts)
    (folder / f"accounts-{evil[:4]}.csv").write_bytes(csv_bytes([{"account": "z", "currency": "CHF", "name": "", evil: ""}]))
    shown = "".join("".join(run(*words, "-v")[1:]) for words in (
        ["run", folder, "--period", HOUR, "--format", "table"],
        ["report", "snapshots", "--period", HOUR, "--format", "table"],
        ["report", "statement", "--period", HOUR, "--format", "table"],
        ["ingest", folder, "--strict"],
        ["bill", HOUR, "--account", evil],
        ["bill", evil],
        ["report", "usage", "--period", HOUR, "--by", evil],
        ["ingest", here / f"{evil}.csv"],
    ))  # fmt: skip
    assert "owned" in shown
    assert not set(shown) & {"\x1b", "\x07", "\u202e", "\x9b"}


def test_a_newer_store_is_told_and_left_alone(here):
    ingest("facts")
    connection = duckdb.connect("metering.duckdb")
    connection.execute("update store_info set value = '99' where key = 'schema_version'")
    connection.close()
    before = (here / "metering.duckdb").read_bytes()
    for words in (["bill", HOUR], ["ingest", "facts"], ["run", "facts"]):
        code, out, err = run(*words)
        assert (code, out) == (1, "")
        assert re.fullmatch(r"metering: metering\.duckdb is a store of version 99, .*: update metering\n", err)
    assert (here / "metering.duckdb").read_bytes() == before


@pytest.mark.parametrize("words", [["bill", HOUR], ["report", "usage", "--period", HOUR, "--format", "csv"], ["--help"]])
@pytest.mark.usefixtures("here")
def test_a_reader_that_goes_away_gets_no_message(words):
    ingest("facts")
    read, write = os.pipe()
    process = subprocess.Popen([*COMMAND, *words], stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    os.close(read)
    assert process.communicate(timeout=120)[1] == b""
    assert process.returncode == 141


def sleeps(process_id):
    """Tell whether a process sleeps nearly all of a second, as one does that waits; one that is starved is still to be run."""
    states = []
    for _ in range(20):
        states.append(Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0])
        time.sleep(0.05)
    return states.count("S") > 17


@pytest.mark.usefixtures("here")
def test_ctrl_c_ends_a_command_that_waits_in_one_line():
    ingest("facts")
    with Store("metering.duckdb").writing():
        process = subprocess.Popen([*COMMAND, "bill", HOUR], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while "duckdb" not in Path(f"/proc/{process.pid}/maps").read_text() or not sleeps(process.pid):
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    assert (process.returncode, out, err) == (130, "", "metering: interrupted; the store is as it was before\n")


def test_ctrl_c_in_the_middle_of_a_query_leaves_the_store_as_it_was(here, monkeypatch):
    ingest("facts")
    before = json.loads(run("bill", HOUR)[1])

    def interrupted(*_arguments, **_options):
        raise RuntimeError("Query interrupted")  # what DuckDB makes of the signal

    with monkeypatch.context() as patch:
        patch.setattr("metering.ingest.ingest.write_samples", interrupted)
        (here / "more.csv").write_bytes(csv_bytes([sample("2026-10-05T00:00:00Z", 5, account="new")]))
        assert run("ingest", "more.csv") == (130, "", "metering: interrupted; the store is as it was before\n")
    assert json.loads(run("bill", HOUR)[1]) == before


@pytest.mark.usefixtures("here")
def test_every_command_has_help_with_an_example():
    names = re.findall(r"^  ([a-z]+) ", run("--help")[1].partition("Commands:")[2], re.MULTILINE)
    assert {"run", "ingest", "bill", "report", "export"} <= set(names)
    for name in names:
        code, out, err = run(name, "--help")
        assert (code, err) == (0, "")
        assert "xample" in out or "COMMAND" in out, name
    assert re.fullmatch(r"metering [0-9.]+\n", run("--version")[1])
