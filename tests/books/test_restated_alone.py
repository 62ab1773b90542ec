"""What came late for one account restates that account: of a closed period only what may be another now is computed again.

Kept days stand for what is not looked at: made wrong for an account, they show in its adjustments as soon as it is computed again.
"""

import pytest
from closed_world import PRICES, more_facts
from small_world import GIB, meter_of, polls, price, subscription

HOUR = {"cycle": 3_600, "max_hold": 7_200}
WORLD = {"A": ("ZRH", "CHF"), "B": ("GVA", "CHF"), "C": ("ZRH", "USD"), "D": ("ZRH", "CHF")}


def listed(account, start="2026-10-01", end="2026-10-05", sizes=None, **more):
    location = WORLD[account][0]
    return polls(start, end, {"s": GIB} if sizes is None else sizes, account=account, endpoint=location, step=3_600, **more)


def closed_world(tmp_path):
    """Close two days of four accounts with 1 GiB each, all of it burst but D's."""
    meter = meter_of(
        tmp_path,
        samples=[row for account in WORLD for row in listed(account)],
        prices=[*PRICES, price("0.31", currency="USD")],
        accounts=[{"account": account, "currency": currency, "name": account} for account, (_, currency) in WORLD.items()],
        subscriptions=[subscription("sub-d", GIB, "2026-09-01", "2026-12-01", account="D")],
        settings=HOUR,
    )
    for day in ("2026-10-01", "2026-10-02"):
        meter.close(day, by="ann")
    return meter


def computed_again(meter):
    """Give the accounts and closed days that the next day's bill computes again: with kept days made wrong, it adjusts them."""
    with meter._store.writing() as engine:
        engine.sql("update level_days set occupied_byte_seconds = occupied_byte_seconds + 86400")
    return {(line.account, line.adjusts) for line in meter.bill("2026-10-03").lines if line.kind == "adjustment"}


def test_nothing_came_late_so_nobody_is_computed_again(tmp_path):
    assert computed_again(closed_world(tmp_path)) == set()


def test_a_late_poll_restates_the_account_that_it_feeds(tmp_path):
    meter = closed_world(tmp_path)
    more_facts(meter, tmp_path, "late", samples=listed("A", "2026-10-01T12:30:00Z", "2026-10-01T12:31:00Z", {"s": 3 * GIB}))
    assert computed_again(meter) == {("A", "2026-10-01")}


@pytest.mark.parametrize(
    ("late", "touched"),
    [
        (price("0.40", since="2026-09-01"), {"A", "B"}),
        (price("0.40", since="2026-09-01", location="GVA"), {"B"}),
        (price("0.40", since="2026-09-01", currency="USD"), {"C"}),
        (price("0.40", since="2026-09-01", level=2), set()),
        (price("0.40", since="2026-09-01", currency="JPY"), set()),
    ],
)
def test_a_late_price_restates_who_bursts_where_it_counts(tmp_path, late, touched):
    meter = closed_world(tmp_path)
    more_facts(meter, tmp_path, "late", prices=[late])
    assert computed_again(meter) == {(account, day) for account in touched for day in ("2026-10-01", "2026-10-02")}


def test_a_late_level_restates_who_bursts_in_its_location(tmp_path):
    meter = closed_world(tmp_path)
    level = {"location": "ZRH", "resource": "backup", "level": 2, "effective_from": "2026-10-02"}
    more_facts(meter, tmp_path, "late", burst_levels=[level])
    assert computed_again(meter) == {("A", "2026-10-02"), ("C", "2026-10-02")}


def test_a_late_subscription_restates_its_account_and_the_one_that_it_was_of(tmp_path):
    meter = closed_world(tmp_path)
    more_facts(
        meter, tmp_path, "late", supersede=True,
        subscriptions=[subscription("sub-d", GIB, "2026-09-01", "2026-12-01", account="A")],
    )  # fmt: skip
    assert {account for account, _ in computed_again(meter)} == {"A", "D"}


def test_a_collection_that_comes_to_list_another_location_restates_its_account(tmp_path):
    meter = closed_world(tmp_path)
    # Long after the closed days; what a collection feeds, it feeds from its first poll on.
    far = polls("2026-10-06", "2026-10-06T01:00:00Z", {"t": GIB}, account="A", endpoint="ZRH", location="GVA", step=3_600)
    more_facts(meter, tmp_path, "far", samples=far)
    assert computed_again(meter) == {("A", "2026-10-01"), ("A", "2026-10-02")}


def test_the_adjustments_of_one_account_are_those_that_the_bill_has(tmp_path):
    meter = closed_world(tmp_path)
    late = listed("C", "2026-10-01T12:30:00Z", "2026-10-01T12:31:00Z", {"s": 3 * GIB})
    more_facts(meter, tmp_path, "late", prices=[price("0.40", since="2026-09-01", location="ZRH")], samples=late)
    bill = meter.bill("2026-10-03")
    adjusted = {
        account: sum(line.amount for line in bill.lines if (line.account, line.kind) == (account, "adjustment"))
        for account in WORLD
    }
    assert [account for account, amount in adjusted.items() if amount] == ["A", "C"]
    for account in WORLD:
        assert sum(meter.report("cost", "2026-10-03", account=account)["adjustment_cost"]) == adjusted[account]
