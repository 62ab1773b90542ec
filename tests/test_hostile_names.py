"""Names come from outside: of files, columns, accounts, locations and snapshots. None of them is ever obeyed."""

import json

import pytest

import metering
from metering.reporting.files import csv_text

HOSTILE = [
    "'); drop table samples; --",
    '"; drop table polls; --',
    "$account",
    "{account}",
    "%s",
    "../../../etc/passwd",
    "a[1]*?.csv",
    "$(touch pwned)",
    "=cmd|' /C calc'!A0",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_text_wherever_it_stands(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / name.replace("/", "_")
    folder.mkdir()
    row = {
        "poll_time": "2026-10-01T00:00:00Z", "location": name, "account": name, "snapshot": name, "allocated_size": "1024",
        "drive": name, "status": name, "name": name, name: name,
    }  # fmt: skip
    (folder / "samples.ndjson").write_text(json.dumps(row) + "\n")
    (folder / "accounts.ndjson").write_text(json.dumps({"account": name, "currency": "CHF", "name": name}) + "\n")
    with metering.open(str(tmp_path / "store.duckdb")) as meter:
        outcome = meter.ingest(folder)
        assert (outcome.tables["samples"].accepted, outcome.tables["accounts"].accepted) == (1, 1)
        (usage,) = meter.bill("2026-10-01").usage
        assert (usage.account, usage.location) == (name, name)
        assert usage.occupied_byte_seconds == 1024 * 900
        table = meter.report_table("snapshots", "2026-10-01", account=name)
        assert name in table.rows[0]
        assert ("'=" in csv_text(table)) == name.startswith("=")
        meter.export("facts", tmp_path / "facts", facts_format="csv")
        assert meter.ingest(tmp_path / "facts").polls.duplicate == 1
    assert not (tmp_path / "pwned").exists()
