"""`metering sandbox` as a user has it: another process, its options, its end."""

import json
import os
import re
import shlex
import signal
import stat
import subprocess
import sys
import tomllib

import httpx
import pytest

from metering.sandbox.server_settings import write_settings
from metering.sandbox.world import World


def metering(*words, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "metering", *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )  # fmt: skip


def run(*words, **options):
    process = metering(*words, **options)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


@pytest.mark.parametrize("host", ["::1", "::", "0.0.0.0", "localhost"])
def test_wherever_it_listens_the_settings_that_it_writes_are_answered(tmp_path, host):
    words = ("--host", host, "--port", "0", "--days", "0", "--accounts", "1", "--write", tmp_path)
    with metering("sandbox", "serve", *words) as process:
        try:
            assert any(line.startswith("to collect") for line in process.stdout)
            code, out, err = run("collect", "--check", "--format", "json", cwd=tmp_path)
        finally:
            process.terminate()
    assert (code, {row["result"] for row in json.loads(out)}) == (0, {"works"}), err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_serve_says_where_it_is_and_stops_cleanly(tmp_path, number):
    with metering("sandbox", "serve", "--port", "0", "--days", "0", "--accounts", "2", "--write", tmp_path / "try") as process:
        try:
            told = []
            for line in process.stdout:
                told.append(line)
                if line.startswith("to collect"):
                    break
            text = "".join(told)
            (base,) = re.findall(r"ZRH +(http://\S+)", text)
            email, password = re.search(r"(user2@\S+) +(\S+)", text).groups()
            answer = httpx.get(f"{base}remotesnapshots/", auth=(email, password))
            assert (answer.status_code, answer.json()["meta"]["total_count"]) == (200, 0)
        finally:
            process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    assert "the sandbox has ended" in err
    settings = tomllib.loads((tmp_path / "try" / "metering.toml").read_text())
    assert settings["endpoints"]["ZRH"]["url"] == base


def test_serve_can_have_a_port_for_each_location_and_a_clock_that_stands():
    with metering("sandbox", "serve", "--port", "0", "--port-each", "--speed", "0", "--days", "0") as process:
        try:
            told = []
            for line in process.stdout:
                told.append(line)
                if line.startswith("to collect"):
                    break
            own = dict(re.findall(r"([A-Z]{3}) +(http://127\.0\.0\.1:\d+)/api/2\.0/", "".join(told)))
            assert list(own) == ["GVA", "ZRH", "FRA", "CWL", "LON", "DUB"]
            auth = ("user1@example.com", "password1")
            drive = httpx.post(f"{own['FRA']}/api/2.0/drives/", json={"name": "d", "size": 2**30}, auth=auth).json()["objects"][0]
            assert drive["resource_uri"] == f"/api/2.0/drives/{drive['uuid']}/"
            assert httpx.get(f"{own['FRA']}{drive['resource_uri']}", auth=auth).json()["status"] == "creating"
            httpx.post(f"{own['GVA']}/_clock", json={"advance": 5})
            assert httpx.get(f"{own['FRA']}{drive['resource_uri']}", auth=auth).json()["status"] == "unmounted"
            assert httpx.get(f"{own['GVA']}{drive['resource_uri']}", auth=auth).status_code == 404
        finally:
            process.terminate()
        process.communicate(timeout=60)
    assert process.returncode == 0


def test_facts_are_billed_to_what_stands_beside_them(tmp_path):
    folder = tmp_path / "facts"
    code, out, err = run(
        "sandbox", "facts", "-o", folder, "--period", "2026-10-03", "--accounts", "2", "--missed", "3", "--seed", "4"
    )
    assert (code, out) == (0, ""), err
    assert f"{folder}/samples.csv: " in err
    code, out, err = run("run", folder, "--period", "2026-10-03", "--as-of", "2026-10-04T00:00:00Z", "--format", "json",
                         "--store", ":memory:")  # fmt: skip
    assert code == 0, err
    bill, expected = json.loads(out), json.loads((folder / "expected" / "bill.json").read_text())
    for line in bill["lines"]:
        del line["charge_id"]
    assert {name: bill[name] for name in expected} == expected
    assert expected["usage"]


def test_the_command_that_is_told_for_facts_bills_them_as_they_are_to_be_billed_whenever_that_is(tmp_path):
    folder = tmp_path / "my facts"
    code, _, err = run("sandbox", "facts", "-o", folder, "--period", "2099-10-03", "--accounts", "1", "--drives", "1")
    assert code == 0, err
    (told,) = re.findall(r"the bill; `metering (.*)` gives the same", err)
    code, out, err = run(*shlex.split(told), "--format", "json", "--store", ":memory:")
    assert code == 0, err
    assert json.loads(out)["usage"] == json.loads((folder / "expected" / "bill.json").read_text())["usage"] != []


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["facts", "-o", "{new}", "--period", "sometime"], 2, "period 'sometime'"),
        (["facts", "-o", "{new}", "--period", "2020-01-01..2026-01-01"], 2, "longer than 400 days"),
        (["facts", "-o", "{full}", "--period", "2026-10-03"], 1, "is not empty"),
        (["serve", "--host", "192.0.2.1"], 1, "cannot listen on 192.0.2.1, port 8600"),
        (["serve", "--port", "0", "--days", "0", "--write", "{full}"], 1, "is not the sandbox's"),
        (["serve", "--accounts", "0"], 2, "--accounts"),
        (["facts", "-o", "{full}/metering.toml/x"], 1, "full/metering.toml/x cannot be written (Not a directory)"),
        (["serve", "--host", "127.0.0.2", "--port", "0", "--days", "0", "--write", "{new}"], 2, "leave --host out"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(tmp_path, words, code, said):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "metering.toml").write_text("store = 'mine'\n")
    places = {"new": tmp_path / "new", "full": tmp_path / "full"}
    done, _, err = run("sandbox", *(word.format(**places) for word in words))
    assert (done, said in err, "Traceback" in err) == (code, True, False), err


def test_without_the_extra_it_says_what_to_install(tmp_path):
    (tmp_path / "uvicorn.py").write_text("raise ModuleNotFoundError(\"No module named 'uvicorn'\", name='uvicorn')\n")
    code, _, err = run("sandbox", "serve", "--port", "0", env=os.environ | {"PYTHONPATH": str(tmp_path)})
    assert (code, err) == (1, "metering: the sandbox needs uvicorn; install it with: pip install 'metering[sandbox]'\n")


def test_settings_for_the_collector_hold_no_password_and_replace_only_their_own(tmp_path):
    world = World()
    account = world.add_account("user1@example.com", "password1", name='Dünner "Hosting" \\ GmbH')
    for url in ("http://127.0.0.1:1/ZRH/api/2.0/", "http://127.0.0.1:2/ZRH/api/2.0/"):
        written = write_settings(tmp_path / "try", {"ZRH": url}, [account], clock="provider")
    text = written.read_text()
    assert "password1" not in text
    settings = tomllib.loads(text)
    assert settings["endpoints"] == {"ZRH": {"url": "http://127.0.0.1:2/ZRH/api/2.0/"}}
    assert settings["collect"] == {"clock": "provider"}
    assert settings["accounts"]["user1"]["name"] == 'Dünner "Hosting" \\ GmbH'
    secret = tmp_path / "try" / "passwords" / "user1"
    assert settings["accounts"]["user1"]["password_file"] == str(secret)
    assert (secret.read_text(), stat.S_IMODE(secret.stat().st_mode)) == ("password1\n", 0o600)
