"""Worked cases: what comes late never touches a closed statement, and stands in the next open period, up and down."""

import json
from decimal import Decimal

import pytest
from closed_world import amounts, day_meter, exact, more_facts
from small_world import GIB, polls, price, subscription

from metering.model.period import instant_seconds


def closed_day(tmp_path, **world):
    meter = day_meter(tmp_path, **world)
    return meter, meter.close("2026-10-01", by="ann").bill


def test_nothing_came_late_so_nothing_is_adjusted(tmp_path):
    meter, closed = closed_day(tmp_path)
    assert [line.amount for line in closed.lines] == [exact("0.01")]
    assert amounts(meter.bill("2026-10-02")) == []


def test_a_day_whose_polls_came_late_is_billed_in_the_next_open_day(tmp_path):
    half = polls("2026-10-01", "2026-10-01T12:00:00Z", {"s": GIB}) + polls("2026-10-02", "2026-10-03", {"s": GIB})
    meter = day_meter(tmp_path, samples=half)
    closed = meter.close("2026-10-01", by="ann", reason="the collector was down from noon, ticket 17").bill
    # 12 h were measured, and the last poll of 11:55 held 10 minutes more: 43 800 s of 86 400 s.
    assert [(line.burst_seconds, line.amount) for line in closed.lines] == [(43_800, exact("0.00506944444444444444"))]
    more_facts(meter, tmp_path, "late", samples=polls("2026-10-01T12:00:00Z", "2026-10-02", {"s": GIB}))
    assert meter.bill("2026-10-01") == closed
    (line,) = [line for line in meter.bill("2026-10-02").lines if line.kind == "adjustment"]
    assert (line.adjusts, line.date, line.burst_seconds) == ("2026-10-01", instant_seconds("2026-10-01"), 42_600)
    assert line.burst_byte_seconds == 42_600 * GIB
    assert line.amount == exact("0.01") - closed.lines[0].amount


def test_a_backdated_subscription_gives_back_what_was_billed(tmp_path):
    meter, _ = closed_day(tmp_path)
    more_facts(meter, tmp_path, "late", subscriptions=[subscription("sub-1", GIB, "2026-10-01T12:00:00Z", "2026-10-02T06:00:00Z")])
    bill = meter.bill("2026-10-02")
    assert amounts(bill) == [("2026-10-01", "0.30", exact("-0.005"))]
    assert amounts(bill, "burst") == [(None, "0.30", exact("0.0075"))]
    (statement,) = bill.statements
    assert statement.burst_amount == exact("0.0025")
    assert statement.amount_due == Decimal("0.00")


def test_a_statement_that_gives_back_more_than_it_bills_is_a_credit(tmp_path):
    meter, closed = closed_day(tmp_path, sizes={"s": 100 * GIB})
    assert closed.statements[0].amount_due == Decimal("1.00")
    more_facts(meter, tmp_path, "late", subscriptions=[subscription("sub-1", 200 * GIB, "2026-09-01", "2026-12-01")])
    (statement,) = meter.bill("2026-10-02").statements
    assert (statement.state, statement.burst_amount, statement.amount_due) == ("draft", exact("-1"), Decimal("-1.00"))


def test_a_superseded_poll_is_adjusted_by_the_seconds_it_held(tmp_path):
    meter, closed = closed_day(tmp_path)
    more_facts(
        meter, tmp_path, "fix", supersede=True, samples=polls("2026-10-01T06:00:00Z", "2026-10-01T06:05:00Z", {"s": 3 * GIB})
    )
    (line,) = [line for line in meter.bill("2026-10-02").lines if line.kind == "adjustment"]
    assert (line.burst_byte_seconds, line.burst_seconds) == (300 * 2 * GIB, 0)
    # what the line is now, rounded once, less what was billed
    assert line.amount == exact("0.01006944444444444444") - closed.lines[0].amount
    assert line.peak_burst_bytes == 3 * GIB


def test_the_poll_before_a_closed_day_is_superseded_and_adjusted_by_the_seconds_it_held_in_it(tmp_path):
    """It holds from 23:55 until 00:02: two minutes of the closed day are of 3 GiB instead of 1."""
    before = polls("2026-09-30T23:55:00Z", "2026-10-01", {"s": GIB})
    meter, _ = closed_day(tmp_path, samples=before + polls("2026-10-01T00:02:00Z", "2026-10-03", {"s": GIB}))
    more_facts(meter, tmp_path, "fix", supersede=True, samples=polls("2026-09-30T23:55:00Z", "2026-10-01", {"s": 3 * GIB}))
    bill = meter.bill("2026-10-02")
    assert [(line.adjusts, line.burst_byte_seconds) for line in bill.lines if line.adjusts] == [("2026-10-01", 2 * GIB * 120)]
    (finding,) = [finding for finding in bill.findings if finding.check == "restated"]
    assert [(cause["cause"], cause["first"]) for cause in finding.causes] == [("superseded_polls", "at ZRH 2026-09-30T23:55:00Z")]


def test_a_burst_twice_as_high_for_half_the_time_is_an_adjustment_of_seconds_alone(tmp_path):
    meter, _ = closed_day(tmp_path)
    high = polls("2026-10-01T06:00:00Z", "2026-10-01T06:05:00Z", {"s": 2 * GIB})
    low = polls("2026-10-01T06:05:00Z", "2026-10-01T06:10:00Z", {"s": 0})
    more_facts(meter, tmp_path, "fix", supersede=True, samples=high + low)
    (line,) = [line for line in meter.bill("2026-10-02").lines if line.kind == "adjustment"]
    assert (line.burst_byte_seconds, line.burst_seconds, line.amount) == (0, -300, 0)


def test_what_only_touches_the_edges_of_a_closed_day_is_no_cause(tmp_path):
    """What ends as the day begins or begins as it ends, and a poll before the one with which the day begins."""
    meter, _ = closed_day(tmp_path)
    bought = [
        subscription("before", GIB, "2026-09-01T12:00:00Z", "2026-10-01T00:00:00Z"),
        subscription("after", GIB, "2026-10-02T00:00:00Z", "2026-11-01T12:00:00Z"),
        subscription("in it", GIB, "2026-10-01T12:00:00Z", "2026-10-01T13:00:00Z"),
    ]
    earlier = polls("2026-09-30T23:57:30Z", "2026-09-30T23:58:00Z", {"s": GIB})
    prices = [price("0.60", since="2026-10-02"), price("0.90", location="GVA")]
    more_facts(meter, tmp_path, "late", samples=earlier, subscriptions=bought, prices=prices)
    (finding,) = [finding for finding in meter.bill("2026-10-02").findings if finding.check == "restated"]
    assert [(cause["cause"], cause["first"]) for cause in finding.causes] == [("subscriptions", "in it")]


def test_every_unpriced_line_of_a_closed_period_is_counted(tmp_path):
    meter = day_meter(tmp_path, prices=())
    meter.close("2026-10-01..2026-10-03", reason="no prices yet")
    found = [finding for finding in meter.bill("2026-10-03").findings if finding.check == "unpriced_burst"]
    assert [(finding.count, "is closed" in finding.message) for finding in found] == [(2, True), (1, False)]


def test_a_corrected_price_takes_the_old_line_back_and_bills_the_new_one(tmp_path):
    meter, _ = closed_day(tmp_path)
    more_facts(meter, tmp_path, "fix", supersede=True, prices=[price("0.60")])
    assert amounts(meter.bill("2026-10-02")) == [("2026-10-01", "0.30", exact("-0.01")), ("2026-10-01", "0.60", exact("0.02"))]


def test_a_price_that_is_written_otherwise_is_the_same_price(tmp_path):
    meter, _ = closed_day(tmp_path)
    more_facts(meter, tmp_path, "fix", supersede=True, prices=[price("0.3")])
    assert amounts(meter.bill("2026-10-02")) == []


def test_a_burst_level_that_came_late_moves_the_charge_to_its_price(tmp_path):
    meter, _ = closed_day(tmp_path, prices=(price("0.30"), price("0.90", level=2)))
    late = [{"location": "ZRH", "resource": "backup", "level": 2, "effective_from": "2026-10-01T12:00:00Z"}]
    more_facts(meter, tmp_path, "late", burst_levels=late)
    bill = meter.bill("2026-10-02")
    assert amounts(bill) == [("2026-10-01", "0.30", exact("-0.005")), ("2026-10-01", "0.90", exact("0.015"))]
    (finding,) = [finding for finding in bill.findings if finding.check == "restated"]
    assert [cause["cause"] for cause in finding.causes] == ["burst_levels"]


def test_an_account_that_had_no_statement_owes_for_the_closed_day_too(tmp_path):
    meter, closed = closed_day(tmp_path, accounts=({"account": a, "currency": "CHF", "name": a} for a in "AB"))
    assert {row.account for row in closed.statements} == {"A"}
    more_facts(meter, tmp_path, "late", samples=polls("2026-09-30", "2026-10-02", {"t": 2 * GIB}, account="B"))
    bill = meter.bill("2026-10-02")
    assert [(line.account, line.amount) for line in bill.lines if line.kind == "adjustment"] == [("B", exact("0.02"))]
    assert {row.account: row.burst_amount for row in bill.statements}["B"] == exact("0.02") + sum(
        line.amount for line in bill.lines if line.account == "B" and line.kind == "burst"
    )


def test_what_moves_between_accounts_is_taken_from_one_and_billed_to_the_other(tmp_path):
    both = polls("2026-10-01", "2026-10-03", {"s": GIB}) + polls("2026-10-01", "2026-10-03", {}, account="B")
    accounts = [{"account": a, "currency": "CHF", "name": a} for a in "AB"]
    meter, _ = closed_day(tmp_path, samples=both, accounts=accounts)
    gone = polls("2026-10-01", "2026-10-02", {}) + polls("2026-10-01", "2026-10-02", {"s": GIB}, account="B")
    more_facts(meter, tmp_path, "fix", supersede=True, samples=gone)
    lines = [line for line in meter.bill("2026-10-02").lines if line.kind == "adjustment"]
    assert [(line.account, line.amount) for line in lines] == [("A", exact("-0.01")), ("B", exact("0.01"))]


def test_a_corrected_currency_takes_back_in_the_old_one_on_a_statement_of_its_own(tmp_path):
    meter, _ = closed_day(tmp_path, prices=(price("0.30"), price("0.60", currency="USD")))
    more_facts(meter, tmp_path, "fix", supersede=True, accounts=[{"account": "A", "currency": "USD", "name": "A"}])
    bill = meter.bill("2026-10-02")
    assert amounts(bill) == [("2026-10-01", "0.30", exact("-0.01")), ("2026-10-01", "0.60", exact("0.02"))]
    assert [(row.currency, row.burst_amount) for row in bill.statements] == [("CHF", exact("-0.01")), ("USD", exact("0.04"))]
    meter.close("2026-10-02")
    assert amounts(meter.bill("2026-10-03")) == []


def test_a_correction_of_a_correction_of_a_correction_nets_to_the_truth(tmp_path):
    meter, closed = closed_day(tmp_path)
    total = sum(line.amount for line in closed.lines)
    for day, said in (("2026-10-02", "0.60"), ("2026-10-03", "0.11"), ("2026-10-04", "0.29")):
        more_facts(meter, tmp_path, said, supersede=True, prices=[price(said)])
        bill = meter.close(day).bill
        total += sum(line.amount for line in bill.lines if line.adjusts == "2026-10-01")
        # 1 GiB for a day is a 30th of a GB-month
        assert total == exact(str(Decimal(said) / 30))
    assert [line.price for line in bill.lines if line.adjusts == "2026-10-01"] == ["0.11", "0.29"]


def test_adjustments_are_carried_by_the_open_day_that_follows_without_a_gap_and_by_no_other(tmp_path):
    meter, _ = closed_day(tmp_path)
    meter.close("2026-10-03")
    more_facts(meter, tmp_path, "fix", supersede=True, prices=[price("0.60")])
    assert {line.adjusts for line in meter.bill("2026-10-02").lines} == {None, "2026-10-01"}
    assert {line.adjusts for line in meter.bill("2026-10-04").lines} == {None, "2026-10-03"}
    meter.close("2026-10-02")
    assert {line.adjusts for line in meter.bill("2026-10-04").lines} == {None, "2026-10-03"}
    more_facts(meter, tmp_path, "again", supersede=True, prices=[price("0.90")])
    assert {line.adjusts for line in meter.bill("2026-10-04").lines} == {None, "2026-10-01", "2026-10-02", "2026-10-03"}


def test_a_parked_statement_bills_nothing_and_all_of_it_comes_once_it_has_a_price(tmp_path):
    meter = day_meter(tmp_path, prices=(price("0.30", since="2026-10-01T12:00:00Z"),))
    closed = meter.close("2026-10-01", reason="the price list came late").bill
    (statement,) = closed.statements
    assert (statement.state, statement.amount_due) == ("parked", None)
    still = meter.bill("2026-10-02")
    assert amounts(still) == [("2026-10-01", None, None), ("2026-10-01", "0.30", exact("0.005"))]
    assert [(row.state, row.amount_due) for row in still.statements] == [("parked", None)]
    more_facts(meter, tmp_path, "late", prices=[price("0.60", since="2026-10-01")])
    bill = meter.bill("2026-10-02")
    assert amounts(bill) == [("2026-10-01", "0.30", exact("0.005")), ("2026-10-01", "0.60", exact("0.01"))]
    meter.close("2026-10-02")
    assert amounts(meter.bill("2026-10-03")) == []


def test_an_account_that_became_known_after_the_closing_is_billed_for_it(tmp_path):
    meter = day_meter(tmp_path, accounts=())
    meter.close("2026-10-01", reason="nobody knows who A is")
    more_facts(meter, tmp_path, "late", accounts=[{"account": "A", "currency": "CHF", "name": "A"}])
    bill = meter.bill("2026-10-02")
    assert amounts(bill) == [("2026-10-01", "0.30", exact("0.01"))]
    assert [(row.currency, row.state) for row in bill.statements] == [("CHF", "draft")]


def test_another_max_hold_is_no_fact_and_restates_nothing(tmp_path):
    gappy = polls("2026-10-01", "2026-10-01T23:00:00Z", {"s": GIB}) + polls("2026-10-01T23:20:00Z", "2026-10-03", {"s": GIB})
    meter, _ = closed_day(tmp_path, samples=gappy)
    other = type(meter)(meter.settings.model_copy(update={"max_hold": 3600}), clock=meter._clock)
    more_facts(other, tmp_path, "late", prices=[price("0.30", since="2026-10-01")])
    assert amounts(other.bill("2026-10-02")) == []
    assert other.verify().differences == []


def test_a_price_of_another_location_or_currency_is_no_cause(tmp_path):
    meter, _ = closed_day(tmp_path)
    elsewhere = [price("0.90") | {"location": "GVA"}, price("0.60", currency="USD")]
    late = [subscription("sub-1", GIB, "2026-10-01T12:00:00Z", "2026-10-02T06:00:00Z")]
    more_facts(meter, tmp_path, "late", prices=elsewhere, subscriptions=late)
    (finding,) = [finding for finding in meter.bill("2026-10-02").findings if finding.check == "restated"]
    assert [cause["cause"] for cause in finding.causes] == ["subscriptions"]


def test_the_finding_tells_the_closed_day_the_arithmetic_and_every_cause(tmp_path):
    meter, _ = closed_day(tmp_path)
    more_facts(meter, tmp_path, "fix", supersede=True, samples=polls("2026-10-01T06:00:00Z", "2026-10-01T06:15:00Z", {"s": 0}))
    more_facts(meter, tmp_path, "late", samples=polls("2026-10-01T07:01:00Z", "2026-10-01T07:02:00Z", {"s": GIB}))
    more_facts(meter, tmp_path, "sub", subscriptions=[subscription("sub-1", GIB, "2026-10-01T12:00:00Z", "2026-10-01T13:00:00Z")])
    (finding,) = [finding for finding in meter.bill("2026-10-02").findings if finding.check == "restated"]
    said = finding.model_dump(mode="json")
    assert json.loads(json.dumps(said)) == said
    assert (said["adjusts"], said["account"], said["currency"]) == ("2026-10-01", "A", "CHF")
    # 900 s at nothing, and an hour entitled: 81 900 s of 86 400 s are left
    assert (said["billed"], said["restated"]) == ("0.01000000000000000000", "0.00947916666666666667")
    assert said["difference"] == "-0.00052083333333333333"
    assert [(cause["cause"], cause["count"], cause["first"], cause["first_ingest"]) for cause in said["causes"]] == [
        ("late_polls", 1, "at ZRH 2026-10-01T07:01:00Z", 3),
        ("superseded_polls", 3, "at ZRH 2026-10-01T06:00:00Z", 2),
        ("subscriptions", 1, "sub-1", 4),
    ]
    assert said["message"] == (
        "2026-10-01 is restated: billed 0.01 CHF so far, now 0.00947916666666666667, so adjusted by -0.00052083333333333333; "
        "1 late poll (at ZRH 2026-10-01T07:01:00Z; ingest 3); "
        "3 superseded polls (the first at ZRH 2026-10-01T06:00:00Z; ingest 2); 1 subscription (sub-1; ingest 4)"
    )


def test_lines_keep_the_keys_of_the_interface_and_adjustments_add_one(tmp_path):
    meter, _ = closed_day(tmp_path)
    more_facts(meter, tmp_path, "fix", supersede=True, prices=[price("0.60")])
    own, *_, adjustment = sorted(meter.bill("2026-10-02").document()["lines"], key=lambda line: line["kind"], reverse=True)
    assert set(adjustment) - set(own) == {"adjusts"}
    assert set(own) == {
        "charge_id", "kind", "account", "location", "date", "level", "currency", "price", "unit", "multiplier",
        "burst_byte_seconds", "burst_seconds", "peak_burst_bytes", "amount",
    }  # fmt: skip


def test_every_line_of_a_bill_has_an_id_of_its_own(tmp_path):
    meter, _ = closed_day(tmp_path)
    meter.close("2026-10-02")
    more_facts(meter, tmp_path, "fix", supersede=True, prices=[price("0.60")])
    ids = [line.charge_id for day in ("2026-10-01", "2026-10-02", "2026-10-03") for line in meter.bill(day).lines]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("currency", ["CHF", "JPY", "KWD"])
def test_shown_amounts_of_a_statement_with_adjustments_add_up_to_what_is_due(tmp_path, currency):
    prices = [price("7.77", currency=currency)]
    meter, _ = closed_day(tmp_path, prices=prices, accounts=[{"account": "A", "currency": currency, "name": "A"}])
    more_facts(meter, tmp_path, "fix", supersede=True, prices=[price("3.21", currency=currency)])
    rows = meter.report_table("statement", "2026-10-02").documents()
    *lines, total = rows
    assert [row["adjusts"] for row in lines] == [None, "2026-10-01", "2026-10-01"]
    assert sum(Decimal(row["shown_amount"]) for row in lines) == Decimal(total["shown_amount"])
    assert sum(Decimal(row["amount"]) for row in lines) == Decimal(total["amount"])


def test_a_closed_day_is_restated_where_nobody_polls_any_more(tmp_path):
    meter = day_meter(tmp_path, samples=polls("2026-09-30", "2026-10-01", {"s": GIB}))
    meter.close("2026-09-30")
    meter.close("2026-10", reason="the service ended")
    more_facts(meter, tmp_path, "fix", supersede=True, prices=[price("0.60")])
    # the last poll of September held ten minutes of October, which is adjusted too
    september = [line for line in amounts(meter.bill("2026-11")) if line[0] == "2026-09-30"]
    assert september == [("2026-09-30", "0.30", exact("-0.01")), ("2026-09-30", "0.60", exact("0.02"))]


def test_polls_after_a_closed_day_that_change_where_a_snapshot_counts_restate_it_and_are_named(tmp_path):
    """A snapshot of ZRH that only FRA listed counts there; once ZRH lists it too, whenever, FRA's samples of it count no more."""
    meter, closed = closed_day(tmp_path, samples=polls("2026-10-01", "2026-10-03", {"s": GIB}, endpoint="FRA", location="ZRH"))
    assert [(line.location, line.amount) for line in closed.lines] == [("ZRH", exact("0.01"))]
    more_facts(meter, tmp_path, "later", samples=polls("2026-10-02T12:00:00Z", "2026-10-03", {"s": GIB}))
    bill = meter.bill("2026-10-02")
    assert amounts(bill) == [("2026-10-01", "0.30", exact("-0.01"))]
    (finding,) = [finding for finding in bill.findings if finding.check == "restated"]
    assert [(cause["cause"], cause["count"], cause["first"]) for cause in finding.causes] == [
        ("polls_after_the_period", 144, "2026-10-02T12:00:00Z")
    ]
    assert meter.bill("2026-10-01") == closed
    assert meter.verify().differences == []


def test_polls_before_a_closed_day_that_change_where_a_snapshot_counts_restate_it_and_are_named(tmp_path):
    """ZRH is polled all along and lists nothing, but once, ten days before: what came late is older than the poll carried in."""
    listed = polls("2026-10-01", "2026-10-03", {"s": GIB}, endpoint="FRA", location="ZRH")
    meter, closed = closed_day(tmp_path, samples=listed + polls("2026-09-30", "2026-10-03", {}))
    assert [(line.location, line.amount) for line in closed.lines] == [("ZRH", exact("0.01"))]
    earlier = polls("2026-09-20T12:00:00Z", "2026-09-20T12:15:00Z", {"s": GIB})
    more_facts(meter, tmp_path, "earlier", samples=earlier + polls("2026-10-02T12:00:30Z", "2026-10-02T12:05:00Z", {}))
    bill = meter.bill("2026-10-02")
    assert amounts(bill) == [("2026-10-01", "0.30", exact("-0.01"))]
    (finding,) = [finding for finding in bill.findings if finding.check == "restated"]
    assert finding.message.endswith(
        "3 polls before the period (the first 2026-09-20T12:00:00Z; ingest 2); "
        "1 poll after the period (2026-10-02T12:00:30Z; ingest 2)"
    )
    assert [(cause["cause"], cause["count"], cause["first"]) for cause in finding.causes] == [
        ("polls_before_the_period", 3, "2026-09-20T12:00:00Z"), ("polls_after_the_period", 1, "2026-10-02T12:00:30Z"),
    ]  # fmt: skip
    assert meter.bill("2026-10-01") == closed
    assert meter.verify().differences == []


def test_a_cause_that_was_billed_already_is_not_told_again(tmp_path):
    meter, _ = closed_day(tmp_path)
    for day, said, ingest in (("2026-10-02", "0.60", 2), ("2026-10-03", "0.11", 3)):
        more_facts(meter, tmp_path, said, supersede=True, prices=[price(said)])
        found = [finding for finding in meter.bill(day).findings if finding.check == "restated" and finding.adjusts == "2026-10-01"]
        assert [(cause["cause"], cause["first_ingest"]) for finding in found for cause in finding.causes] == [("prices", ingest)]
        meter.close(day)


def test_a_price_of_a_level_that_nothing_is_charged_at_is_no_cause(tmp_path):
    """Prices of subscriptions and of a level that is not in force come with the one that changes the charge, and alone."""
    meter, _ = closed_day(tmp_path)
    others = [price("0.11", level=0), price("0.90", level=2)]
    more_facts(meter, tmp_path, "fix", supersede=True, prices=[*others, price("0.60")])
    (finding,) = [finding for finding in meter.bill("2026-10-02").findings if finding.check == "restated"]
    assert [(cause["cause"], cause["first"]) for cause in finding.causes] == [("prices", "level 1 from 2020-01-01T00:00:00Z")]
    meter.close("2026-10-02")
    more_facts(meter, tmp_path, "more", supersede=True, prices=[price("0.12", level=0), price("0.91", level=2)])
    assert amounts(meter.bill("2026-10-03")) == []


def test_a_late_poll_of_one_account_is_no_cause_for_another(tmp_path):
    half = polls("2026-10-01", "2026-10-01T12:00:00Z", {"t": GIB}, account="B") + polls("2026-10-02", "2026-10-03", {}, account="B")
    accounts = [{"account": name, "currency": "CHF", "name": name} for name in "AB"]
    meter = day_meter(tmp_path, samples=polls("2026-10-01", "2026-10-03", {"s": GIB}) + half, accounts=accounts)
    meter.close("2026-10-01", by="ann", reason="ticket 17")
    late = polls("2026-10-01T12:00:00Z", "2026-10-02", {"t": GIB}, account="B")
    more_facts(meter, tmp_path, "late", samples=late)
    bought = subscription("sub-1", GIB, "2026-10-01T12:00:00Z", "2026-10-02T06:00:00Z")
    more_facts(meter, tmp_path, "bought", subscriptions=[bought])
    found = [finding for finding in meter.bill("2026-10-02").findings if finding.check == "restated"]
    causes = {finding.account: [cause["cause"] for cause in finding.causes] for finding in found}
    assert causes == {"A": ["subscriptions"], "B": ["late_polls"]}


def test_a_statement_that_is_parked_in_another_currency_is_no_cause(tmp_path):
    """The second day gave back in francs what the first had billed, and was parked in dollars, which have no price."""
    meter, _ = closed_day(tmp_path)
    for currency in ("USD", "CHF"):
        accounts = [{"account": "A", "currency": currency, "name": "A"}]
        more_facts(meter, tmp_path, currency, supersede=True, accounts=accounts)
        if currency == "USD":
            second = meter.close("2026-10-02", reason="the dollar price is to follow").bill
            assert [(row.currency, row.state) for row in second.statements] == [("CHF", "closed"), ("USD", "parked")]
            assert amounts(second) == [("2026-10-01", None, None), ("2026-10-01", "0.30", exact("-0.01"))]
    bill = meter.bill("2026-10-03")
    assert amounts(bill) == [("2026-10-01", "0.30", exact("0.01")), ("2026-10-02", "0.30", exact("0.01"))]
    restated = [finding for finding in bill.findings if finding.check == "restated"]
    corrected = {
        "cause": "account_currencies", "count": 1, "first": "USD to CHF", "first_ingest": 3, "last_ingest": 3,
    }  # fmt: skip
    assert [(finding.adjusts, finding.causes) for finding in restated] == [("2026-10-01", [corrected]), ("2026-10-02", [corrected])]


def test_of_what_was_closed_later_only_adjustments_are_read(tmp_path, monkeypatch):
    meter, _ = closed_day(tmp_path)
    meter.close("2026-10-02", by="ann")
    more_facts(meter, tmp_path, "late", prices=[price("0.60")], supersede=True)
    meter.close("2026-10-03", by="ann")
    more_facts(meter, tmp_path, "later", prices=[price("0.90")], supersede=True)
    read, loads = [], json.loads
    monkeypatch.setattr("metering.books.closings.json.loads", lambda text: read.append(text) or loads(text))
    bill = meter.bill("2026-10-04")
    # Each day itself, and once what 3 October carried of the others: not each day with all that was closed behind it.
    assert len([text for text in read if '"lines"' in text]) == 3 + 1
    # 1 and 2 October were taken back at 0.30 already; 3 October was billed at 0.60.
    taken_back, billed = ("0.60", exact("-0.02")), ("0.90", exact("0.03"))
    assert amounts(bill) == [(f"2026-10-0{day}", *said) for day in (1, 2, 3) for said in (taken_back, billed)]
