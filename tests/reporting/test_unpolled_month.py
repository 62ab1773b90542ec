"""A month in which nobody polls, but which carries what closed ones owe: as the bill has it, so do reports, FOCUS and the audit."""

from decimal import Decimal
from functools import partial

import pytest
from closed_world import amounts, exact, more_facts
from focus_world import exported, figures
from small_world import GIB, meter_of, polls, price, subscription

from metering.model.errors import NoDataError

PRICES = (price("0.10", level=0), price("0.30"))
BOUGHT = subscription("s1", 5 * GIB, "2026-08-10T12:00:00Z", "2026-10-20T12:00:00Z")


@pytest.fixture
def meter(tmp_path):
    """Half a day is polled in August; August is closed."""
    samples = polls("2026-08-20", "2026-08-20T12:00:00Z", {"s": 10 * GIB})
    meter = meter_of(tmp_path, samples=samples, prices=PRICES, subscriptions=[BOUGHT])
    meter.close("2026-08", reason="it left")
    return meter


def test_what_a_closed_month_owes_is_exported_and_audited(meter, tmp_path):
    late = [subscription("s2", 2 * GIB, "2026-08-10T12:00:00Z", "2026-10-20T12:00:00Z")]
    more_facts(meter, tmp_path, "late", supersede=True, prices=[price("0.60")], subscriptions=late)
    # 5 GiB burst for half a day and 10 minutes at 0.30, of which 2 are covered now, and the price is 0.60: 0.3 more a GiB-month.
    owed = Decimal("0.3") * 43_800 / (30 * 86_400)
    billed = sum(amount for _, _, amount in amounts(meter.bill("2026-09")))
    assert round(billed, 15) == round(owed, 15)
    for _ in ("open", "closed"):
        rows = exported(meter, "2026-09", tmp_path)
        burst = [row for row in rows if row["ChargeCategory"] == "Usage" and not row["CommitmentDiscountId"]]
        assert sum(figures(row, "BilledCost")[0] for row in burst) == billed
        bought = [(row["CommitmentDiscountId"], row["ChargeClass"]) for row in rows if row["ChargeCategory"] == "Purchase"]
        assert bought == [("ZRH/s2", "Correction")]
        own = {(row["CommitmentDiscountId"], row["CommitmentDiscountStatus"]) for row in rows if not row["ChargeClass"]}
        assert own == {("ZRH/s1", "Unused"), ("ZRH/s2", "Unused"), ("", "")}, "the rounding beside"
        found = [finding.check for finding in meter.audit("2026-09")]
        assert "restated" in found
        meter.close("2026-09", reason="nobody polls any more")
    assert meter.verify().differences == []


def test_what_a_closed_month_owes_is_reported_as_the_workbook_has_it(meter, tmp_path):
    """5 GiB for half a day and 10 minutes at 0.60 instead of 0.30 per GB/month; of the subscription, 30 of its 71 days."""
    more_facts(meter, tmp_path, "late", supersede=True, prices=[price("0.60")])
    owed = "0.02534722222222222222"
    for _ in ("open", "closed"):
        for options in ({}, {"account": "A"}):
            (cost,) = meter.report_table("cost", "2026-09", **options).documents()
            assert (cost["account"], cost["location"], cost["currency"]) == ("A", "ZRH", "CHF")
            assert (cost["burst_cost"], cost["adjustment_cost"]) == ("0.00000000000000000000", owed)
            assert Decimal(cost["total_cost"]) == Decimal(cost["subscription_cost"]) + Decimal(owed)
            (usage,) = meter.report_table("usage", "2026-09", **options).documents()
            assert (usage["occupied_byte_seconds"], usage["missing_seconds"]) == ("0", 30 * 86_400)
            told = []
            assert meter.report_table("burst", "2026-09", tell=told.append, **options).rows == []
            assert told == [f"without adjustments of closed periods: {owed} CHF, which `metering bill 2026-09` has"]
        counts = meter.workbook(tmp_path / "september.xlsx", period="2026-09")
        assert counts[f"{tmp_path / 'september.xlsx'}, cost"] == 1
        with pytest.raises(NoDataError, match="account 'B' has neither usage nor a subscription"):
            meter.report_table("cost", "2026-09", account="B")
        meter.close("2026-09", reason="nobody polls any more")


def test_a_late_purchase_alone_is_exported_though_there_is_nothing_to_bill(meter, tmp_path):
    """C was never polled: it has no statement, and what it bought covers nothing."""
    late = subscription("s3", 2 * GIB, "2026-08-10T12:00:00Z", "2026-08-20T12:00:00Z", account="C")
    more_facts(meter, tmp_path, "late", subscriptions=[late], accounts=[{"account": "C", "currency": "CHF"}])
    with pytest.raises(NoDataError, match="nothing was observed in 2026-09"):
        meter.bill("2026-09")
    (bought,) = (row for row in exported(meter, "2026-09", tmp_path) if row["ChargeCategory"] == "Purchase")
    assert (bought["BillingAccountId"], *figures(bought, "BilledCost")) == ("C", exact("0.06666666666666666667"))


def test_a_month_that_owes_nothing_is_refused_where_the_bill_is(meter, tmp_path):
    reports = [partial(meter.report_table, name) for name in ("usage", "burst", "cost", "coverage")]
    for ask in (meter.bill, meter.audit, *reports, lambda period: exported(meter, period, tmp_path)):
        with pytest.raises(NoDataError, match="nothing was observed in 2026-09: polls are known from 2026-08-20T00:00:00Z"):
            ask("2026-09")
    assert not (tmp_path / "focus.csv").exists()
