"""Canaries: no secret is told by any output, log, traceback, file or argument of a process, however a command ends (Z4, Z5)."""

import base64
import gzip
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from collect_help import Rig
from echo_server import ACCOUNT, echoing
from mailbox_server import receiving
from sandbox_help import running, small_world, with_snapshots

PASSWORD, HOOK, TOKEN = "c4nary-of-a-login", "c4nary-that-signs-0123456789", "of-the-address"
# Runs the program, every library's log kept, every process that it starts noted, and with a defect if one is asked for.
WATCHED = """
import logging, os, sys
logging.basicConfig(level=logging.DEBUG, filename="everything.log")
started = open("started.txt", "a")
STARTS = ("subprocess.Popen", "os.posix_spawn", "os.exec", "os.fork", "os.system")
sys.addaudithook(lambda event, args: event in STARTS and print(event, args, file=started, flush=True))
import httpx
def broken(*args, **more):
    raise RuntimeError("a defect")
if os.environ.get("DEFECT"):
    httpx.Client.send = httpx.AsyncClient.send = httpx.AsyncClient.stream = httpx.Client.stream = broken
from metering.cli import main
main()
"""
FAULTS = {
    "html": None, "status": 401, "status 503": 503, "redirect": "http://127.0.0.1:1/", "cut": None, "cut_gzip": None, "hang": 30,
    "deep": None, "error_object": None, "lost": None, "duplicate_keys": None,
}  # fmt: skip


def forms(secret):
    """Give a secret as it is, as a header would carry it, and as a program would show it."""
    yield secret.encode()
    for user in ("ann@example.com", "ben@example.com"):
        yield base64.b64encode(f"{user}:{secret}".encode())
    yield base64.b64encode(secret.encode())


class Watch:
    """Runs command lines in one folder and looks for canaries in all that comes of them."""

    def __init__(self, rig):
        self.rig = rig

    def run(self, *words, code, defect=False, **environment):
        told = {name: value for name, value in os.environ.items() if not name.startswith("METERING_")}
        told |= {"METERING_PASSWORD_A0": PASSWORD, "METERING_NOTIFY_SECRET": HOOK} | environment
        told |= {"DEFECT": "1"} if defect else {}
        command = [sys.executable, "-c", WATCHED, "-v", "--config", str(self.rig.config), *words]
        done = subprocess.run(command, cwd=self.rig.folder, env=told, capture_output=True, check=False)
        assert done.returncode in code, (words, done.stderr)
        self.assert_silent(done.stdout, "stdout")
        self.assert_silent(done.stderr, "stderr")
        return done

    def assert_silent(self, content, where):
        for secret in (PASSWORD, HOOK, TOKEN):
            for form in forms(secret):
                assert form not in content, (secret, where)

    def assert_files_are_silent(self):
        names = set()
        for path in self.rig.folder.rglob("*"):
            if path.is_file() and not path.name.startswith("password-"):
                names.add(path.name)
                content = path.read_bytes()
                self.assert_silent(gzip.decompress(content) if path.suffix == ".gz" else content, path)
        assert {"metering.duckdb", "everything.log", "started.txt", "metrics.prom"} <= names
        assert b"httpcore" in (self.rig.folder / "everything.log").read_bytes(), "libraries did say something"
        assert (self.rig.folder / "started.txt").read_text() == "", "no process is started, so none shows a secret"


@pytest.fixture(scope="module")
def sandbox():
    world = small_world(locations=("ZRH",))
    with_snapshots(world, 2)
    for account in world.accounts.values():
        account.password = PASSWORD
    with running(world) as served:
        yield served


def test_no_secret_is_told_however_a_collection_ends(tmp_path, sandbox):
    watch = Watch(Rig(tmp_path, sandbox, attempts=1, timeout=1))
    once = ("collect", "--once", "--metrics", "metrics.prom")
    watch.run(*once, code=(0,))
    for kind, value in FAULTS.items():
        sandbox.faults.clear()
        sandbox.advance(300)
        sandbox.faults.add(kind.split()[0], value=value, path=None)
        watch.run(*once, code=(1,), METERING_DEBUG="1")
    sandbox.faults.clear()
    watch.run("collect", "--check", code=(0,))
    watch.run("reconcile", "--live", "--period", "2026-10-01..2026-10-02", code=(0, 1))
    watch.run(*once, code=(1,), METERING_PASSWORD_A0=f"{PASSWORD}\r\nX: y", METERING_DEBUG="1")
    watch.run(*once, code=(1,), METERING_PASSWORD_A0=f"{PASSWORD}é\udcff", METERING_DEBUG="1")
    watch.run(*once, code=(1,), defect=True)
    watch.run(*once, code=(1,), defect=True, METERING_DEBUG="1")
    watch.assert_files_are_silent()


ECHOED = ("name", "allocated_size", "price", "amount", "beside", "an error", "the reason", "the headers", "a redirect")


def test_no_secret_is_told_where_an_answer_repeats_the_login(tmp_path):
    with echoing() as server:
        config = tmp_path / "metering.toml"
        config.write_text(
            f'[collect]\nattempts = 1\nmoney_every = 0\n[endpoints.ZRH]\nurl = "{server.url}"\n[accounts.a0]\n'
            f'account = "{ACCOUNT}"\nusername = "ann@example.com"\n'
        )
        watch = Watch(SimpleNamespace(folder=tmp_path, config=config))
        for place in ECHOED:
            server.place = place
            done = watch.run("collect", "--once", "--metrics", "metrics.prom", code=(0, 1), METERING_DEBUG="1")
            assert (b"withheld" in done.stderr) == (place in ("name", "price", "amount", "beside")), place
        watch.run("collect", "--check", code=(3,))
        server.place = "amount"
        done = watch.run("reconcile", "--live", "--period", datetime.now(UTC).strftime("%Y-%m"), code=(0,))
        assert b"amount 'Basic [withheld]' is no plain decimal" in done.stdout, "the first row has the header"
    watch.assert_files_are_silent()


def test_no_secret_is_told_however_an_alert_ends(tmp_path, sandbox):
    watch = Watch(Rig(tmp_path, sandbox, attempts=1))
    sandbox.faults.clear()
    watch.run("collect", "--once", "--metrics", "metrics.prom", code=(0, 1))
    check = ("audit", "--period", "2026-10", "--check", "--notify")
    with receiving(204) as server:
        watch.run(*check, server.url, code=(3,))
        assert [json.loads(body)["kind"] for _, _, body in server.came] == ["audit"]
    for status in (404, 302):
        with receiving(status, location=f"http://127.0.0.1:1/?token={TOKEN}") as server:
            watch.run(*check, server.url, code=(1,), METERING_DEBUG="1")
    gone = server.url
    watch.run(*check, gone, code=(1,))
    watch.run(*check, gone, code=(1,), defect=True)
    watch.run(*check, gone, code=(1,), defect=True, METERING_DEBUG="1")
    for address in (
        "https://a..b/",
        f"https://{'a' * 70}.example.invalid/",
        "http://example.com/",
        "https://u:p@h/",
        "https://h/ ",
    ):
        watch.run(*check, f"{address}hook?token={TOKEN}", code=(2,), METERING_DEBUG="1")
    watch.run(*check, f"https://nobody.invalid/?token={TOKEN}", code=(1,), METERING_DEBUG="1")
    watch.run(*check, gone, code=(2,), METERING_NOTIFY_SECRET=f"whsec_{HOOK}!")
    watch.run("audit", "--period", "2026-10", "--notify", gone, code=(2,))
    watch.assert_files_are_silent()
