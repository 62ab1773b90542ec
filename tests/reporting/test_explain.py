"""One charge, explained: what its intervals rest on, and that an accountant who redoes it gets the same amount."""

import re

import pytest
from redone import redo
from small_world import GIB, meter_of, polls, price, subscription, write
from tools import Parts

from metering.model.errors import MisuseError, NoDataError
from metering.model.period import instant_text
from metering.reporting.explain import line as explain_module
from metering.reporting.explain.line_tables import arithmetic_lines, remarks, tables, verdict
from metering.reporting.pages import explanation_page

DAY = ("2026-10-01", "2026-10-02")


def eventful_day(folder):
    """A day on which nearly everything happens to one account: gaps, two endpoints, a snapshot listed twice, new prices."""
    return meter_of(
        folder,
        samples=[
            *polls("2026-09-30T23:50:00Z", "2026-10-01T06:00:00Z", {"s1": 5 * GIB}),
            *polls("2026-10-01T06:00:00Z", "2026-10-01T06:05:00Z", {"s1": 5 * GIB, "s2": GIB + 1}, status="creating"),
            *polls("2026-10-01T06:10:00Z", "2026-10-01T12:00:00Z", {"s1": 5 * GIB, "s2": GIB + 1}),
            *polls("2026-10-01T12:40:00Z", "2026-10-01T12:45:00Z", {}),
            *polls("2026-10-01T12:50:00Z", "2026-10-02T02:00:00Z", {"s1": 9 * GIB}),
            *polls("2026-10-01T02:00:00Z", "2026-10-01T08:00:00Z", {"s1": 5 * GIB, "far": 3 * GIB}, endpoint="FRA", location="ZRH"),
        ],
        subscriptions=[
            subscription("one", 2 * GIB, "2026-09-15T12:00:00Z", "2026-10-01T12:00:00Z"),
            subscription("two", GIB, "2026-10-01T05:00:00Z", "2026-10-01T05:00:01Z"),
        ],
        prices=[price("0.28"), price("0.31", location="ZRH", since="2026-10-01T09:00:00Z"), price("0.5", level=2)],
        burst_levels=[{"location": "", "resource": "backup", "level": 2, "effective_from": "2026-10-01T20:00:00Z"}],
    )


@pytest.fixture(scope="module")
def eventful(tmp_path_factory):
    return eventful_day(tmp_path_factory.mktemp("eventful"))


def test_every_line_of_an_eventful_day_can_be_redone_from_its_explanation(eventful):
    lines = eventful.bill("2026-10-01").lines
    assert [(line.level, line.price) for line in lines] == [(1, "0.28"), (1, "0.31"), (2, "0.5")]
    for line in lines:
        document = eventful.explain(line.charge_id).model_dump(mode="json")
        assert document["line"] == line.model_dump(mode="json")
        assert redo(document) == {name: document["line"][name] for name in redo(document)}
        assert document["recomputed"] == redo(document) | {"agrees": True}


def test_the_intervals_of_a_date_say_what_happened_on_it(eventful):
    explained = eventful.explain(eventful.bill("2026-10-01").lines[0].charge_id)
    unobserved = [(instant_text(part.start), part.seconds) for part in explained.intervals if part.state == "missing"]
    assert unobserved == [("2026-10-01T12:10:00Z", 1_800)], "FRA is missing from 08:10 on, but ZRH mostly is not"
    assert {part.state for part in explained.intervals} == {"measured", "held", "partial", "missing"}
    assert explained.endpoints == ["FRA", "ZRH"]
    creating = [part for part in explained.intervals if any(s.status == "creating" for s in part.snapshots)]
    assert sum(part.seconds for part in creating) == 600
    assert {s.endpoint for part in explained.intervals for s in part.snapshots if s.snapshot == "s1"} == {"ZRH"}
    assert [part.subscriptions for part in explained.intervals if "two" in part.subscriptions] == [["one", "two"]]


def test_a_poll_that_comes_a_cycle_and_a_half_after_the_one_before_leaves_no_held_time(tmp_path):
    """After 450 s all is measured; after 451 the 151 beyond the cycle are held."""
    samples = polls("2026-10-01T00:00:00Z", "2026-10-01T01:00:00Z", {"s": GIB})
    samples += polls("2026-10-01T01:02:30Z", "2026-10-01T02:00:00Z", {"s": GIB})
    samples += polls("2026-10-01T02:05:01Z", "2026-10-01T03:00:00Z", {"s": GIB})
    meter = meter_of(tmp_path, samples=samples)
    explained = meter.explain(meter.bill("2026-10-01").lines[0].charge_id)
    held = [(instant_text(part.start), part.seconds) for part in explained.intervals if part.state == "held"]
    assert held == [("2026-10-01T02:02:30Z", 151), ("2026-10-01T03:00:01Z", 600)]


def test_a_line_in_a_period_that_is_cut_inside_the_date_is_explained_as_it_was_billed(eventful):
    period = "2026-10-01T03:00:01Z..2026-10-05T00:00:00Z"
    for line in eventful.bill(period).lines:
        if line.date != eventful.bill("2026-10-01").lines[0].date:
            continue
        document = eventful.explain(line.charge_id, period=period).model_dump(mode="json")
        assert document["line"] == line.model_dump(mode="json")
        assert redo(document)["amount"] == document["line"]["amount"]
    whole, cut = (eventful.explain(eventful.bill(p).lines[0].charge_id, period=p) for p in ("2026-10-01", period))
    assert whole.charge_id == cut.charge_id
    assert whole.line.amount > cut.line.amount


def test_a_price_names_its_row_and_where_its_level_comes_from(eventful):
    explained = eventful.explain(eventful.bill("2026-10-01").lines[2].charge_id)
    told = [
        (p.level, p.level_source, p.price, p.location, p.effective_from and p.effective_from % 86_400) for p in explained.prices
    ]
    assert told == [
        (1, "default", "0.28", None, 0),
        (1, "default", "0.31", "ZRH", 9 * 3_600),
        (2, "every location", "0.5", None, 0),
    ]


def test_each_poll_tells_its_ingest_and_the_file_that_brought_it(tmp_path):
    meter = eventful_day(tmp_path)
    late = write(tmp_path / "late", samples=polls("2026-10-01T12:20:00Z", "2026-10-01T12:25:00Z", {"s1": 7 * GIB}))
    meter.ingest(late / "samples.csv")
    explained = meter.explain(meter.bill("2026-10-01").lines[1].charge_id)
    brought = {(poll.ingest_seq, poll.file.rpartition("/")[2]) for part in explained.intervals for poll in part.polls}
    assert brought == {(1, "samples.csv"), (2, "samples.csv")}
    late_polls = [poll for part in explained.intervals for poll in part.polls if poll.ingest_seq == 2]
    assert {poll.file for poll in late_polls} == {str(late / "samples.csv")}
    before = meter.explain(meter.bill("2026-10-01", known_at=1).lines[1].charge_id, known_at=1)
    assert before.line.amount < explained.line.amount
    assert before.recomputed.agrees
    assert explained.recomputed.agrees


def test_the_arithmetic_says_what_a_unit_is_of_and_where_the_statement_has_the_amount(eventful):
    explained = eventful.explain(eventful.bill("2026-10-01").lines[0].charge_id)
    assert arithmetic_lines(explained)[-2][0] == "÷ 2,783,138,807,808,000 byte-seconds in one GB/month"
    of, told = remarks(explained)
    assert of == "One GB/month is of 1,073,741,824 bytes over 2,592,000 s."
    assert told == (
        "On the statement this is the line's exact amount; what is due is rounded once, and the lines so that they add up to it."
    )
    page = Parts(explanation_page(explained)).text
    assert of in page
    assert told in page


def test_unpriced_burst_is_explained_without_an_amount(tmp_path):
    meter = meter_of(tmp_path, samples=polls(*DAY, {"s": GIB}), prices=[price("0.1", level=0)])
    (line,) = meter.bill("2026-10-01").lines
    explained = meter.explain(line.charge_id)
    assert (explained.line.amount, explained.recomputed.amount, explained.recomputed.agrees) == (None, None, True)
    assert "no price of level 1 is in force" in arithmetic_lines(explained)[-1][0]
    assert "unpriced" in explanation_page(explained)


def test_a_charge_that_is_not_there_is_one_clear_line(eventful):
    with pytest.raises(NoDataError, match="there is no charge 2026-10-01-0000000000000000 in 2026-10-01"):
        eventful.explain("2026-10-01-0000000000000000")
    with pytest.raises(MisuseError, match="is no charge id"):
        eventful.explain("a charge")
    with pytest.raises(MisuseError, match="is no date of the calendar"):
        eventful.explain("2026-13-01-0000000000000000")
    charge = eventful.bill("2026-10-01").lines[0].charge_id
    with pytest.raises(NoDataError, match="of which nothing is in 2026-11"):
        eventful.explain(charge, period="2026-11")


def test_an_amount_that_billing_did_not_get_from_the_samples_is_told(eventful, monkeypatch):
    real = explain_module.computed_lines

    def wrong(*arguments):
        return [line.model_copy(update={"burst_byte_seconds": line.burst_byte_seconds + 1}) for line in real(*arguments)]

    charge = eventful.bill("2026-10-01").lines[0].charge_id
    monkeypatch.setattr(explain_module, "computed_lines", wrong)
    explained = eventful.explain(charge)
    assert not explained.recomputed.agrees
    assert "DISAGREES" in verdict(explained)


def test_the_page_stands_alone_and_takes_no_name_for_markup(eventful):
    page = explanation_page(eventful.explain(eventful.bill("2026-10-01").lines[0].charge_id))
    assert "Müller &amp; &lt;Co&gt;" in page
    assert "<Co>" not in page
    assert re.findall(r"https?:|<script|<link|@import|url\(|src=", page) == []
    assert "prefers-color-scheme: dark" in page
    assert "@media print" in page


def test_the_tables_hold_every_interval_and_every_poll(eventful):
    explained = eventful.explain(eventful.bill("2026-10-01").lines[0].charge_id)
    each, runs = ({t.name: t for _, t in tables(explained, every_poll=every)} for every in (True, False))
    assert len(each["intervals"].rows) == len(explained.intervals)
    assert len(each["polls"].rows) == sum(len(part.polls) for part in explained.intervals)
    assert sum(row[3] for row in runs["polls"].rows) == len(each["polls"].rows)
