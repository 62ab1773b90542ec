"""`metering collect` as a user meets it: settings, passwords, what it prints, and how it exits."""

import gzip
import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from collect_help import Rig
from sandbox_help import START_S, running, small_world, with_snapshots
from typer.testing import CliRunner

from metering.cli.app import app
from metering.config import load_settings


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def sandbox():
    world = small_world(locations=("ZRH", "GVA"))
    with_snapshots(world, 2)
    with running(world) as served:
        yield served


@pytest.fixture
def rig(tmp_path, sandbox):
    sandbox.faults.clear()
    sandbox.advance(300)
    return Rig(tmp_path, sandbox, attempts=1)


def test_init_writes_settings_that_can_be_read_and_never_overwrites_them(tmp_path):
    path = tmp_path / "metering.toml"
    assert run("collect", "--init", "--config", path).exit_code == 0
    settings = load_settings(path)
    assert settings.endpoints["ZRH"].url == "https://zrh.cloudsigma.com/api/2.0/"
    assert settings.collect == type(settings.collect)()  # the values shown are those that count anyway
    before = path.read_text()
    again = run("collect", "--init", "--config", path)
    assert (again.exit_code, "is there already" in again.stderr) == (1, True)
    assert path.read_text() == before


def test_once_prints_one_line_and_exits_0(rig):
    done = run("collect", "--once", "--format", "table", "--config", rig.config)
    assert done.exit_code == 0, done.stderr
    (line,) = done.stdout.splitlines()
    assert "4 polls, 2 samples, " in line
    assert ", 0 failures, " in line


def test_a_cycle_as_json_is_one_line_that_a_program_can_read(rig):
    rig.sandbox.faults.add("status", value=401, location="GVA")
    done = run("collect", "--format", "json", "--config", rig.config)
    assert done.exit_code == 1
    document = json.loads(done.stdout)
    assert (document["polls"], document["samples"], document["waiting_files"]) == (2, 2, 0)
    assert {failure["cause"] for failure in document["failures"]} == {"credential"}
    assert "failed: GVA" in done.stderr


def test_a_backfill_says_what_it_filled_and_what_it_could_not(tmp_path):
    world = small_world(locations=("ZRH", "GVA"))
    with_snapshots(world, 2)
    world.advance_to(START_S + 3_000)
    with running(world) as served:
        rig = Rig(tmp_path, served, attempts=1)
        rig.collect()
        served.advance(3_000)
        rig.collect()
        served.faults.add("status", value=503, location="GVA", path="/usage/", account="ben@example.com")
        words = ("collect", "--backfill", "2026-10-01T00:50:00Z..2026-10-01T01:40:00Z", "--config", rig.config)
        done = run(*words, "--format", "json")
        # Of Ann's 9 cycles between the two polls, at both endpoints; of Ben's nothing, for half of what was his is not known.
        assert (done.exit_code, json.loads(done.stdout)["polls"]) == (1, 18)
        assert done.stderr == "failed: GVA Ben Inc usage: refused: HTTP 503 concurrency\n"
        served.faults.clear()
        done = run(*words, "--format", "table")
        assert done.exit_code == 0
        assert done.stderr == (
            "Ben Inc at GVA, ZRH: the provider has no sample of it in a gap, which stays: nothing was stored, or nobody looked\n"
        )
        assert done.stdout == "2 gaps, 1 h 39 min 58 s (5,998 s) in all: 0 polls of 0 samples made, 0 failures\n"


def test_metrics_are_written_for_prometheus(rig, tmp_path):
    rig.sandbox.faults.add("status", value=401, location="GVA")
    path = tmp_path / "metering.prom"
    run("collect", "--metrics", path, "--config", rig.config)
    # Whoever exports them is somebody else.
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    text = path.read_text()
    assert 'metering_polls_total{endpoint="ZRH"} 2.0' in text
    assert 'metering_failures_total{cause="credential",endpoint="GVA",resource="remotesnapshots"} 2.0' in text
    assert [name.name for name in tmp_path.iterdir() if name.name.startswith("metering.prom")] == ["metering.prom"]


def test_an_output_that_is_full_costs_no_poll_and_is_told(rig):
    words = [sys.executable, "-m", "metering", "collect", "--format", "table", "--config", str(rig.config)]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "metering: what was collected is kept, but the output cannot be written: No space left on device\n"
    assert rig.rows("select count(*) from polls") == [(4,)]  # two locations, two accounts


def test_a_log_that_is_full_stops_no_collector(rig):
    words = [sys.executable, "-m", "metering", "collect", "--every", "1s", "--format", "table", "--config", str(rig.config)]
    polled = rig.folder / "spool"
    with Path("/dev/full").open("w") as full:
        process = subprocess.Popen(words, stdout=full, stderr=full)
        try:
            for _ in range(2):
                known = set(polled.rglob("*.capture.ndjson.gz"))
                while set(polled.rglob("*.capture.ndjson.gz")) <= known:
                    assert process.poll() is None, "it ended"
                    rig.sandbox.advance(1)
                    time.sleep(0.05)
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=30) == 1
        finally:
            process.kill()


NOT_TAKEN = {"set aside": b"torn", "rejected": gzip.compress(b"no poll\n")}


@pytest.mark.parametrize("told", NOT_TAKEN)
def test_evidence_that_cannot_be_taken_is_a_failure_although_all_was_polled(rig, told):
    run("collect", "--config", rig.config)
    (rig.folder / "spool" / "new" / "20260101T000000000000-1-000001.capture.ndjson.gz").write_bytes(NOT_TAKEN[told])
    rig.sandbox.advance(300)
    done = run("collect", "--format", "json", "--config", rig.config)
    assert done.exit_code == 1
    document = json.loads(done.stdout)
    assert (document["polls"], document["failures"], document["waiting_files"], document["not_taken"]) == (4, [], 0, 1)
    assert (told in done.stderr, len(done.stderr.splitlines())) == (True, 1)
    rig.sandbox.advance(300)
    assert run("collect", "--config", rig.config).exit_code == 0, "what was told once is over"


def test_metrics_that_cannot_be_written_stop_nothing(rig, tmp_path):
    done = run("collect", "--metrics", tmp_path / "nowhere" / "metering.prom", "--config", rig.config)
    assert done.exit_code == 0
    assert "cannot be written" in done.stderr


def test_check_says_what_works_and_exits_3_where_something_does_not(rig):
    done = run("collect", "--check", "--format", "json", "--config", rig.config)
    assert done.exit_code == 0, done.stdout
    assert {(row["endpoint"], row["result"], row["snapshots"]) for row in json.loads(done.stdout)} == {
        ("ZRH", "works", 2), ("ZRH", "works", 0), ("GVA", "works", 0),
    }  # fmt: skip
    rig.sandbox.faults.add("status", value=401, location="GVA")
    done = run("collect", "--check", "--format", "json", "--config", rig.config)
    assert done.exit_code == 3
    assert {row["endpoint"]: row["result"] for row in json.loads(done.stdout)} == {"ZRH": "works", "GVA": "credential"}
    assert not (rig.folder / "spool").exists()


def test_check_finds_a_login_that_belongs_to_another_account(rig):
    text = rig.config.read_text()
    first, second = rig.world.accounts
    rig.config.write_text(text.replace(first, "x" * 36).replace(second, first).replace("x" * 36, second))
    done = run("collect", "--check", "--format", "json", "--config", rig.config)
    assert done.exit_code == 3
    assert all("another account" in row["detail"] for row in json.loads(done.stdout))


def test_a_password_file_that_others_may_read_is_refused_and_the_others_are_polled(rig):
    (rig.folder / "password-0").chmod(0o644)
    done = run("collect", "--format", "json", "--config", rig.config)
    assert done.exit_code == 1
    assert json.loads(done.stdout)["polls"] == 2
    assert "may be read by others: chmod 600" in done.stderr
    assert "ann's secret" not in done.output


def test_a_login_that_fails_everywhere_is_told_once_and_prices_are_had_with_another(rig):
    (rig.folder / "password-0").write_text("forgotten\n")
    done = run("collect", "--format", "table", "--config", rig.config)
    assert done.exit_code == 1
    assert ", 2 failures, " in done.stdout
    (told,) = done.stderr.splitlines()
    assert told == (
        "failed: GVA, ZRH Ann AG: credential: HTTP 401 permission: the login was refused: are its username and password right?"
    )
    assert rig.rows("select count(*) from prices") == [(12,)]  # 2 currencies at 3 levels in 2 locations
    assert {row[0] for row in rig.rows("select resource from poll_notes")} == {"remotesnapshots"}
    every = run("collect", "--format", "table", "-v", "--config", rig.config)
    assert len(every.stderr.splitlines()) == 2


def test_a_location_that_is_gone_is_told_once_for_all_accounts(rig):
    rig.config.write_text(rig.config.read_text().replace(rig.sandbox.endpoint("GVA"), "http://127.0.0.1:1/api/2.0/"))
    done = run("collect", "--format", "table", "--config", rig.config)
    gone = "unreachable: no connection to 127.0.0.1:1 (nobody answers there)"
    assert sorted(done.stderr.splitlines()) == [
        f"failed: GVA Ann AG discount: {gone}", f"failed: GVA Ann AG pricing: {gone}", f"failed: GVA Ann AG, Ben Inc: {gone}",
    ]  # fmt: skip


def test_the_environment_outranks_the_password_file(rig, monkeypatch):
    monkeypatch.setenv("METERING_PASSWORD_A0", "wrong")
    assert run("collect", "--config", rig.config).exit_code == 1
    monkeypatch.setenv("METERING_PASSWORD_A0", "ann's secret")
    os.truncate(rig.folder / "password-0", 0)
    rig.sandbox.advance(300)
    assert run("collect", "--config", rig.config).exit_code == 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[accounts.a]\naccount = "A"\nusername = "u"\npassword = "c4nary"\n', "does not belong into the settings"),
        ('[endpoints.ZRH]\nurl = "http://zrh.example.com/api/2.0/"\n', "in the clear"),
        ('[endpoints.ZRH]\nurl = "https://me:c4nary@zrh.example.com/api/2.0/"\n', "holds a login"),
        ('[endpoints.ZRH]\nurl = "ftp://zrh.example.com/"\n', "is no address"),
        ('[endpoints."../x"]\nurl = "https://zrh.example.com/"\n', "is no name"),
        ('[accounts.a]\naccount = "A"\nusername = "u"\nendpoints = ["ZRH"]\n', "there is no table"),
        ("[collect]\nconcurrency = 0\n", "collect.concurrency"),
        ("[collect]\nc4nary = 1\n", "collect.c4nary"),
        ('[accounts.a]\naccount = "A"\nuser_name = "u"\n', "accounts.a.user_name"),
        ('[accounts.a]\naccount = "A"\nuser_name = "u"\n', "there is no such setting; is it spelled right?"),
        ('[accounts.a]\naccount = "A"\nusername = "me:c4nary"\n', "has a colon or a control character"),
        ('[accounts.a]\naccount = "A"\nusername = "c4nary\\n"\n', "has a colon or a control character"),
        ('[accounts.a]\naccount = "A"\n', "METERING_ACCOUNTS__A__USERNAME): is missing"),
    ],
)  # fmt: skip
def test_settings_that_are_wrong_are_told_in_one_line_without_what_is_secret(tmp_path, text, told):
    path = tmp_path / "metering.toml"
    path.write_text(text)
    done = run("collect", "--config", path)
    assert done.exit_code == 2
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "c4nary" not in done.stderr or "collect.c4nary" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("--once", "--every", "5m"), ("--check", "--init"), ("--every", "5x"), ("--every", "0"), ("--every", "25h"),
        ("--metrics", "m.prom", "--check"), ("--metrics", "m.prom", "--init"),
        ("--metrics", "m.prom", "--backfill", "2026-10-01..2026-10-02"),
    ],
)  # fmt: skip
def test_words_that_make_no_sense_are_misuse(tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    assert run("collect", *words).exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_without_endpoints_it_says_how_to_begin_and_leaves_no_trace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "metering.toml").write_text("")
    done = run("collect", "--config", tmp_path / "metering.toml")
    assert (done.exit_code, "metering collect --init" in done.stderr) == (2, True)
    assert [path.name for path in tmp_path.iterdir()] == ["metering.toml"]


def test_a_store_in_memory_is_refused_for_what_is_collected_must_last(rig):
    done = run("collect", "--store", ":memory:", "--config", rig.config)
    assert (done.exit_code, "must last" in done.stderr) == (2, True)


def test_why_time_is_missing_is_a_finding_of_the_bill(rig):
    rig.sandbox.faults.add("status", value=401, location="GVA")
    run("collect", "--config", rig.config)
    rig.sandbox.advance(300)
    with rig.meter() as meter:
        found = [finding for finding in meter.bill("2026-10").findings if finding.check == "failed_polls"]
    assert {finding.account for finding in found} == set(rig.world.accounts)
    assert {finding.count for finding in found} == {1}
    assert all("1 request for remotesnapshots at GVA failed" in finding.message for finding in found)
    assert all("credential: the login was refused" in finding.message for finding in found)


def test_another_try_is_no_news(rig):
    rig.config.write_text(rig.config.read_text().replace("attempts = 1", "attempts = 3"))
    rig.sandbox.faults.add("status", value=503, location="GVA", times=1)
    program = [sys.executable, "-m", "metering", "collect", "--format", "table", "--config", str(rig.config)]
    done = subprocess.run(program, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert "4 polls, 2 samples, " in done.stdout
