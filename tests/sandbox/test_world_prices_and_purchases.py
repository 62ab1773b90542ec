"""Money to the last digit: the figures that the provider has published, purchases, chains, balances, the ledger."""

from fractions import Fraction
from itertools import pairwise

import pytest
from sandbox_help import MIB, START_S, account_of, client_of, ready_drive, running, small_world, taken

from metering.model.period import instant_seconds, instant_text
from metering.sandbox.refusal import Refusal
from metering.sandbox.world import World
from metering.sandbox.world_money import Order, burst_units, decimal_text, exact_text, human_interval, in_units, nearest

NOON = "T12:00:00+00:00"


def world_at(instant, *prices, **options):
    """A world with one account in CHF and the prices of level 0 and 1."""
    world = World(start_s=instant_seconds(instant), **options)
    world.add_account("ann@example.com", "ann's secret", funds=Fraction(1_000))
    for level, price in enumerate(prices):
        world.money.set_price(price, "CHF", level, world.start_s)
    return world


def posted(world, path, **body):
    with running(world) as sandbox, client_of(sandbox) as client:
        answer = client.post(path, json=body)
    assert answer.status_code < 300, answer.text
    return answer.json()


# ACCOUNTING.md §10


@pytest.mark.parametrize(("seconds", "amount"), [(300, "0.00014583333333333333"), (299, "0.00014534722222222222")])
def test_published_burst_lines_come_out_of_the_ledger(seconds, amount):
    world = world_at("2014-06-05T00:00:00Z", "0.105", "0.28", cycle_s=seconds, block_bytes=4_831_838_208)
    drive = world.create_drive(account_of(world, "ann@example.com"), "ZRH", name="disk", size=10 * 4_831_838_208)
    world.advance(60)
    taken(world, drive)
    world.write(drive, [0])
    world.advance(seconds)
    with running(world) as sandbox, client_of(sandbox) as client:
        line = client.get("ledger/").json()["objects"][0]
    assert (line["amount"], line["interval"], line["human_interval"]) == (amount, seconds, "5 minutes")
    assert line["resource_amount"] == "4831838208"
    minute = instant_text(instant_seconds(line["poll_time"]))[:16].replace("T", " ")
    assert line["reason"] == f"Burst: 4.50 GB of backup for 5 minutes at {minute}"
    assert Fraction(line["initial"]) - Fraction(line["amount"]) == Fraction(line["end"])


@pytest.mark.parametrize(
    ("now", "amount", "price", "ends", "cost"),
    [
        ("2015-03-19T13:55:00.095129Z", "10000000000", "0.105", f"2015-04-20{NOON}", "1.010484993457794189453125"),
        ("2013-03-22T10:28:06.111350Z", "30000", "0.133", f"2013-04-22{NOON}", "0.000003839842975139617919921875"),
    ],
)
def test_published_subscriptions_come_out_of_the_calculator(now, amount, price, ends, cost):
    world = world_at(now, price)
    answer = posted(world, "subscriptioncalculator/", amount=amount, resource="backup", period="1 month")
    (quoted,) = answer["objects"]
    assert (quoted["end_time"], quoted["price"], answer["price"]) == (ends, cost, cost)
    assert world.money.subscriptions == {}


def test_the_published_extension_by_a_year():
    world = world_at("2015-08-26T12:00:00Z", "0.105")
    order = Order(32_212_254_720, end_s=world.now_s + 86_400)
    world.money.buy(account_of(world, "ann@example.com"), "ZRH", [order], world.now_s)
    (bought,) = world.money.subscriptions.values()
    bought.end_s = world.now_s
    answer = posted(world, f"subscriptions/{bought.id}/action/?do=extend", period="1 year")
    assert answer["end_time"] == f"2016-08-26{NOON}"
    assert (answer["price"], answer["discount_amount"], answer["discount_percent"]) == ("28.8225", "9.6075", "25")


# Purchases


@pytest.mark.parametrize(
    ("given", "start", "end"),
    [
        ({"start_time": "2026-10-05T01:02:03Z", "end_time": "2026-10-07T04:05:06Z"}, "2026-10-05T01:02:03", "2026-10-07T04:05:06"),
        ({"start_time": "2026-10-05T01:02:03Z", "period": "1 month"}, "2026-10-04T12:00:00", "2026-11-04T12:00:00"),
        ({"end_time": "2026-12-31T10:00:00Z", "period": "3 months"}, "2026-09-30T10:00:00", "2026-12-31T10:00:00"),
        ({"end_time": "2026-10-02"}, "2026-10-01T00:00:00", "2026-10-02T00:00:00"),
        ({"period": "1 month"}, "2026-10-01T00:00:00", "2026-11-01T12:00:00"),
    ],
)
def test_a_subscription_begins_and_ends_as_the_table_says(given, start, end):
    (bought,) = posted(small_world(), "subscriptions/", resource="backup", amount="1000", **given)["objects"]
    assert (bought["start_time"], bought["end_time"]) == (f"{start}+00:00", f"{end}+00:00")


@pytest.mark.parametrize(
    ("body", "point"),
    [
        ({"amount": "1", "start_time": "2026-10-05T00:00Z", "end_time": "2026-10-06T00:00Z", "period": "1 day"}, "period"),
        ({"amount": "1", "start_time": "2026-10-05T00:00Z"}, "period"),
        ({"amount": "1"}, "period"),
        ({"amount": "1", "period": "a while"}, "period"),
        ({"amount": "1", "start_time": "yesterday", "period": "1 day"}, "start_time"),
        ({"amount": "1", "start_time": "2026-10-05T00:00Z", "end_time": "2026-10-04T00:00Z"}, "end_time"),
        ({"amount": "1", "period": "9000 years"}, "period"),
        ({"amount": "1", "start_time": "9999-12-30T13:00Z", "period": "1 day"}, "period"),
        ({"amount": "1", "end_time": "9999-12-31T23:59:59Z"}, "end_time"),
        ({"amount": "0", "period": "1 day"}, "amount"),
        ({"amount": "1", "period": "1 day", "resource": "moonlight"}, "resource"),
    ],
)
def test_a_purchase_that_does_not_say_enough_or_too_much_is_refused(body, point):
    with running(small_world()) as sandbox, client_of(sandbox) as client:
        answer = client.post("subscriptions/", json={"resource": "backup"} | body)
    assert answer.status_code == 400
    assert [(each["error_type"], each["error_point"]) for each in answer.json()] == [("validation", point)]


def test_a_field_that_is_missing_is_named():
    with running(small_world()) as sandbox, client_of(sandbox) as client:
        answer = client.post("subscriptions/", json={"amount": "1", "period": "1 day"})
    assert answer.status_code == 400
    assert answer.json() == [{"error_type": "validation", "error_message": "Field required", "error_point": "resource"}]


def test_at_most_500_are_bought_at_once_and_all_or_none():
    world = small_world()
    with running(world) as sandbox, client_of(sandbox) as client:
        one = {"resource": "backup", "amount": "1", "period": "1 day"}
        assert client.post("subscriptions/", json={"objects": [one] * 501}).status_code == 400
        assert client.post("subscriptions/", json={"objects": [one, one | {"period": "never"}]}).status_code == 400
        assert client.get("subscriptions/").json()["meta"]["total_count"] == 0
        assert client.post("subscriptions/", json={"objects": [one] * 500}).status_code == 201
        assert client.get("subscriptions/").json()["meta"]["total_count"] == 500


def test_without_funds_nothing_is_bought():
    world = world_at("2026-10-01T00:00:00Z", "0.105")
    ann = account_of(world, "ann@example.com")
    with running(world) as sandbox, client_of(sandbox) as client:
        # 10 000 GiB for 30 days cost 1050, of which there are 1000.
        body = {"resource": "backup", "amount": str(10_000 * 2**30), "period": "30 days"}
        answer = client.post("subscriptions/", json=body)
        assert (answer.status_code, answer.json()[0]["error_type"]) == (402, "payment")
        ann.credit_limit = Fraction(50)
        assert client.post("subscriptions/", json=body).status_code == 201
        assert client.get("balance/").json() == {"balance": "-50.00000000000000000000", "credit_limit": "50", "currency": "CHF"}


def test_discounts_follow_from_the_length():
    world = small_world()
    ann = account_of(world, "ann@example.com")

    def percent(**order):
        return int(world.money.quote(ann, "ZRH", Order(1, **order), world.now_s).discount * 100)

    lengths = (
        "2 months",
        "3 months",
        "5 months",
        "6 months",
        "1 year",
        "23 months",
        "2 years",
        "3 years",
        "9 years",
        "89 days",
        "92 days",
    )
    assert [percent(period=length) for length in lengths] == [0, 3, 3, 10, 25, 25, 35, 45, 45, 0, 3]
    assert percent(start_s=START_S, end_s=instant_seconds("2027-01-01")) == 3
    assert percent(start_s=START_S, end_s=instant_seconds("2026-12-31T23:59:59Z")) == 0


# Chains


def test_a_chain_is_extended_at_its_end_and_grouped_as_one():
    world = small_world()
    with running(world) as sandbox, client_of(sandbox) as client:
        wish = {"resource": "backup", "amount": "5", "start_time": "2027-02-01T12:00:00Z", "period": "1 month"}
        first = client.post("subscriptions/", json=wish).json()["objects"][0]
        assert first["end_time"] == f"2027-03-01{NOON}"
        second = client.post(f"subscriptions/{first['id']}/action/?do=extend", json={}).json()
        assert (second["start_time"], second["end_time"]) == (f"2027-03-01{NOON}", f"2027-04-01{NOON}")
        third = client.post(f"subscriptions/{first['id']}/action/?do=extend").json()
        assert (third["start_time"], third["end_time"]) == (f"2027-04-01{NOON}", f"2027-05-01{NOON}")
        uris = [second["resource_uri"], third["resource_uri"]]
        assert client.get(f"subscriptions/{first['id']}/").json()["descendants"] == uris
        (chain,) = client.get("groupedsubscriptions/").json()["objects"]
        assert (chain["id"], chain["end_time"], chain["descendants"]) == (first["id"], f"2027-05-01{NOON}", uris)
        assert client.get("subscriptions/").json()["meta"]["total_count"] == 3


def test_what_has_an_end_is_extended_by_the_same_exact_interval():
    world = small_world()
    with running(world) as sandbox, client_of(sandbox) as client:
        wish = {"resource": "backup", "amount": "5", "start_time": "2027-02-01T12:00:00Z", "end_time": "2027-03-01T12:00:00Z"}
        first = client.post("subscriptions/", json=wish).json()["objects"][0]
        second = client.post(f"subscriptions/{first['id']}/action/?do=extend", json={}).json()
        assert second["end_time"] == f"2027-03-29{NOON}"


def test_an_extension_that_leaves_the_calendar_is_refused():
    world = small_world()
    account = account_of(world, "ann@example.com")
    with running(world) as sandbox, client_of(sandbox) as client:
        (first,) = world.money.buy(account, "ZRH", [Order(5, end_s=instant_seconds("9000-01-01"))], world.now_s)
        answer = client.post(f"subscriptions/{first.id}/action/?do=extend")
        assert (answer.status_code, answer.json()[0]["error_message"]) == (400, "leaves the calendar")


def test_what_renews_itself_has_no_gap_and_what_does_not_ends():
    world = small_world()
    ann = account_of(world, "ann@example.com")
    kept, ended = world.money.buy(
        ann, "ZRH", [Order(7, period="1 day", auto_renew=True), Order(2, period="1 day")], world.now_s
    )  # fmt: skip
    with running(world) as sandbox, client_of(sandbox) as client:
        assert client.post(f"subscriptions/{kept.id}/action/?do=auto_renew").json()["auto_renew"] is False
        assert client.post(f"subscriptions/{kept.id}/action/?do=auto_renew", json={"auto_renew": True}).json()["auto_renew"] is True
        world.advance(10 * 86_400)
        statuses = {each["id"]: each["status"] for each in client.get("subscriptions/?limit=0").json()["objects"]}
        assert (statuses[kept.id], statuses[ended.id]) == ("expired", "expired")
        assert [
            client.get(f"subscriptions/?status={s}").json()["meta"]["total_count"] for s in ("active", "notexpired", "inactive")
        ] == [1, 1, 0]
    assert {world.money.entitled(ann.uuid, "ZRH", START_S + n * 3_600) for n in range(40, 240)} == {7}


# Prices, balances, the ledger


def test_levels_and_prices_change_when_they_say_and_where_they_say():
    world = small_world()
    world.money.set_level("ZRH", 2, START_S + 600)
    world.money.set_price("0.5", "CHF", 1, START_S + 300, location="GVA")
    with running(world) as sandbox, client_of(sandbox) as zurich, client_of(sandbox, location="GVA") as geneva:

        def seen(client):
            document = client.get("pricing/?limit=0").json()
            row = next(r for r in document["objects"] if (r["currency"], r["level"]) == ("CHF", 1))
            return document["current"]["backup"], document["next"]["backup"], row["price"][:4]

        assert (seen(zurich), seen(geneva)) == ((1, 1, "0.28"), (1, 1, "0.28"))
        world.advance(300)
        assert (seen(zurich), seen(geneva)) == ((1, 2, "0.28"), (1, 1, "0.50"))
        world.advance(300)
        assert seen(zurich) == (2, 2, "0.28")
        price = zurich.get("pricing/?limit=1").json()["objects"][0]
    assert price.keys() == {"id", "resource", "currency", "level", "price", "unit", "multiplier"}
    assert (price["multiplier"], price["unit"], price["price"]) == (2_783_138_807_808_000, "GB/month", "0.10500000000000000000")


@pytest.fixture
def bursting():
    """A world in which Ann bursts by 5, then by 9 MiB, served at the end of its second day."""
    world = small_world()
    drive = ready_drive(world)
    taken(world, drive)
    world.write(drive, range(5))
    world.advance_to(START_S + 86_400 - 1)
    world.write(drive, range(9))
    world.advance_to(START_S + 2 * 86_400 - 1)
    with running(world) as sandbox, client_of(sandbox) as client:
        yield client


def test_the_ledger_has_a_line_a_cycle_and_adds_up_to_the_balance(bursting):
    lines = bursting.get("ledger/?limit=0").json()["objects"]
    burst = [line for line in lines if line["billing_cycle"] is not None]
    assert len(burst) == 2 * 288 - 1
    assert [line["billing_cycle"] for line in burst] == sorted({line["billing_cycle"] for line in burst}, reverse=True)
    for newer, older in pairwise(lines):
        assert older["end"] == newer["initial"]
    assert all(Fraction(line["initial"]) - Fraction(line["amount"]) == Fraction(line["end"]) for line in lines)
    assert bursting.get("balance/").json()["balance"] == lines[0]["end"]
    assert lines[-1]["amount"] == "-100000.00000000000000000000"
    cycle = burst[7]["billing_cycle"]
    assert bursting.get(f"ledger/?billing_cycle={cycle}").json()["objects"] == [burst[7]]
    assert bursting.get("ledger/", params={"time": burst[7]["time"]}).json()["objects"] == [burst[7]]


def test_daily_burst_is_the_days_lines_and_their_highest(bursting):
    days = bursting.get("dailyburstusage/").json()["objects"]
    price = Fraction("0.28") / 2_783_138_807_808_000
    assert [(day["date"], day["usage"], day["resource_type"]) for day in days] == [
        ("2026-10-01", 5 * MIB, "backup"), ("2026-10-02", 9 * MIB, "backup"),
    ]  # fmt: skip
    assert days[1]["amount"] == decimal_text(288 * in_units(9 * MIB * 300 * price))
    whole = bursting.get("burstusage/?date__gte=2026-10-01&date__lt=2026-10-03").json()["objects"]
    assert [(each["amount"], each["usage"]) for each in whole] == [
        (decimal_text(sum(in_units(Fraction(day["amount"])) for day in days)), 9 * MIB)
    ]
    assert len(bursting.get("dailyburstusage/?date__gte=2026-10-02").json()["objects"]) == 1
    assert len(bursting.get("dailyburstusage/?date__lt=2026-10-02").json()["objects"]) == 1
    assert bursting.get("dailyburstusage/?date__gt=2026-10-02").json()["objects"] == []
    assert bursting.get("dailyburstusage/?date=2026-10-01").json()["objects"] == days[:1]


def test_usage_has_a_row_a_cycle_and_both_its_bounds_are_strict(bursting):
    def polls(after, before):
        answer = bursting.get("usage/", params={"poll_time_gt": after, "poll_time_lt": before, "limit": 0})
        return [row["poll_time"][11:16] for row in answer.json()["objects"]]

    assert polls("2026-10-01T12:00:00Z", "2026-10-01T12:20:00Z") == ["12:05", "12:10", "12:15"]
    assert polls("2026-10-01T11:59:59Z", "2026-10-01T12:00:01Z") == ["12:00"]
    assert polls("2026-10-01T12:00:00Z", "2026-10-01T12:00:00Z") == []
    row = bursting.get("usage/?limit=1").json()["objects"][0]
    assert row.keys() == {"amount", "poll_time", "resource", "uuid"}
    assert (row["amount"], row["resource"]) == (str(5 * MIB), "backup")


def test_amounts_are_written_with_every_digit():
    assert exact_text(Fraction(1, 8)) == "0.125"
    assert exact_text(Fraction(-3)) == "-3"
    assert exact_text(Fraction(1, 3)) == "0." + "3" * 30
    assert exact_text(Fraction(1, 2**31)) == "0.000000000465661287307739257812"
    assert [nearest(Fraction(n, 2)) for n in (-3, -1, 1, 3, 5)] == [-2, 0, 0, 2, 2]
    assert decimal_text(-5, 3) == "-0.005"
    assert [human_interval(seconds) for seconds in (300, 299, 137, 60)] == ["5 minutes", "5 minutes", "2 minutes", "1 minute"]


def test_a_burst_is_charged_by_its_whole_seconds():
    world = world_at("2026-10-01T00:00:00Z", "0.105", "0.28")
    price = world.money.price_at("ZRH", "CHF", 1, world.now_s)
    assert decimal_text(burst_units(4_831_838_208, 300, price)) == "0.00014583333333333333"


def test_a_refusal_names_what_it_is_about():
    world = small_world()
    with pytest.raises(Refusal) as caught:
        world.money.subscription(account_of(world, "ann@example.com"), "ZRH", "77")
    assert caught.value.errors == [
        {"error_type": "notexist", "error_message": "subscription '77' does not exist", "error_point": None}
    ]
