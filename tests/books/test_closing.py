"""A period is closed once, whole, by somebody, and only when nothing stands against it or a reason is given."""

import json
import shutil
import stat
from pathlib import Path

import pytest
from closed_world import day_meter, more_facts
from small_world import ACCOUNTS, GIB, meter_of, polls, price

from metering import Meter
from metering.books.closing import RefusedError
from metering.model.errors import MeteringError, MisuseError, NoDataError
from metering.model.period import instant_seconds, instant_text


def at(meter, now: str) -> Meter:
    """Give the same store at another time."""
    return Meter(meter.settings, clock=lambda: instant_seconds(now))


def test_a_closed_period_keeps_its_lines_its_episodes_its_usage_and_its_findings(tmp_path):
    gap = polls("2026-10-01", "2026-10-01T12:00:00Z", {"s": GIB}) + polls("2026-10-01T12:15:00Z", "2026-10-05", {"s": GIB})
    meter = day_meter(tmp_path, samples=gap)
    draft = meter.bill("2026-10-01")
    closed = meter.close("2026-10-01").bill
    assert {row.state for row in closed.statements} == {"closed"}
    assert closed.model_copy(update={"statements": draft.statements}) == draft
    assert [(was.account, was.amount_due) for was in draft.statements] == [
        (now.account, now.amount_due) for now in closed.statements
    ]
    assert [finding.check for finding in closed.findings] == ["held_time", "missing_time"]
    more_facts(meter, tmp_path, "late", samples=polls("2026-10-01T12:00:00Z", "2026-10-01T12:15:00Z", {"s": 9 * GIB}))
    assert meter.bill("2026-10-01").document() == closed.document()


def test_a_dry_run_gives_byte_for_byte_what_is_then_frozen_and_writes_nothing(tmp_path):
    meter = day_meter(tmp_path)
    before = Path(meter.settings.store).read_bytes()
    would_be = meter.close("2026-10-01", dry_run=True)
    assert (would_be.closing, would_be.is_new) == (None, False)
    assert Path(meter.settings.store).read_bytes() == before
    assert meter.closings() == []
    closed = meter.close("2026-10-01")
    assert (
        json.dumps(would_be.bill.document())
        == json.dumps(closed.bill.document())
        == json.dumps(meter.bill("2026-10-01").document())
    )


def test_a_second_closing_changes_nothing_and_tells_the_first(tmp_path):
    meter = day_meter(tmp_path)
    first = meter.close("2026-10-01", by="ann")
    again = at(meter, "2027-01-01").close("2026-10-01", by="bob", reason="I did not know")
    assert (first.is_new, again.is_new) == (True, False)
    assert again.closing == first.closing
    assert again.bill == first.bill
    assert "was closed at 2026-12-01T00:00:00Z by ann (closing 1)" in again.closing.told


def test_what_a_closing_keeps(tmp_path):
    meter = day_meter(tmp_path, settings={"missing_tolerance": "0.25", "cycle": 240})
    more_facts(meter, tmp_path, "more", prices=[price("0.10", level=3)])
    closing = meter.close("2026-10-02", by="ann", reason="  the auditors asked ").closing
    assert (closing.closing_seq, closing.known_seq, closing.period.text) == (1, 2, "2026-10-02")
    assert (closing.closed_by, closing.reason, closing.closed_at) == ("ann", "  the auditors asked ", "2026-12-01T00:00:00Z")
    assert json.loads(closing.settings) == {
        "cycle": 240, "max_hold": 900, "missing_tolerance": "0.25", "locations": ["CWL", "DUB", "FRA", "GVA", "LON", "ZRH"],
        "discounts": None,
    }  # fmt: skip
    assert meter.close("2026-10-01").closing.previous_hash == closing.hash


def test_who_closes_is_the_one_named_else_the_one_set_else_the_user(tmp_path, monkeypatch):
    meter = day_meter(tmp_path, settings={"by": "the night job"})
    assert meter.close("2026-10-01", by="ann").closing.closed_by == "ann"
    assert meter.close("2026-10-02").closing.closed_by == "the night job"
    monkeypatch.setenv("LOGNAME", "nora")
    plain = Meter(meter.settings.model_copy(update={"by": None}), clock=meter._clock)
    assert plain.close("2026-10-03").closing.closed_by == "nora"


def test_burst_without_a_price_is_refused_and_listed(tmp_path):
    meter = day_meter(tmp_path, prices=(price("0.30", level=2),))
    with pytest.raises(RefusedError, match="2026-10-01 is not closed: 1 finding stands against it") as refused:
        meter.close("2026-10-01")
    (finding,) = refused.value.findings
    assert (finding.check, finding.account, finding.location, finding.count) == ("unpriced_burst", "A", "ZRH", 1)
    assert meter.closings() == []


def test_a_reason_parks_what_has_no_price_and_closes_the_rest(tmp_path):
    samples = polls("2026-10-01", "2026-10-02", {"s": GIB}) + polls("2026-10-01", "2026-10-02", {"s": GIB}, account="B")
    meter = day_meter(tmp_path, samples=samples)
    bill = meter.close("2026-10-01", reason="B is a trial account").bill
    assert [(row.account, row.state, str(row.amount_due)) for row in bill.statements] == [
        ("A", "closed", "0.01"), ("B", "parked", "None"),
    ]  # fmt: skip
    assert meter.bill("2026-10-01") == bill


@pytest.mark.parametrize(
    ("missing", "tolerance", "refused"),
    [(864, "0.01", None), (865, "0.01", "1.0012 %"), (1, "0", "0.0012 %")],
)
def test_missing_time_is_tolerated_up_to_just_the_tolerance(tmp_path, missing, tolerance, refused):
    """A gap is held for 900 s from its last poll; what lies beyond is missing, here `missing` s of a day."""
    gap_ends = instant_seconds("2026-10-01T11:55:00Z") + 900 + missing
    samples = polls("2026-10-01", "2026-10-01T12:00:00Z", {"s": GIB}) + polls(instant_text(gap_ends), "2026-10-02", {"s": GIB})
    meter = day_meter(tmp_path, samples=samples, settings={"missing_tolerance": tolerance})
    (usage,) = meter.bill("2026-10-01").usage
    assert usage.missing_seconds == missing
    if refused is None:
        assert meter.close("2026-10-01").is_new
        return
    with pytest.raises(RefusedError) as found:
        meter.close("2026-10-01")
    (finding,) = found.value.findings
    assert (finding.check, finding.account, finding.location, finding.seconds) == ("missing_time", "A", "ZRH", missing)
    assert finding.share == refused
    assert meter.close("2026-10-01", reason="the network was down").closing.reason == "the network was down"


def test_missing_time_counts_for_each_account_and_location_alone(tmp_path):
    samples = polls("2026-10-01", "2026-10-02", {"s": GIB}) + polls("2026-10-01", "2026-10-01T12:00:00Z", {}, endpoint="GVA")
    meter = day_meter(tmp_path, samples=samples)
    with pytest.raises(RefusedError) as found:
        meter.close("2026-10-01")
    assert [(finding.account, finding.location) for finding in found.value.findings] == [("A", "GVA")]


def test_partial_time_is_known_time(tmp_path):
    """ZRH is polled until 05:55, and FRA, which lists a snapshot of ZRH, until 19:55: from 20:10 on nobody is left."""
    samples = polls("2026-10-01", "2026-10-01T20:00:00Z", {"s": GIB}, endpoint="FRA", location="ZRH")
    samples += polls("2026-10-01", "2026-10-01T06:00:00Z", {})
    with pytest.raises(RefusedError) as found:
        day_meter(tmp_path, samples=samples).close("2026-10-01")
    told = {finding.location: (finding.message.partition(":")[0], finding.share) for finding in found.value.findings}
    assert told["ZRH"] == ("3 h 50 min (13,800 s) of 1 day (86,400 s) are missing, 15.9722 %", "15.9722 %")


def test_a_clock_that_goes_back_closes_nothing_before_what_it_saw(tmp_path):
    """The facts came on 1 December, and the first closing on the fifth, by the clocks of then."""
    meter = day_meter(tmp_path)
    assert at(meter, "2026-11-20").close("2026-10-01").closing.closed_at == "2026-12-01T00:00:00Z"
    assert at(meter, "2026-12-05").close("2026-10-02").closing.closed_at == "2026-12-05T00:00:00Z"
    assert meter.close("2026-10-03").closing.closed_at == "2026-12-05T00:00:00Z"


def test_time_before_the_first_poll_is_not_missing(tmp_path):
    meter = day_meter(tmp_path, samples=polls("2026-10-01T18:00:00Z", "2026-10-02", {"s": GIB}))
    assert meter.close("2026-10-01").is_new


def test_an_empty_reason_is_none(tmp_path):
    meter = day_meter(tmp_path)
    with pytest.raises(MisuseError, match="--reason is empty"):
        meter.close("2026-10-01", reason="  ")


@pytest.mark.parametrize("by", ["", "  "])
def test_nobody_closes_nothing(tmp_path, by):
    meter = day_meter(tmp_path)
    with pytest.raises(MisuseError, match="--by is empty: say who closes the period"):
        meter.close("2026-10-01", by=by)
    assert meter.closings() == []


@pytest.mark.parametrize("reason", [None, "I want to"])
@pytest.mark.parametrize(
    ("now", "why"),
    [
        ("2026-10-01T18:00:00Z", "2026-10-01 ends at 2026-10-02T00:00:00Z and cannot be closed before"),
        ("2026-10-02T00:00:00Z", "the last seconds of 2026-10-01 are not determined yet"),
        ("2026-10-02T00:07:30Z", "close it from 2026-10-02T00:07:31Z on"),
    ],
)
def test_a_period_is_not_closed_before_its_last_seconds_are_determined(tmp_path, now, why, reason):
    meter = day_meter(tmp_path)
    with pytest.raises(MeteringError, match=why):
        at(meter, now).close("2026-10-01", reason=reason)
    assert at(meter, "2026-10-02T00:07:31Z").close("2026-10-01").is_new


@pytest.mark.parametrize("other", ["2026-10", "2026-10-01T12:00:00Z..2026-10-02", "2026-09-30..2026-10-01T00:00:01Z"])
def test_closed_periods_never_overlap(tmp_path, other):
    meter = day_meter(tmp_path)
    meter.close("2026-10-01", by="ann")
    with pytest.raises(MeteringError, match="overlaps a closed period: 2026-10-01 was closed at 2026-12-01T00:00:00Z by ann"):
        meter.close(other, reason="I want to")


def test_a_period_of_which_nothing_is_known_has_no_statement_to_close(tmp_path):
    meter = meter_of(tmp_path, accounts=ACCOUNTS)
    with pytest.raises(NoDataError, match="nothing is known of 2026-10-01"):
        meter.close("2026-10-01", reason="I want to")


def test_days_close_in_any_order(tmp_path):
    meter = day_meter(tmp_path)
    for day in ("2026-10-03", "2026-10-01", "2026-10-04", "2026-10-02"):
        meter.close(day)
    assert [closing.period.text[-1] for closing in meter.closings()] == ["3", "1", "4", "2"]
    assert meter.verify().differences == []


def test_a_store_in_memory_can_be_closed_and_verified(tmp_path):
    meter = day_meter(tmp_path)
    memory = Meter(meter.settings.model_copy(update={"store": ":memory:"}), clock=meter._clock)
    memory.ingest(tmp_path / "facts")
    assert memory.close("2026-10-01").bill == meter.close("2026-10-01").bill
    assert memory.verify().differences == []
    memory.close()


def test_the_head_file_is_the_owners_alone_and_tells_the_last_closing(tmp_path):
    meter = day_meter(tmp_path)
    meter.close("2026-10-01")
    last = meter.close("2026-10-02").closing
    head = tmp_path / "store.duckdb.head"
    assert json.loads(head.read_text()) == {"closing": 2, "hash": last.hash}
    assert stat.S_IMODE(head.stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["facts", "store.duckdb", "store.duckdb.head"]


def test_reports_of_a_closed_period_agree_with_its_statement_until_a_clock_asks_otherwise(tmp_path):
    meter = day_meter(tmp_path)
    meter.close("2026-10-01")
    before = {
        name: meter.report_table(name, "2026-10-01").rows for name in ("usage", "burst", "coverage", "snapshots", "statement")
    }
    more_facts(meter, tmp_path, "fix", supersede=True, samples=polls("2026-10-01", "2026-10-02", {"s": 5 * GIB}))
    more_facts(meter, tmp_path, "price", supersede=True, prices=[price("0.99")])
    for name, rows in before.items():
        assert meter.report_table(name, "2026-10-01").rows == rows
        assert meter.report_table(name, "2026-10-01", as_of="2026-12-01").rows != rows or name == "coverage"
    # a part of a closed day is seen as it was when the day was closed
    (hour,) = meter.bill("2026-10-01T12:00:00Z..2026-10-01T13:00:00Z").lines
    assert (hour.price, hour.peak_burst_bytes) == ("0.30", GIB)


def test_a_bill_beside_a_closed_period_says_so(tmp_path):
    meter = day_meter(tmp_path)
    meter.close("2026-10-01", by="ann")
    hour = "2026-10-01T06:00:00Z..2026-10-01T07:00:00Z"
    for period, clock, severity in (
        (hour, None, "warning"), ("2026-10", None, "warning"), ("2026-10", "2026-12-01", "warning"),
        ("2026-10-01", "2026-12-01", "info"), (hour, "2026-12-01", "info"),
    ):  # fmt: skip
        bill = meter.bill(period, as_of=clock, account="A")
        (finding,) = [finding for finding in bill.findings if finding.check == "closed_period"]
        assert finding.severity == severity
        assert "2026-10-01 was closed at 2026-12-01T00:00:00Z by ann (closing 1): this is computed beside it" in finding.message
        assert {row.state for row in bill.statements} == {"draft"}
    assert not [finding for finding in meter.bill("2026-10-01").findings if finding.check == "closed_period"]


@pytest.mark.parametrize(("name", "ending"), [("statement", "html"), ("focus", "csv")])
@pytest.mark.parametrize("account", [None, "A"])
def test_what_speaks_against_sending_a_bill_is_told_where_it_is_exported(tmp_path, name, ending, account):
    meter = day_meter(tmp_path)
    old = shutil.copy(meter.settings.store, tmp_path / "old.duckdb")
    meter.close("2026-10-02", by="ann")
    told = []
    asked = {"account": account, "tell": told.append}
    meter.export(name, tmp_path / f"first.{ending}", period="2026-10-01", **asked)
    meter.export(name, tmp_path / f"second.{ending}", period="2026-10-02", **asked)
    assert told == []
    meter.export(name, tmp_path / f"both.{ending}", period="2026-10-01..2026-10-03", **asked)
    assert told == [
        "warning: closed_period: 2026-10-02 was closed at 2026-12-01T00:00:00Z by ann (closing 1): this is computed beside it, and "
        "is not what was billed"
    ]
    shutil.copy(old, meter.settings.store)
    told.clear()
    meter.export(name, tmp_path / f"again.{ending}", period="2026-10-02", **asked)
    (line,) = told
    assert line.startswith("error: closings_missing: ")
    assert "tells of closing 1, but the store's last is 0: it was restored from an old backup" in line


@pytest.mark.parametrize(("name", "ending"), [("statement", "html"), ("focus", "csv")])
def test_an_error_of_one_account_is_told_with_whose_it_is(tmp_path, name, ending):
    meter = day_meter(tmp_path, prices=[price("0.30", currency="USD")])
    told = []
    meter.export(name, tmp_path / f"day.{ending}", period="2026-10-01", tell=told.append)
    assert told[:1] == [
        "error: unpriced_burst: Müller & <Co> (A), ZRH: burst is unpriced: no CHF price of level 1 is in force on 2026-10-01; "
        "add one to the prices; the statement is parked"
    ]


def test_a_frozen_bill_can_be_asked_for_one_account(tmp_path):
    samples = polls("2026-10-01", "2026-10-02", {"s": GIB}) + polls("2026-10-01", "2026-10-02", {"s": GIB}, account="B")
    meter = day_meter(tmp_path, samples=samples, accounts=[{"account": a, "currency": "CHF", "name": a} for a in "AB"])
    meter.close("2026-10-01")
    bill = meter.bill("2026-10-01", account="B")
    assert [row.account for row in (*bill.statements, *bill.usage, *bill.lines)] == ["B", "B", "B"]
    with pytest.raises(NoDataError, match="account 'C' has no usage"):
        meter.bill("2026-10-01", account="C")


def test_an_account_that_nobody_polls_any_more_is_refused_with_what_to_do_and_closes_with_a_reason(tmp_path):
    both = polls("2026-10-01", "2026-10-03", {"s": GIB}) + polls("2026-10-01", "2026-10-01T12:00:00Z", {"t": GIB}, endpoint="GVA")
    meter = day_meter(tmp_path, samples=both)
    with pytest.raises(RefusedError) as refused:
        meter.close("2026-10-02")
    (finding,) = refused.value.findings
    assert (finding.account, finding.location, finding.share) == ("A", "GVA", "100.0000 %")
    assert finding.message == (
        "1 day (86,400 s) of 1 day (86,400 s) are missing, 100.0000 %: more than the tolerated 1 %; nobody polls it any more, "
        "the last time at 2026-10-01T11:55:00Z: poll it again and bring the polls of that time if there are any (`metering collect "
        "--backfill 2026-10-02`); if the account has left, say so with --reason"
    )
    assert meter.close("2026-10-02", reason="A left GVA on 1 October").is_new
