"""Every charge of the sample month is redone by hand code from the JSON of its explanation."""

from itertools import groupby
from pathlib import Path

import pytest
from redone import redo

import metering
from metering.model.period import date_text
from metering.reporting.explain.line import explain_charge

SAMPLE_DATA = Path(__file__).resolve().parents[2] / "sample_data"


@pytest.fixture(scope="module")
def meter():
    with metering.open(":memory:", threads=1) as opened:
        opened.ingest(SAMPLE_DATA)
        yield opened


def test_every_charge_of_the_sample_month_can_be_redone_from_its_explanation(meter):
    lines = sorted(meter.bill("2026-10").lines, key=lambda line: line.date)
    assert len(lines) == 38
    for date_s, group in groupby(lines, key=lambda line: line.date):
        with meter.computed(date_text(date_s)) as (engine, computation):
            for line in group:
                document = explain_charge(engine, computation, line.charge_id).model_dump(mode="json")
                assert document["line"] == line.model_dump(mode="json")
                assert document["recomputed"] == redo(document) | {"agrees": True}
