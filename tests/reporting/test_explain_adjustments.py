"""An adjustment, explained: what the closed line is now, what was billed so far, which facts came between, down to both."""

import re
from decimal import Decimal

import pytest
from closed_world import day_meter, exact, more_facts
from redone import redo, redo_adjustment
from small_world import GIB, polls, price, subscription

from metering.model.errors import MisuseError, NoDataError
from metering.model.explanation import ExplainedAdjustment
from metering.model.period import instant_seconds
from metering.reporting.explain.adjustment_tables import arithmetic_lines, tables, verdict
from metering.reporting.pages import adjustment_page

DAY, NEXT = "2026-10-01", "2026-10-02"

CORRECTIONS = {
    "late polls": {"samples": polls("2026-10-01T06:01:00Z", "2026-10-01T06:02:00Z", {"s": 3 * GIB})},
    "superseded polls": {"samples": polls("2026-10-01T06:00:00Z", "2026-10-01T07:00:00Z", {"s": GIB, "new": 2 * GIB})},
    "gone": {"samples": polls(DAY, NEXT, {})},
    "a backdated subscription": {"subscriptions": [subscription("sub-1", GIB, "2026-10-01T12:00:00Z", "2026-10-02T06:00:00Z")]},
    "a corrected price": {"prices": [price("0.60")]},
    "a price that held from noon": {"prices": [price("0.60", since="2026-10-01T12:00:00Z")]},
    "a burst level": {
        "burst_levels": [{"location": "", "resource": "backup", "level": 2, "effective_from": "2026-10-01T12:00:00Z"}],
    },
    "a corrected currency": {
        "accounts": [{"account": "A", "currency": "USD", "name": "A"}],
        "prices": [price("7", currency="USD")],
    },
    "a currency without a price": {"accounts": [{"account": "A", "currency": "JPY", "name": "A"}]},
    "an account that was seen by nobody": {"samples": polls(DAY, NEXT, {"t": GIB}, account="B")},
    "everything": {
        "samples": polls("2026-10-01T06:00:00Z", "2026-10-01T09:00:00Z", {"s": 9 * GIB}),
        "prices": [price("0.60", since="2026-10-01T08:00:00Z"), price("0.9", level=2)],
        "subscriptions": [subscription("sub-1", GIB // 2, "2026-10-01T02:00:00Z", "2026-10-01T07:00:00Z")],
    },
}  # fmt: skip


def adjustments(meter, day=NEXT):
    return [line for line in meter.bill(day).lines if line.kind == "adjustment"]


@pytest.mark.parametrize("name", CORRECTIONS)
def test_each_adjustment_can_be_redone_from_its_explanation_before_and_after_it_is_closed(tmp_path, name):
    meter = day_meter(tmp_path)
    meter.close(DAY, by="ann")
    more_facts(meter, tmp_path, "fix", supersede=True, **CORRECTIONS[name])
    lines = adjustments(meter)
    assert lines
    for line in lines:
        explained = meter.explain(line.charge_id)
        document = explained.model_dump(mode="json")
        assert explained.line == line
        assert document["recomputed"] == redo_adjustment(document) | {"agrees": True}
        assert {cause.last_ingest for cause in explained.causes} == {2}
        for cause in explained.causes:
            table = {"account_currencies": "accounts"}.get(cause.cause, "samples" if "polls" in cause.cause else cause.cause)
            assert cause.files == [str(tmp_path / "fix" / f"{table}.csv")], cause.text
        assert (explained.now.known_at_ingest, explained.then.known_at_ingest, explained.closing) == (2, 1, None)
    meter.close(NEXT, reason="whatever stands against it")
    for line in lines:
        explained = meter.explain(line.charge_id)
        document = explained.model_dump(mode="json")
        assert explained.line == line
        assert document["recomputed"] == redo_adjustment(document) | {"agrees": True}
        assert explained.closing.period == NEXT


def test_the_figures_of_a_superseded_hour(tmp_path):
    meter = day_meter(tmp_path)
    meter.close(DAY, by="ann", reason="the end of the day")
    more_facts(meter, tmp_path, "fix", supersede=True, **CORRECTIONS["superseded polls"])
    (line,) = adjustments(meter)
    explained = meter.explain(line.charge_id)
    assert (explained.adjusts, explained.then.line.amount) == (DAY, exact("0.01"))
    assert explained.now.line.amount == exact("0.01083333333333333333")
    (part,) = explained.billed
    assert (part.kind, part.amount) == ("burst", exact("0.01"))
    assert (part.closing.closed_by, part.closing.reason) == ("ann", "the end of the day")
    (change,) = explained.changes
    assert (change.seconds, change.charged_bytes_then, change.charged_bytes_now) == (3_600, GIB, 3 * GIB)
    (cause,) = explained.causes
    assert (cause.cause, cause.count, cause.files) == ("superseded_polls", 12, [str(tmp_path / "fix" / "samples.csv")])
    assert [step for step, _ in arithmetic_lines(explained)][-2:] == [
        f"− billed in 2026-10-01 (closing 1, 2026-12-01T00:00:00Z), charge {part.charge_id}",
        "= adjustment: +7,730,941,132,800 byte-seconds, 0 s",
    ]
    assert [result for _, result in arithmetic_lines(explained)][-3:] == [
        "0.01083333333333333333 CHF", "0.01000000000000000000 CHF", "0.00083333333333333333 CHF",
    ]  # fmt: skip
    assert verdict(explained).endswith("it agrees to the last digit.")


def test_a_cause_that_came_in_several_ingests_tells_when_the_first_and_the_last_came_and_their_files(tmp_path):
    meter = day_meter(tmp_path, samples=polls(DAY, "2026-10-01T06:00:00Z", {"s": GIB}) + polls(NEXT, "2026-10-03", {"s": GIB}))
    meter.close(DAY, reason="an outage")
    for hour, came in ((6, "2026-12-02"), (7, "2026-12-03"), (8, "2026-12-04")):
        late = polls(f"2026-10-01T0{hour}:00:00Z", f"2026-10-01T0{hour + 1}:00:00Z", {"s": GIB})
        later = type(meter)(meter.settings, clock=lambda came=came: instant_seconds(came))
        more_facts(later, tmp_path, f"late {hour}", samples=late)
    (line,) = adjustments(later)
    (cause,) = later.explain(line.charge_id).causes
    assert (cause.cause, cause.count, cause.first_ingest, cause.last_ingest) == ("late_polls", 36, 2, 4)
    assert (cause.first_ingested_at, cause.last_ingested_at) == (instant_seconds("2026-12-02"), instant_seconds("2026-12-04"))
    assert cause.files == [str(tmp_path / f"late {hour}" / "samples.csv") for hour in (6, 8)]


def test_a_correction_of_a_correction_takes_the_first_into_account(tmp_path):
    meter = day_meter(tmp_path)
    meter.close(DAY)
    for day, size in ((NEXT, 3 * GIB), ("2026-10-03", GIB // 2)):
        late = polls("2026-10-01T06:00:00Z", "2026-10-01T07:00:00Z", {"s": size})
        more_facts(meter, tmp_path, day, supersede=True, samples=late)
        (line,) = adjustments(meter, day)
        explained = meter.explain(line.charge_id)
        document = explained.model_dump(mode="json")
        assert document["recomputed"] == redo_adjustment(document) | {"agrees": True}
        meter.close(day)
    assert [(part.kind, part.closing.period) for part in explained.billed] == [("burst", DAY), ("adjustment", NEXT)]
    assert explained.then.line.amount == exact("0.01"), "as it was closed, whatever came between"
    assert [cause.last_ingest for cause in explained.causes] == [3], "what the first correction took in is no cause of the second"
    amounts = [part.amount for part in explained.billed]
    assert sum(amounts) + explained.line.amount == explained.now.line.amount


def test_what_was_parked_was_not_billed(tmp_path):
    meter = day_meter(tmp_path, prices=(price("0.30", since="2026-10-01T12:00:00Z"),))
    meter.close(DAY, reason="the price list came late")
    more_facts(meter, tmp_path, "late", prices=[price("0.60", since=DAY)])
    first, second = adjustments(meter)
    explained = meter.explain(first.charge_id)
    assert [(part.amount, part.closing.is_billed) for part in explained.billed] == [(exact("0.005"), False)]
    assert (explained.line.amount, explained.recomputed.agrees) == (exact("0.005"), True)
    assert arithmetic_lines(explained)[-2][0].startswith("not billed: parked in 2026-10-01 (closing 1, ")
    document = meter.explain(second.charge_id).model_dump(mode="json")
    assert document["recomputed"] == redo_adjustment(document) | {"agrees": True}
    assert [cause["cause"] for cause in document["causes"]] == ["parked_statements", "prices"]


def test_adjustments_of_a_month_are_found_in_the_month_that_follows_and_elsewhere_if_it_is_named(tmp_path):
    meter = day_meter(tmp_path, samples=polls("2026-08-31", "2026-09-02", {"s": GIB}))
    meter.close("2026-09", reason="nobody polls any more")
    more_facts(meter, tmp_path, "fix", supersede=True, samples=polls("2026-09-01", "2026-09-01T01:00:00Z", {"s": 2 * GIB}))
    (line,) = adjustments(meter, "2026-10")
    assert meter.explain(line.charge_id).line == line
    week = "2026-10-01..2026-10-08"
    (other,) = adjustments(meter, week)
    assert other.charge_id != line.charge_id
    assert meter.explain(other.charge_id, period=week).line == other
    with pytest.raises(NoDataError, match="2026-09, which is closed, has no such line, nor do the adjustments in 2026-10 or"):
        meter.explain(other.charge_id)
    with pytest.raises(NoDataError, match="--period names the bill that has it"):
        meter.explain(line.charge_id, period=week)


@pytest.mark.parametrize(
    ("closed", "rest"),
    [
        ("2026-09-01..2026-09-21", "2026-09-21T00:00:00Z..2026-10-01T00:00:00Z"),
        ("2026-09-01..2026-09-01T18:00:00Z", "2026-09-01T18:00:00Z..2026-09-02T00:00:00Z"),
    ],
)
def test_adjustments_are_found_in_what_is_left_of_the_month_or_day(tmp_path, closed, rest):
    meter = day_meter(tmp_path, samples=polls("2026-08-31", "2026-09-02", {"s": GIB}))
    meter.close(closed, reason="nobody polls any more")
    more_facts(meter, tmp_path, "fix", supersede=True, samples=polls("2026-09-01", "2026-09-01T01:00:00Z", {"s": 2 * GIB}))
    (line,) = adjustments(meter, rest)
    explained = meter.explain(line.charge_id)
    assert (explained.line, explained.period.end) == (line, instant_seconds(rest.partition("..")[2]))


def test_as_it_was_known_then(tmp_path):
    meter = day_meter(tmp_path)
    meter.close(DAY)
    more_facts(meter, tmp_path, "fix", supersede=True, **CORRECTIONS["superseded polls"])
    (line,) = adjustments(meter)
    more_facts(meter, tmp_path, "again", supersede=True, **CORRECTIONS["gone"])
    assert meter.explain(line.charge_id).line.amount == exact("-0.01")
    assert meter.explain(line.charge_id, known_at=2).line == line


# --- lines of a closed period ---


def test_a_line_of_a_closed_period_is_explained_as_it_was_frozen(tmp_path):
    meter = day_meter(tmp_path)
    (line,) = meter.close(DAY, by="ann").bill.lines
    more_facts(meter, tmp_path, "fix", supersede=True, **CORRECTIONS["everything"])
    explained = meter.explain(line.charge_id)
    document = explained.model_dump(mode="json")
    assert (explained.line, explained.known_at_ingest, explained.closing.closed_by) == (line, 1, "ann")
    assert document["recomputed"] == redo(document) | {"agrees": True}
    anew = meter.explain(line.charge_id, as_of="2026-12-01")
    assert (anew.closing, anew.line == line) == (None, False)


def test_a_date_that_two_closed_periods_share_needs_its_period(tmp_path):
    meter = day_meter(tmp_path)
    halves = ["2026-10-01T00:00:00Z..2026-10-01T06:00:00Z", "2026-10-01T06:00:00Z..2026-10-02T00:00:00Z"]
    lines = [meter.close(half).bill.lines[0] for half in halves]
    assert lines[0].charge_id == lines[1].charge_id
    with pytest.raises(MisuseError, match=f"stands in {halves[0]} and {halves[1]}, which are closed: name one with --period"):
        meter.explain(lines[0].charge_id)
    for half, line in zip(halves, lines, strict=True):
        explained = meter.explain(line.charge_id, period=half)
        assert (explained.line, explained.closing.period, explained.recomputed.agrees) == (line, half, True)


def test_a_date_of_which_a_part_is_open_needs_its_period_if_the_open_part_has_the_line_too(tmp_path):
    meter = day_meter(tmp_path)
    before, closed, after = (
        "2026-10-01T00:00:00Z..2026-10-01T06:00:00Z", "2026-10-01T06:00:00Z..2026-10-01T12:00:00Z",
        "2026-10-01T12:00:00Z..2026-10-02T00:00:00Z",
    )  # fmt: skip
    (line,) = meter.close(closed).bill.lines
    words = rf"stands in {closed}, which is closed, and in {before} and {after}, which are not: name one with --period"
    with pytest.raises(MisuseError, match=words):
        meter.explain(line.charge_id)
    assert meter.explain(line.charge_id, period=closed).line == line
    for part in (before, after):
        (own,) = meter.bill(part).lines
        explained = meter.explain(line.charge_id, period=part)
        assert (explained.line, explained.closing, explained.recomputed.agrees) == (own, None, True)
    # Of what bursts in the closed part alone there is but one line of that name.
    more_facts(meter, tmp_path, "none", supersede=True, samples=polls(DAY, "2026-10-01T06:00:00Z", {}))
    with pytest.raises(MisuseError, match=rf"and in {after}, which is not: name one with --period"):
        meter.explain(line.charge_id)
    more_facts(meter, tmp_path, "rest", supersede=True, samples=polls("2026-10-01T12:00:00Z", NEXT, {}))
    assert meter.explain(line.charge_id).line == line


def tampered(meter, old: str, new: str, closing: int = 1):
    with meter._store.writing() as engine:
        changed = engine.sql(
            "update closed_statements set document = replace(document, $old, $new) "
            "where closing_seq = $closing and contains(document, $old) returning 1",
            {"old": old, "new": new, "closing": closing},
        )
    assert changed


def test_a_frozen_line_that_was_changed_is_found_to_disagree(tmp_path):
    meter = day_meter(tmp_path)
    (line,) = meter.close(DAY).bill.lines
    tampered(meter, '"amount":"0.01000000000000000000"', '"amount":"0.02000000000000000000"')
    explained = meter.explain(line.charge_id)
    assert (explained.line.amount, explained.recomputed.amount) == (exact("0.02"), exact("0.01"))
    assert not explained.recomputed.agrees


@pytest.mark.parametrize("closing", [1, 2])
def test_an_adjustment_disagrees_where_either_statement_was_changed(tmp_path, closing):
    meter = day_meter(tmp_path)
    meter.close(DAY)
    more_facts(meter, tmp_path, "fix", supersede=True, **CORRECTIONS["superseded polls"])
    (line,) = adjustments(meter)
    meter.close(NEXT)
    amount = {1: "0.01000000000000000000", 2: "0.00083333333333333333"}[closing]
    tampered(meter, f'"amount":"{amount}"', '"amount":"0.02000000000000000000"', closing)
    explained = meter.explain(line.charge_id)
    assert not explained.recomputed.agrees
    assert "DISAGREES" in verdict(explained)
    assert "0.02000000000000000000" in verdict(explained)


def test_facts_that_were_changed_behind_its_back_make_it_disagree(tmp_path):
    meter = day_meter(tmp_path)
    (line,) = meter.close(DAY).bill.lines
    with meter._store.writing() as engine:
        engine.sql("update open_runs set allocated_size = allocated_size + 1")
        engine.sql("update closed_runs set allocated_size = allocated_size + 1")
    explained = meter.explain(line.charge_id)
    assert isinstance(explained.recomputed.amount, Decimal)
    assert not explained.recomputed.agrees


# --- pages and tables ---


def test_the_page_stands_alone_and_tells_everything(tmp_path):
    meter = day_meter(tmp_path)
    meter.close(DAY, by="ann <b>")
    more_facts(meter, tmp_path, "fix", supersede=True, **CORRECTIONS["everything"])
    explained = meter.explain(adjustments(meter)[0].charge_id)
    assert isinstance(explained, ExplainedAdjustment)
    page = adjustment_page(explained)
    assert re.findall(r"https?:|<script|<link|@import|url\(|src=", page) == []
    assert "ann &lt;b&gt;" in page
    assert f"{explained.line.amount:f} CHF" in page
    names = [table.name for _, table in tables(explained, every_poll=True)]
    assert names[:3] == ["causes", "billed", "changes"]
    assert names[3:] == ["intervals", "snapshots", "subscriptions", "prices", "polls"] * 2
