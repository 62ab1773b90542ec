"""A tampered store ends `explain` and the gate of `audit` with 3, and their pages are written all the same."""

import json
from pathlib import Path

import pytest
from closed_world import day_meter
from test_sessions import here, run  # noqa: F401 -- a fixture

DAY = "2026-10-01"


@pytest.fixture
def closed(here):  # noqa: F811 -- the fixture
    meter = day_meter(here)
    (line,) = meter.close(DAY, by="ann").bill.lines
    meter.release()
    return meter, line.charge_id


def tamper(meter):
    with meter._store.writing() as engine:
        engine.sql("update closed_statements set document = replace(document, '0.01000000000000000000', '0.02000000000000000000')")
    meter.release()


def test_explain_ends_with_3_where_the_samples_give_another_amount(closed):
    meter, charge = closed
    code, out, _ = run("explain", charge, "--store", meter.settings.store)
    assert (code, json.loads(out)["recomputed"]["agrees"]) == (0, True)
    tamper(meter)
    code, out, _ = run("explain", charge, "--store", meter.settings.store)
    assert (code, json.loads(out)["recomputed"]["agrees"]) == (3, False)
    code, _, _ = run("explain", charge, "--store", meter.settings.store, "-o", "charge.html")
    assert code == 3
    assert "DISAGREES" in Path("charge.html").read_text(encoding="utf-8")


def test_the_gate_of_an_audit_is_closed_by_what_was_changed(closed):
    meter, _ = closed
    assert run("audit", "--period", DAY, "--check", "--store", meter.settings.store)[0] == 0
    tamper(meter)
    code, out, _ = run("audit", "--period", DAY, "--check", "--store", meter.settings.store)
    assert code == 3
    assert {finding["check"] for finding in json.loads(out)} == {"books_that_differ", "line_sums_that_differ"}
    assert run("verify", "--store", meter.settings.store)[0] == 1
