"""A collector set up against a sandbox, for the tests that collect: settings, spool and store in one folder."""

import gzip
import json
from pathlib import Path

import stamina

from metering.api import Meter
from metering.config import load_settings
from metering.ingest.cycle import CycleReport

SETTINGS = """
store = "{folder}/metering.duckdb"
store_wait = {store_wait}
threads = 1
cycle = {cycle}
max_hold = {max_hold}

[collect]
spool = "{folder}/spool"
clock = "provider"
request_timeout = {timeout}
attempts = {attempts}
{more}
"""


class Rig:
    """Everything of one collector under one folder; every account of the world is polled at every location."""

    def __init__(
        self, folder: Path, sandbox, *, attempts: int = 2, timeout: int = 20, more: str = "", locations=None, cycle: int = 300,
        store_wait: int = 1,
    ) -> None:  # fmt: skip
        self.folder, self.sandbox, self.world = folder, sandbox, sandbox.world
        self.config = folder / "metering.toml"
        text = SETTINGS.format(
            folder=folder, attempts=attempts, timeout=timeout, more=more, cycle=cycle, max_hold=3 * cycle, store_wait=store_wait
        )
        for location in locations or self.world.locations:
            text += f'[endpoints.{location}]\nurl = "{sandbox.endpoint(location)}"\n'
        for number, account in enumerate(self.world.accounts.values()):
            secret = folder / f"password-{number}"
            secret.write_text(account.password + "\n")
            secret.chmod(0o600)
            text += f'[accounts.a{number}]\naccount = "{account.uuid}"\nusername = "{account.email}"\n'
            text += f"name = {json.dumps(account.name)}\npassword_file = '{secret}'\n"
        self.config.write_text(text)
        self.told: list[str] = []

    def meter(self) -> Meter:
        return Meter(load_settings(self.config))

    def collect(self) -> CycleReport:
        """Collect once, without waiting between tries."""
        with stamina.set_testing(True, attempts=10, cap=True), self.meter() as meter:
            return meter.collect(tell=self.told.append)

    def rows(self, sql: str) -> list[tuple]:
        with self.meter() as meter, meter._store.reading() as engine:
            return engine.sql(sql)

    def spooled(self, kind: str) -> list[dict]:
        """Give the lines of all spool files of a kind, wherever they lie."""
        files = sorted((self.folder / "spool").rglob(f"*.{kind}.ndjson.gz"))
        return [json.loads(line) for file in files for line in gzip.open(file, "rt", encoding="utf-8")]

    def polls(self) -> dict[tuple[str, str], list[int]]:
        """Give the instants of the polls that are in the store, by endpoint and account."""
        found: dict[tuple[str, str], list[int]] = {}
        for endpoint, account, poll_s in self.rows(
            "select c.endpoint, c.account, p.poll_s from polls as p join collections as c "
            "on p.collection_key = c.collection_key order by all"
        ):
            found.setdefault((endpoint, account), []).append(poll_s)
        return found


def causes(report: CycleReport) -> set[tuple[str, str]]:
    """Give where a cycle failed, and why."""
    return {(failure.endpoint, failure.cause) for failure in report.failures}
