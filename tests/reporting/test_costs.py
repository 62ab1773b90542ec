"""What subscriptions cost beside burst: by the second over their interval, exact, and adding up."""

from collections import defaultdict
from decimal import Decimal
from itertools import pairwise

import pytest
from small_world import GIB, meter_of, polls, price, subscription, write

from metering.model.errors import NoDataError, StoreError


def documents(meter, name, period="2026-10", **options):
    return meter.report_table(name, period, **options).documents()


@pytest.fixture(scope="module")
def meter(tmp_path_factory):
    """6 GiB occupied all October; 30 days of 4 GiB, half of them in October; and subscriptions that tell their own cost."""
    return meter_of(
        tmp_path_factory.mktemp("costs"),
        samples=polls("2026-10-01", "2026-11-01T00:05:00Z", {"s": 6 * GIB}),
        prices=[
            price("0.10", level=0),
            price("0.30", since="2020-01-01"),
            price("0.5", level=0, location="FRA", since="2026-10-02"),
        ],
        subscriptions=[
            subscription("half", 4 * GIB, "2026-10-17T00:00:00Z", "2026-11-16T00:00:00Z"),
            subscription("own", GIB, "2026-10-01", "2026-10-31", price="7", currency="EUR"),
            subscription("quarter", GIB, "2026-10-01T00:00:00Z", "2027-01-01T00:00:00Z"),
            subscription("early", GIB, "2026-10-01T12:00:00Z", "2026-10-02T12:00:00Z", location="FRA"),
        ],
    )


def test_a_subscription_is_spread_by_the_second_over_its_interval(meter):
    rows = {row["id"]: row for row in documents(meter, "subscriptions")}
    half = rows["half"]
    assert (half["cost"], half["currency"], half["cost_basis"], half["discount_percent"]) == (
        "0.4",
        "CHF",
        "0.10 per GB/month",
        "0",
    )
    assert half["cost_in_period"] == "0.20000000000000000000"
    # 92 days of 1 GiB at 0.10, less 3 %; 31 of the 92 days are in October
    assert rows["quarter"]["cost"] == "0.29746666666666666667"
    assert rows["quarter"]["discount_percent"] == "3"
    assert rows["quarter"]["cost_in_period"] == "0.10023333333333333333"


def test_what_a_subscription_says_that_it_cost_counts_in_its_own_currency(meter):
    own = next(row for row in documents(meter, "subscriptions") if row["id"] == "own")
    assert (own["cost"], own["currency"], own["cost_basis"], own["discount_percent"]) == ("7", "EUR", "its own", None)
    assert own["cost_in_period"] == "7.00000000000000000000"


def test_the_price_is_the_one_in_force_when_the_subscription_starts(meter):
    early = next(row for row in documents(meter, "subscriptions") if row["id"] == "early")
    assert early["cost_basis"] == "0.10 per GB/month"


@pytest.mark.parametrize(("name", "cost"), [("half", "0.2"), ("quarter", "0.10023333333333333333")])
def test_the_days_of_a_period_add_up_to_its_part_of_the_cost(meter, name, cost):
    days = [
        Decimal(row["cost_in_period"])
        for day in range(1, 32)
        for row in documents(meter, "subscriptions", f"2026-10-{day:02}")
        if row["id"] == name
    ]
    assert len(days) == {"half": 15, "quarter": 31}[name]
    assert sum(days) == Decimal(cost), "to the last digit"


def test_parts_add_up_wherever_a_time_is_cut(meter):
    cuts = ["2026-10-01", "2026-10-03T04:05:07Z", "2026-11-01", "2026-11-20T23:59:58Z", "2026-12-01"]
    parts = [
        Decimal(row["cost_in_period"])
        for start, end in pairwise(cuts)
        for row in documents(meter, "subscriptions", f"{start}..{end}")
        if row["id"] == "quarter"
    ]
    # 61 of the 92 days of 1 GiB at 0.10, less 3 %
    assert (len(parts), sum(parts)) == (4, Decimal("0.19723333333333333333"))


def test_subscription_and_burst_cost_stand_side_by_side_apart_by_currency(meter):
    rows = {(row["location"], row["currency"]): row for row in documents(meter, "cost")}
    zurich = rows["ZRH", "CHF"]
    # 2 GiB over 16 days with 5 entitled... worked by hand: 1–16 October 6 − 2 = 4, 17–30 October 6 − 6 = 0, 31 October 6 − 5 = 1
    assert zurich["burst_byte_seconds"] == str((16 * 4 + 14 * 0 + 1 * 1) * GIB * 86_400)
    assert zurich["burst_cost"] == "0.65000000000000000000"
    assert zurich["subscription_cost"] == "0.30023333333333333333"
    assert zurich["total_cost"] == "0.95023333333333333333"
    assert rows["ZRH", "EUR"]["subscription_cost"] == "7.00000000000000000000"
    assert rows["ZRH", "EUR"]["burst_cost"] == "0.00000000000000000000"
    by_account = documents(meter, "cost", by="account")
    assert {row["currency"] for row in by_account} == {"CHF", "EUR"}
    for column in ("subscription_cost", "burst_cost", "total_cost"):
        apart = sum(Decimal(row[column]) for (_, currency), row in rows.items() if currency == "CHF")
        assert apart == next(Decimal(row[column]) for row in by_account if row["currency"] == "CHF")


def test_a_cost_of_which_a_part_is_not_known_is_empty_never_zero(tmp_path):
    meter = meter_of(
        tmp_path,
        samples=polls("2026-10-01", "2026-10-02", {"s": 6 * GIB}),
        prices=[price("0.30")],
        subscriptions=[
            subscription("priceless", GIB, "2026-10-01", "2026-10-31"),
            subscription("nobody", GIB, "2026-10-01", "2026-10-31", account="B"),
        ],
    )
    by_id = {row["id"]: row for row in documents(meter, "subscriptions", "2026-10-01")}
    assert (by_id["priceless"]["cost"], by_id["priceless"]["cost_basis"]) == (None, "not known")
    assert (by_id["nobody"]["cost"], by_id["nobody"]["currency"]) == (None, None)
    (row,) = (row for row in documents(meter, "cost", "2026-10-01") if row["account"] == "A")
    assert (row["subscription_cost"], row["total_cost"]) == (None, None)
    assert row["burst_cost"] == "0.05000000000000000000"


def test_only_what_an_account_bought_and_burst_is_in_its_report(meter):
    assert documents(meter, "cost", account="A") == documents(meter, "cost")
    assert [row["cost_in_period"] for row in documents(meter, "subscriptions", by="account,location")] == [
        "0.00333333333333333333", "0.30023333333333333333", "7.00000000000000000000",
    ]  # fmt: skip


def test_the_largest_amount_that_is_taken_is_reported_to_the_last_byte_second(tmp_path):
    """30 digits of bytes over six years are more than 38 digits of byte-seconds."""
    most = 10**30 - 1
    meter = meter_of(
        tmp_path, samples=polls("2026-10-01", "2026-10-01T01:00:00Z", {"s": GIB}), prices=[price("0.10", level=0), price("0.30")],
        subscriptions=[subscription("most", most, "2020-11-01T00:00:00Z", "2026-11-01T00:00:00Z")],
    )  # fmt: skip
    (row,) = documents(meter, "subscriptions", "2020-11-01..2026-11-01")
    # 2 191 days
    assert row["subscribed_byte_seconds"] == "189302399999999999999999999999810697600"
    (cost,) = documents(meter, "cost", "2020-11-01..2026-11-01")
    assert cost["subscribed_byte_seconds"] == "189302399999999999999999999999810697600"


def test_amounts_that_no_sum_can_hold_get_one_line_that_says_so(tmp_path):
    """800 of 30 digits of bytes over three days have 39 digits of byte-seconds."""
    bought = [subscription(str(number), 10**30 - 1, "2026-10-01", "2026-11-01") for number in range(800)]
    meter = meter_of(tmp_path, samples=polls("2026-10-01", "2026-10-04", {"s": GIB}, step=900), subscriptions=bought)
    with pytest.raises(
        StoreError, match=r"store\.duckdb has sizes or amounts that add up to more than 38 digits: correct those that"
    ):
        meter.bill("2026-10-01..2026-10-04")
    assert len(documents(meter, "subscriptions", "2026-10-01..2026-10-04")) == 800


def test_one_who_has_a_subscription_and_no_usage_is_reported_alone_as_among_all(tmp_path):
    """B has 2 GiB for 30 days and is not polled; its 15 days in October cost 0.10 of them all, at 0.10 a month."""
    meter = meter_of(
        tmp_path, samples=polls("2026-10-01", "2026-10-01T01:00:00Z", {"s": GIB}), prices=[price("0.10", level=0), price("0.30")],
        accounts=[{"account": name, "currency": "CHF"} for name in "AB"],
        subscriptions=[subscription("b", 2 * GIB, "2026-10-17T00:00:00Z", "2026-11-16T00:00:00Z", account="B")],
    )  # fmt: skip
    for name, options in (("subscriptions", {}), ("subscriptions", {"by": "location"}), ("cost", {})):
        own = documents(meter, name, account="B", **options)
        shown = "subscription_cost" if name == "cost" else "cost_in_period"
        assert [row[shown] for row in own] == ["0.10000000000000000000"]
        assert options or own == [row for row in documents(meter, name) if row["account"] == "B"]
        with pytest.raises(NoDataError, match="'C' has neither usage nor a subscription: `metering report cost --period 2026-10`"):
            meter.report_table(name, "2026-10", account="C", **options)
        with pytest.raises(NoDataError, match="'B' has neither usage nor a subscription"):
            meter.report_table(name, "2026-10-01..2026-10-17", account="B", **options)
        with pytest.raises(NoDataError, match="nothing was observed in 2026-11"):
            meter.report_table(name, "2026-11", account="B", **options)
    with pytest.raises(NoDataError, match="'B' has no usage"):
        meter.report_table("usage", "2026-10", account="B")


def adjusted_meter(folder):
    """Two accounts in two places; the first day, closed, was three times as large as was known, and gets a price that lacked."""
    facts = []
    for account, place in (("A", "ZRH"), ("A", "GVA"), ("B", "ZRH")):
        facts += polls("2026-10-01", "2026-10-04", {f"{account}{place}": 3 * GIB + 13}, account=account, endpoint=place)
    accounts = [{"account": account, "currency": currency, "name": account} for account, currency in (("A", "CHF"), ("B", "USD"))]
    meter = meter_of(folder, samples=facts, accounts=accounts, prices=[price("0.28"), price("0.30", currency="USD")])
    meter.close("2026-10-01", by="ann")
    bought = [subscription("late", GIB, "2026-10-01T00:00:00Z", "2026-10-02T00:00:00Z")]
    dearer = [price("0.42", currency="USD", since="2026-10-01T12:00:00Z")]
    meter.ingest(write(folder / "late", subscriptions=bought, prices=dearer))
    return meter


@pytest.fixture(scope="module")
def adjusted_meters(tmp_path_factory):
    """The same facts twice: with the day that carries adjustments open, and closed."""
    opened, closed = (adjusted_meter(tmp_path_factory.mktemp(name)) for name in ("open", "closed"))
    closed.close("2026-10-02", by="ann")
    return opened, closed


@pytest.mark.parametrize("account", [None, "A", "B"])
@pytest.mark.parametrize("by", ["account,location", "account", "location", ""])
def test_burst_and_adjustments_cost_what_the_lines_of_the_bill_add_up_to(adjusted_meters, account, by):
    for meter in adjusted_meters:
        for period, has_adjustments in (("2026-10-01", False), ("2026-10-02", True), ("2026-10-03", False)):
            sums, adjusted = defaultdict(Decimal), defaultdict(Decimal)
            for line in meter.bill(period, account=account).lines:
                key = (*(getattr(line, name) for name in by.split(",") if name), line.currency)
                sums[key] += line.amount
                adjusted[key] += line.amount if line.kind == "adjustment" else 0
            assert any(adjusted.values()) == has_adjustments
            columns = [name for name in (*by.split(","), "currency") if name]
            found = {tuple(row[name] for name in columns): row for row in documents(meter, "cost", period, by=by, account=account)}
            assert {key: Decimal(row["burst_cost"]) + Decimal(row["adjustment_cost"]) for key, row in found.items()} == sums
            assert {key: Decimal(row["adjustment_cost"]) for key, row in found.items()} == adjusted
            for row in found.values():
                parts = (row["subscription_cost"], row["burst_cost"], row["adjustment_cost"])
                assert Decimal(row["total_cost"]) == sum(map(Decimal, parts))


def test_the_adjustment_of_a_day_by_hand(adjusted_meters):
    """A subscription of 1 GiB that came late: 0.01866666677966713805 now, less 0.02800000011300047139 billed, each rounded once."""
    meter, _ = adjusted_meters
    (zurich,) = [
        row
        for row in documents(meter, "cost", "2026-10-02", account="A", by="location")
        if row["location"] == "ZRH" and row["currency"] == "CHF"
    ]
    assert zurich["adjustment_cost"] == "-0.00933333333333333334"


def test_what_an_adjustment_costs_is_empty_where_it_is_not_known(tmp_path):
    meter = adjusted_meter(tmp_path)
    meter.ingest(write(tmp_path / "francs", accounts=[{"account": "B", "currency": "JPY", "name": "B"}]), supersede=True)
    rows = {row["currency"]: row for row in documents(meter, "cost", "2026-10-02", account="B", by="")}
    assert (rows["JPY"]["adjustment_cost"], rows["JPY"]["total_cost"]) == (None, None)
    # what was billed in dollars comes back: 3 GiB and 13 bytes for a day at 0.30 for 30 days
    assert rows["USD"]["adjustment_cost"] == "-0.03000000012107193470"


def test_a_report_of_burst_says_what_the_bill_has_besides(adjusted_meters):
    meter, _ = adjusted_meters
    told = []
    for account in (None, "A", "B"):
        meter.report_table("burst", "2026-10-02", by="day", account=account, tell=told.append)
    francs = "without adjustments of closed periods: -0.00933333333333333334 CHF, which `metering bill 2026-10-02` has"
    # half a day of 3 GiB and 13 bytes at 0.42 instead of 0.30
    dollars = "without adjustments of closed periods: 0.00600000002421438694 USD, which `metering bill 2026-10-02` has"
    assert told == [francs, dollars, francs, dollars]
    told.clear()
    for period in ("2026-10-01", "2026-10-03"):
        meter.report_table("burst", period, tell=told.append)
    assert told == []


def test_a_picture_of_costs_says_which_adjustments_are_not_in_its_bars(adjusted_meters, tmp_path):
    meter, _ = adjusted_meters
    place = tmp_path / "cost.svg"
    meter.plot("cost", place, period="2026-10-02")
    picture = place.read_text(encoding="utf-8")
    assert "without adjustments of closed periods: -0.00933333333333333334" in picture
    assert "without adjustments of closed periods: 0.00600000002421438694" in picture
    meter.plot("cost", place, period="2026-10-03")
    assert "adjustments" not in place.read_text(encoding="utf-8")
