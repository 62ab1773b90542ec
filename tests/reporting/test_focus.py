"""FOCUS rows: the worked example to the last digit, late facts as corrections, sums that tie to statement and subscription."""

import csv
import os
from collections import defaultdict
from decimal import Decimal, localcontext
from itertools import pairwise

import duckdb
import pytest
from fact_files import write_tables
from focus_world import FIRST, GB_DAY, SECOND, bring_late, example, exported, figures
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from judge import meter_of as world_meter
from judge import take
from small_world import GIB, meter_of, polls, price, subscription, write
from worlds import World

from metering.model.errors import InputError, MeteringError, MisuseError, NoDataError
from metering.model.period import instant_text

COSTS = ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost")


def said(row):
    """Give what the worked example's table says of a row."""
    return (
        row["ChargeCategory"], row["ChargeClass"], row["CommitmentDiscountStatus"], row["ChargePeriodStart"][:10],
        *figures(row, "CommitmentDiscountQuantity", "ConsumedQuantity", "ListUnitPrice", *COSTS),
    )  # fmt: skip


@pytest.fixture(scope="module")
def worked(tmp_path_factory):
    return example(tmp_path_factory.mktemp("worked"))


def test_the_worked_example_is_row_by_row_what_is_exported(worked, tmp_path):
    rows = exported(worked, FIRST, tmp_path)
    d = Decimal
    assert sorted(map(said, rows), key=str) == sorted(
        [
            ("Purchase", "", "", "2026-11-01", d(307_200), None, d("0.002"), d("614.40"), d(0), d("614.40"), d("614.40")),
            ("Usage", "", "Used", "2026-11-01", d(8_000), d(8_000), d("0.003"), d(0), d(16), d(24), d(24)),
            ("Usage", "", "Unused", "2026-11-01", d(2_240), None, d("0.003"), d(0), d("4.48"), d("6.72"), d("6.72")),
            ("Usage", "", "Used", "2026-11-02", d(10_240), d(10_240), d("0.003"), d(0), d("20.48"), d("30.72"), d("30.72")),
            ("Usage", "", "", "2026-11-02", None, d(2_000), d("0.003"), d(6), d(6), d(6), d(6)),
        ],
        key=str,
    )
    assert {row["BillingPeriodStart"] for row in rows} == {"2026-11-01T00:00:00Z"}
    assert {row["ResourceId"] for row in rows} == {"A/ZRH", "ZRH/42"}
    assert {row["PricingUnit"] for row in rows} == {"GiB-Days"}


def test_what_comes_late_to_a_closed_period_is_a_correction_in_the_next(tmp_path):
    meter = example(tmp_path)
    closed = exported(meter, FIRST, tmp_path)
    meter.close(FIRST)
    bring_late(meter, tmp_path)
    frozen = exported(meter, FIRST, tmp_path)
    assert list(map(said, frozen)) == list(map(said, closed)), "a closed period stays what it was"
    late = [row for row in exported(meter, SECOND, tmp_path) if row["ChargeClass"]]
    d = Decimal
    assert sorted(map(said, late), key=str) == sorted(
        [
            ("Usage", "Correction", "", "2026-11-02", None, d(500), d("0.003"), d("1.50"), d("1.50"), d("1.50"), d("1.50")),
            ("Usage", "Correction", "Used", "2026-11-01", d(1_000), d(1_000), d("0.003"), d(0), d(2), d(3), d(3)),
            ("Usage", "Correction", "Unused", "2026-11-01", d(-1_000), None, d("0.003"), d(0), d(-2), d(-3), d(-3)),
        ],
        key=str,
    )
    assert {row["BillingPeriodStart"] for row in late} == {"2026-11-03T00:00:00Z"}
    assert {row["x_PriorRunId"] for row in late} == {frozen[0]["x_RunId"]}
    meter.close(SECOND)
    assert [said(row) for row in exported(meter, SECOND, tmp_path) if row["ChargeClass"]] == list(map(said, late))
    assert not [row for row in exported(meter, "2026-11-05", tmp_path) if row["ChargeClass"]], "corrected once"


def test_a_purchase_of_a_closed_period_that_comes_late_is_billed_as_a_correction(tmp_path):
    meter = example(tmp_path)
    meter.close(FIRST)
    late = subscription("43", 1_000 * GIB, "2026-11-02T00:00:00Z", "2026-11-04T00:00:00Z")
    meter.ingest(write(tmp_path / "late", subscriptions=[late]))
    rows = exported(meter, SECOND, tmp_path)
    (bought,) = (row for row in rows if row["ChargeCategory"] == "Purchase")
    assert (bought["ChargeClass"], *figures(bought, "BilledCost")) == ("Correction", Decimal(4))
    parts = [row for row in rows if row["CommitmentDiscountId"] == "ZRH/43" and row["ChargeCategory"] == "Usage"]
    assert sum(Decimal(row["EffectiveCost"]) for row in parts) == 4
    burst = [row for row in rows if row["ChargeClass"] and not row["CommitmentDiscountId"]]
    assert [figures(row, "BilledCost") for row in burst] == [(Decimal(-3),)]


def test_the_parts_of_a_subscriptions_life_add_up_to_its_cost_however_it_is_cut(tmp_path):
    """A third of a cent a second never ends; the parts add up all the same."""
    meter = meter_of(
        tmp_path,
        samples=polls("2026-10-01", "2026-10-07", {"s": 5 * GIB + 7}),
        prices=[price("0.1", level=0), price("0.28"), price("0.29", since="2026-10-03T07:00:00Z")],
        subscriptions=[
            subscription("a", 3 * GIB + 1, "2026-10-01T10:00:00Z", "2026-10-05T01:23:45Z"),
            subscription("b", GIB, "2026-10-02T00:00:00Z", "2026-10-04T00:00:00Z", price="1", currency="CHF"),
        ],
    )
    cuts = ["2026-10-01", "2026-10-02T05:06:07Z", "2026-10-03", "2026-10-03T12:00:00Z", "2026-10-06"]
    cost, billed = defaultdict(Decimal), defaultdict(Decimal)
    with localcontext(prec=60):
        for start, end in pairwise(cuts):
            for row in exported(meter, f"{start}..{end}", tmp_path):
                if name := row["CommitmentDiscountId"]:
                    cost[name] += Decimal(row["EffectiveCost"])
                    billed[name] += Decimal(row["BilledCost"])
    assert cost == billed
    assert billed["ZRH/b"] == 1


def test_parquet_and_csv_say_the_same_and_so_does_the_json_of_the_bill(worked, tmp_path):
    told = exported(worked, FIRST, tmp_path)
    worked.export("focus", tmp_path / "focus.parquet", period=FIRST)
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        cursor = connection.execute(f"from '{tmp_path}/focus.parquet'")
        names = [column[0] for column in cursor.description]
        kinds = {column[0]: str(column[1]) for column in cursor.description}
        rows = connection.execute(f"select columns(*)::varchar from '{tmp_path}/focus.parquet'").fetchall()
    texts = [{name: value or "" for name, value in zip(names, row, strict=True)} for row in rows]
    for text in texts:
        for name in ("BillingPeriodStart", "BillingPeriodEnd", "ChargePeriodStart", "ChargePeriodEnd"):
            text[name] = text[name].replace(" ", "T").replace("+00", "Z")
    assert texts == told
    assert kinds["BilledCost"] == "DECIMAL(38,20)"
    assert kinds["ChargePeriodStart"] == "TIMESTAMP WITH TIME ZONE"
    (statement,) = worked.bill(FIRST).document()["statements"]
    burst = [row for row in told if not row["CommitmentDiscountId"]]
    assert sum(Decimal(row["BilledCost"]) for row in burst) == Decimal(statement["amount_due"])


def test_the_second_file_tells_the_subscriptions(worked, tmp_path):
    exported(worked, FIRST, tmp_path)
    with (tmp_path / "focus-commitments.csv").open(encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert row["ContractCommitmentId"] == "ZRH/42"
    assert figures(row, "ContractCommitmentCost", "ContractCommitmentQuantity") == (Decimal("614.4"), Decimal(307_200))
    assert (row["ContractCommitmentPeriodStart"], row["ContractCommitmentPeriodEnd"]) == (
        "2026-11-01T00:00:00Z",
        "2026-12-01T00:00:00Z",
    )


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_where_the_second_file_cannot_be_written_the_first_stays_as_it_was(tmp_path, form):
    """Rows of one export beside the subscriptions of another would not add up."""
    first = tmp_path / f"focus.{form}"
    first.write_text("before")
    os.mkfifo(tmp_path / f"focus-commitments.{form}")
    with pytest.raises(InputError, match=rf"focus-commitments\.{form} is no file"):
        example(tmp_path).export("focus", first, period=FIRST)
    assert first.read_text() == "before"
    assert not list(tmp_path.glob(".metering-*"))


def test_what_has_no_cost_is_left_out_and_told(tmp_path):
    meter = meter_of(
        tmp_path,
        samples=polls("2026-10-01", "2026-10-02", {"s": 5 * GIB}),
        prices=[],
        subscriptions=[
            subscription("dear", GIB, "2026-10-01", "2026-10-03"),
            subscription("own", GIB, "2026-10-01T00:00:00Z", "2026-10-03T00:00:00Z", price="2", currency="EUR"),
        ],
    )
    told = []
    rows = exported(meter, "2026-10-01", tmp_path, tell=told.append)
    assert [row["CommitmentDiscountId"] for row in rows] == ["ZRH/own", "ZRH/own"]
    assert sum(Decimal(row["EffectiveCost"]) for row in rows) == 1
    assert len(told) == 3
    assert told[0].startswith(
        "error: unpriced_burst: Müller & <Co> (A), ZRH: burst is unpriced: no CHF price of level 1 is in force"
    )
    assert "1 charge line of Müller & <Co> (A), whose" in told[1]
    assert "subscription dear of Müller & <Co> (A) in ZRH" in told[2]


def test_a_cost_of_a_subscription_that_entitles_to_nothing_is_left_out_and_told(tmp_path):
    """The report of costs has it: 1 of its 2 days. One that costs nothing either is no loss."""
    meter = meter_of(
        tmp_path,
        samples=polls("2026-10-01", "2026-10-02", {}),
        subscriptions=[
            subscription("paid", 0, "2026-10-01T00:00:00Z", "2026-10-03T00:00:00Z", price="5.50"),
            subscription("free", 0, "2026-10-01T00:00:00Z", "2026-10-03T00:00:00Z"),
        ],
    )
    (cost,) = meter.report_table("cost", "2026-10-01").documents()
    assert cost["subscription_cost"] == "2.75000000000000000000"
    told = []
    assert exported(meter, "2026-10-01", tmp_path, tell=told.append) == []
    who = "Müller & <Co> (A)"
    assert told == [f"left out: subscription paid of {who} in ZRH, which entitles to nothing over which its cost could be spread"]


def test_overlapping_subscriptions_are_used_in_the_order_in_which_they_start(tmp_path):
    meter = meter_of(
        tmp_path,
        samples=polls("2026-10-01", "2026-10-03", {"s": 5 * GIB}),
        subscriptions=[
            subscription("2", 4 * GIB, "2026-09-30T00:00:00Z", "2026-10-02T00:00:00Z"),
            subscription("1", 4 * GIB, "2026-10-01T00:00:00Z", "2026-10-03T00:00:00Z"),
        ],
    )
    used = {
        (row["CommitmentDiscountId"], row["ChargePeriodStart"][:10]): Decimal(row["ConsumedQuantity"])
        for row in exported(meter, "2026-10-01..2026-10-03", tmp_path)
        if row["CommitmentDiscountStatus"] == "Used"
    }
    assert used == {("ZRH/2", "2026-10-01"): 4, ("ZRH/1", "2026-10-01"): 1, ("ZRH/1", "2026-10-02"): 4}


def test_prices_that_differ_beyond_the_twentieth_decimal_are_two(tmp_path):
    day = {"unit": "GB/day", "multiplier": GB_DAY, "currency": "USD"}
    prices = [
        price("0.0030000000000000000000001", since="2026-01-01", **day),
        price("0.0030000000000000000000002", since="2026-11-02", **day),
    ]
    samples = polls("2026-11-01", "2026-11-03", {"s": GIB})
    accounts = [{"account": "A", "currency": "USD", "name": ""}]
    with meter_of(tmp_path, samples=samples, prices=prices, accounts=accounts) as meter:
        rows = exported(meter, FIRST, tmp_path)
    assert [row["SkuPriceId"] for row in rows if row["x_ChargeId"]] == [
        f"backup/ZRH/level-1/USD/0.003000000000000000000000{last}/GB/day" for last in (1, 2)
    ]


def test_names_with_a_slash_are_told_apart(tmp_path):
    """`GVA` with `a/b`, `GVA/a` with `b`; what is used is of account and location, also where something bought is called so."""
    bounds = "2026-10-01T00:00:00Z", "2026-10-03T00:00:00Z"
    named = [("a/b", "GVA"), ("b", "GVA/a"), ("50%", "GVA"), ("A", "A")]
    meter = meter_of(
        tmp_path,
        samples=[row for place in ("GVA", "GVA/a", "A") for row in polls("2026-10-01", "2026-10-02", {"s": GIB}, endpoint=place)],
        subscriptions=[subscription(name, 5 * GIB, *bounds, location=location) for name, location in named],
    )
    rows = exported(meter, "2026-10-01", tmp_path)
    bought = {row["CommitmentDiscountId"] for row in rows if row["ChargeCategory"] == "Purchase"}
    assert bought == {"GVA/a%2Fb", "GVA%2Fa/b", "GVA/50%25", "A/A"}
    used = {row["ResourceId"] for row in rows if row["CommitmentDiscountStatus"] == "Used"}
    assert used == {"A/GVA", "A/GVA%2Fa", "A/A"}


def test_an_account_that_has_nothing_is_refused_and_nothing_is_written(worked, tmp_path):
    with pytest.raises(NoDataError, match="account 'nobody' has no usage: `metering report usage --period"):
        exported(worked, FIRST, tmp_path, account="nobody")
    assert not list(tmp_path.glob("focus*"))
    assert {row["BillingAccountId"] for row in exported(worked, FIRST, tmp_path, account="A")} == {"A"}


def test_an_account_that_is_polled_and_owes_nothing_has_an_empty_file(tmp_path):
    meter = meter_of(tmp_path, samples=polls("2026-10-01", "2026-10-02", {}))
    assert exported(meter, "2026-10-01", tmp_path, account="A") == []


@pytest.mark.parametrize("name", ["focus.ndjson", "focus.xlsx", "focus.txt", "focus"])
def test_a_file_of_another_kind_is_refused_before_anything_is_computed(worked, tmp_path, name):
    with pytest.raises(MisuseError, match=r"\.parquet or \.csv"):
        worked.export("focus", tmp_path / name, period=FIRST)
    assert not (tmp_path / name).exists()


@settings(max_examples=8, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(min_value=0, max_value=2**40))
def test_the_rows_of_a_random_world_pass_every_check(seed, tmp_path_factory):
    """An export that fails a check raises; what it raises here may only be that nothing was observed."""
    world, folder = World.random(seed), tmp_path_factory.mktemp("world")
    with world_meter(world) as meter:
        for number, tables in enumerate(world.commands):
            take(meter, write_tables(folder / f"{number}", tables), supersede=number in world.supersede)
        try:
            meter.export("focus", folder / "focus.csv", period=world.period, as_of=instant_text(world.as_of))
        except NoDataError:
            return
        except MeteringError as error:
            pytest.fail(f"World.random({seed}): {error}")
