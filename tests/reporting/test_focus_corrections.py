"""What comes late to closed periods, as FOCUS has it: the costs of a subscription add up to what was billed for it."""

from collections import defaultdict
from decimal import Decimal, localcontext

import pytest
from closed_world import more_facts
from focus_world import exported, figures
from small_world import GIB, meter_of, polls, price, subscription

# 1 GiB costs 0.10 in 30 days, so 5 GiB for 10 days a sixth.
PRICES = (price("0.1", level=0), price("0.3"))
TEN_DAYS = "2026-09-10T12:00:00Z", "2026-09-20T12:00:00Z"
FIVE = subscription("s1", 5 * GIB, *TEN_DAYS)
SIXTH, HALF_A_DAY = Decimal("0.16666666666666666667"), Decimal("0.00833333333333333333")


def september(folder, *subscriptions, days=("2026-09-10", "2026-09-14"), size=10 * GIB, **more):
    """Open a meter that knows four days of one snapshot, and subscriptions at 0.10 per GB/month."""
    samples = polls(*days, {"s": size})
    return meter_of(folder, samples=samples, prices=PRICES, subscriptions=list(subscriptions), **more)


def parts(rows, name):
    """Give what rows say of a subscription: category, class, status, day, billed, effective."""
    return sorted(
        (
            row["ChargeCategory"], row["ChargeClass"], row["CommitmentDiscountStatus"], row["ChargePeriodStart"][:10],
            *figures(row, "BilledCost", "EffectiveCost"),
        )
        for row in rows
        if row["CommitmentDiscountId"] == name
    )  # fmt: skip


def sums(meter, folder, *periods):
    """Give billed and effective cost by subscription over periods."""
    found = defaultdict(lambda: [Decimal(0), Decimal(0)])
    with localcontext(prec=60):
        for period in periods:
            for row in exported(meter, period, folder):
                if name := row["CommitmentDiscountId"]:
                    for at, column in enumerate(("BilledCost", "EffectiveCost")):
                        found[name][at] += Decimal(row[column])
    return dict(found)


def test_a_late_purchase_of_an_account_that_the_closed_period_had_no_statement_of_is_billed(tmp_path):
    """B is polled from the second day on, and its subscription is known after the first was closed."""
    accounts = [{"account": "A", "currency": "CHF"}, {"account": "B", "currency": "CHF"}]
    samples = [
        *polls("2026-09-10", "2026-09-12", {"s": 10 * GIB}),
        *polls("2026-09-11T01:00:00Z", "2026-09-12", {"t": 3 * GIB}, account="B"),
    ]
    meter = meter_of(tmp_path, samples=samples, prices=PRICES, accounts=accounts)
    assert {row.account for row in meter.close("2026-09-10").bill.usage} == {"A"}
    more_facts(meter, tmp_path, "late", subscriptions=[subscription("s1", 5 * GIB, *TEN_DAYS, account="B")])
    d, nothing = Decimal, Decimal(0)
    assert parts(exported(meter, "2026-09-11", tmp_path), "ZRH/s1") == [
        ("Purchase", "Correction", "", "2026-09-10", SIXTH, nothing),
        # 3 of 5 GiB in 23 of 24 hours: 69 of 120 parts of a sixtieth
        ("Usage", "", "Unused", "2026-09-11", nothing, d("0.00708333333333333333")),
        ("Usage", "", "Used", "2026-09-11", nothing, d("0.00958333333333333334")),
        ("Usage", "Correction", "Unused", "2026-09-10", nothing, HALF_A_DAY),
    ]
    meter.close("2026-09-11")
    assert not [row for row in parts(exported(meter, "2026-09-12", tmp_path), "ZRH/s1") if row[1]], "corrected once"


def test_the_corrections_of_an_account_are_those_of_it_in_the_export_of_all(tmp_path):
    samples = [*polls("2026-09-10", "2026-09-12", {"s": 10 * GIB}), *polls("2026-09-10", "2026-09-12", {"t": 3 * GIB}, account="B")]
    meter = meter_of(tmp_path, samples=samples, prices=PRICES, accounts=[{"account": a, "currency": "CHF"} for a in "AB"])
    meter.close("2026-09-10")
    late = [subscription(f"of-{account}", 5 * GIB, *TEN_DAYS, account=account) for account in "AB"]
    more_facts(meter, tmp_path, "late", subscriptions=late)
    everything = exported(meter, "2026-09-11", tmp_path)
    for account in "AB":
        own = exported(meter, "2026-09-11", tmp_path, account=account)
        assert own == [row for row in everything if row["BillingAccountId"] == account]
        assert {row["CommitmentDiscountId"] for row in own if row["ChargeClass"]} == {"", f"ZRH/of-{account}"}


def cut(end):
    return subscription("s1", 5 * GIB, "2026-09-10T06:00:00Z", end)


LONG = cut("2026-09-20T12:00:00Z")
OTHERWISE = {
    "cancelled": {"subscriptions": [cut("2026-09-10T18:00:00Z")]},
    "moved": {"subscriptions": [subscription("s1", 5 * GIB, "2026-09-15T12:00:00Z", "2026-09-25T12:00:00Z")]},
    "set to zero": {"subscriptions": [subscription("s1", 0, "2026-09-10T06:00:00Z", "2026-09-20T12:00:00Z")]},
    "another's": {
        "subscriptions": [subscription("s1", 5 * GIB, "2026-09-10T06:00:00Z", "2026-09-20T12:00:00Z", account="B")],
        "accounts": [{"account": "B", "currency": "CHF"}],
    },
    "of no known cost": {"accounts": [{"account": "A", "currency": "EUR"}], "prices": [price("0.3", currency="EUR")]},
}


@pytest.mark.parametrize("closed", [("2026-09-11",), ("2026-09-10", "2026-09-11")], ids="+".join)
@pytest.mark.parametrize("late", OTHERWISE)
def test_a_subscription_that_is_none_of_a_closed_period_any_more_is_taken_back(late, closed, tmp_path):
    """An export that fails a check raises."""
    meter = september(tmp_path, LONG)
    for day in closed:
        meter.close(day)
    assert sums(meter, tmp_path, *closed)["ZRH/s1"][1] > 0
    more_facts(meter, tmp_path, "late", supersede=True, **OTHERWISE[late])
    billed, effective = sums(meter, tmp_path, *closed, "2026-09-12")["ZRH/s1"]
    with_purchase = "2026-09-10" in closed
    if late == "cancelled":
        # 5 GiB for half a day
        assert (billed, effective) == ((HALF_A_DAY,) * 2 if with_purchase else (0, 0))
    elif late == "another's":
        # 10.25 days, of which 2.75 or 2 have passed: a sixtieth each
        assert round(60 * billed, 15) == (Decimal("10.25") if with_purchase else 0)
        assert round(60 * effective, 15) == (Decimal("2.75") if with_purchase else 2)
    else:
        assert (billed, effective) == (0, 0), "as if there had been none"


def test_a_subscription_that_came_late_and_has_no_cost_is_told(tmp_path):
    """It ended in the closed period, so the open one has nothing of it; another runs on, and is told once."""
    meter = september(tmp_path)
    meter.close("2026-09-10")
    ends = {"ended": "2026-09-10T18:00:00Z", "runs": "2026-09-20T12:00:00Z"}
    late = [subscription(name, GIB, "2026-09-10T12:00:00Z", end, account="C") for name, end in ends.items()]
    more_facts(meter, tmp_path, "late", subscriptions=late)
    told = []
    exported(meter, "2026-09-11", tmp_path, tell=told.append)
    what = "of C in ZRH, of which nothing tells the cost"
    assert sorted(told) == [f"left out: subscription {name} {what}" for name in ("ended", "runs")]


def test_the_second_file_tells_a_subscription_as_it_is_now(tmp_path):
    meter = september(tmp_path, LONG)
    meter.close("2026-09-10")
    meter.close("2026-09-11")
    more_facts(meter, tmp_path, "late", supersede=True, subscriptions=[cut("2026-09-10T18:00:00Z")])
    exported(meter, "2026-09-12", tmp_path)
    told = (tmp_path / "focus-commitments.csv").read_text(encoding="utf-8")
    assert "2026-09-10T18:00:00Z" in told
    assert "2026-09-20T12:00:00Z" not in told


def test_what_changed_for_one_closed_period_may_only_be_used_otherwise_in_another(tmp_path):
    """The third day was closed before the second, so nothing carried it: for it the amount changed, for the first only the use."""
    meter = september(tmp_path, LONG, size=2 * GIB)
    meter.close("2026-09-10")
    meter.close("2026-09-12")
    more_facts(
        meter, tmp_path, "more", supersede=True,
        subscriptions=[subscription("s1", 6 * GIB, "2026-09-10T06:00:00Z", "2026-09-20T12:00:00Z")],
    )  # fmt: skip
    meter.close("2026-09-11")
    more_facts(meter, tmp_path, "poll", samples=polls("2026-09-10T12:02:00Z", "2026-09-10T12:03:00Z", {"s": 3 * GIB}))
    late = [row for row in parts(exported(meter, "2026-09-13", tmp_path), "ZRH/s1") if row[1]]
    assert {row[3] for row in late} == {"2026-09-10", "2026-09-12"}
    with localcontext(prec=60):
        assert sum(row[5] for row in late if row[3] == "2026-09-10") == 0
        # 1 GiB more for a day
        assert abs(sum(row[5] for row in late if row[3] == "2026-09-12") - Decimal(1) / 300) < Decimal("1e-19")


def test_a_day_of_closed_ones_carries_no_corrections_as_its_bill_carries_no_adjustments(tmp_path):
    """The two days that were closed together did; a day of theirs by itself is computed beside them."""
    meter = september(tmp_path)
    meter.close("2026-09-10")
    more_facts(meter, tmp_path, "late", subscriptions=[FIVE])
    both = "2026-09-11..2026-09-13"
    meter.close(both)
    assert {row[1] for row in parts(exported(meter, both, tmp_path), "ZRH/s1")} == {"", "Correction"}
    for day in ("2026-09-11", "2026-09-12"):
        assert {row["ChargeClass"] for row in exported(meter, day, tmp_path)} == {""}, day
