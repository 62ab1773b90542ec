"""What a longer subscription saves is what the provider said, where and when, unless the settings say it."""

from decimal import Decimal
from fractions import Fraction

import pytest
from discount_answers import said
from small_world import GIB, meter_of, polls, price, subscription

from metering import Meter
from metering.billing.discounts import Settled
from metering.model.period import Period
from metering.model.terms import Term

NOW = "2026-10-10T10:00:00Z"


@pytest.fixture
def meter(tmp_path):
    meter = meter_of(
        tmp_path,
        samples=polls("2026-10-01", "2026-10-01T00:05:00Z", {"s": GIB}),
        prices=[price("0.10", level=0)],
        subscriptions=[subscription("quarter", GIB, "2026-10-01T12:00:00Z", "2027-01-01T12:00:00Z")],
    )
    # 3 months cost 5 % less in ZRH when the collector first asked, and 8 % from 20 October on; FRA has half a year only.
    meter.ingest(said(tmp_path, "1", "2026-10-05T00:00:00Z", "ZRH", **{"3_months": "0.0500000000", "1_year": "0.2"}))
    meter.ingest(said(tmp_path, "2", "2026-10-20T00:00:00Z", "ZRH", **{"3_months": "0.0800000000", "1_year": "0.2"}))
    meter.ingest(said(tmp_path, "3", "2026-10-20T00:00:00Z", "FRA", **{"6_months": "0.5"}))
    return meter


def percent(meter, location, start, period="3 months"):
    (quote,) = meter.quote(amount=GIB, location=location, start=start, period=period, currency="CHF", now=NOW)
    return quote.discount_percent


def test_a_quote_takes_the_discount_that_the_location_has_when_the_subscription_starts(meter):
    assert percent(meter, "ZRH", "2026-10-19T12:00:00Z") == 5
    assert percent(meter, "ZRH", "2026-10-20T12:00:00Z") == 8
    assert percent(meter, "ZRH", "2026-10-20T12:00:00Z", "1 year") == 20
    assert percent(meter, "FRA", "2026-10-20T12:00:00Z") == 0
    assert percent(meter, "FRA", "2026-10-20T12:00:00Z", "6 months") == 50


def test_where_the_provider_said_nothing_what_it_publishes_counts(meter):
    assert percent(meter, "GVA", "2026-10-20T12:00:00Z") == 3


def test_what_it_said_first_counts_for_what_was_bought_before(meter):
    (row,) = meter.report_table("subscriptions", "2026-10").documents()
    # 92 days of 1 GiB at 0.10, less 5 %
    assert (row["discount_percent"], Decimal(row["cost"])) == ("5", Decimal("0.29133333333333333333"))


def test_settings_that_name_discounts_outrank_the_provider(meter):
    with type(meter)(meter.settings.model_copy(update={"discounts": {"3 months": Decimal("0.5")}})) as other:
        assert percent(other, "ZRH", "2026-10-20T12:00:00Z") == 50
        (row,) = other.report_table("subscriptions", "2026-10").documents()
    assert row["discount_percent"] == "50"


def test_a_list_replaces_the_one_before_it_whole(meter, tmp_path):
    meter.ingest(said(tmp_path, "4", "2026-11-01T00:00:00Z", "ZRH", **{"1_year": "0.2", "2_years": "0.3"}))
    assert percent(meter, "ZRH", "2026-10-31T12:00:00Z") == 8
    assert percent(meter, "ZRH", "2026-11-01T12:00:00Z") == 0  # 3 months are not on the list any more
    assert percent(meter, "ZRH", "2026-11-01T12:00:00Z", "1 year") == 20
    assert percent(meter, "ZRH", "2026-11-01T12:00:00Z", "2 years") == 30
    assert percent(meter, "ZRH", "2026-10-31T12:00:00Z", "2 years") == 20  # before it was on the list, that of a year counts
    meter.ingest(said(tmp_path, "5", "2026-11-02T00:00:00Z", "ZRH", **{"3_months": "0.1"}))
    assert percent(meter, "ZRH", "2026-11-02T12:00:00Z") == 10
    assert percent(meter, "ZRH", "2026-11-02T12:00:00Z", "2 years") == 10


def test_a_store_that_is_opened_by_its_name_has_the_providers_discounts_too(meter, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with Meter.opened(meter.settings.store) as other:
        assert percent(other, "ZRH", "2026-10-20T12:00:00Z") == 8


def test_a_location_that_has_no_discounts_has_none(meter, tmp_path):
    meter.ingest(said(tmp_path, "4", "2026-11-01T00:00:00Z", "GVA"))
    assert percent(meter, "GVA", "2026-11-01T12:00:00Z", "3 years") == 0
    meter.ingest(said(tmp_path, "5", "2026-11-01T00:00:00Z", "FRA"))
    assert percent(meter, "FRA", "2026-10-31T12:00:00Z", "6 months") == 50
    assert percent(meter, "FRA", "2026-11-01T12:00:00Z", "6 months") == 0


def test_lists_that_come_again_or_together_take_nothing_back_twice(meter, tmp_path):
    lists = [
        said(tmp_path, "4", "2026-11-01T00:00:00Z", "ZRH", **{"1_year": "0.2"}),
        said(tmp_path, "5", "2026-11-01T01:00:00Z", "ZRH", **{"1_year": "0.2"}),
        said(tmp_path, "6", "2026-11-01T02:00:00Z", "ZRH", **{"1_year": "0.2", "3_months": "0.01"}),
    ]
    assert meter.ingest(lists[:2]).tables["discounts"].accepted == 1
    assert meter.ingest(lists[2]).tables["discounts"].accepted == 1
    earlier = [tmp_path / f"{number}.answer.ndjson" for number in (1, 2, 3)]
    assert [meter.ingest(path).ingest_seq for path in (*earlier, *lists)] == [None] * 6
    with type(meter)(meter.settings.model_copy(update={"store": str(tmp_path / "together.duckdb")})) as together:
        together.ingest([*earlier, *lists])
        assert said_in(together) == said_in(meter)


def test_an_old_list_that_comes_again_says_nothing_of_a_length_that_came_later(meter, tmp_path):
    meter.ingest(said(tmp_path, "4", "2026-11-01T00:00:00Z", "ZRH", **{"3_months": "0.08", "1_year": "0.2", "2_years": "0.3"}))
    assert meter.ingest(tmp_path / "1.answer.ndjson").ingest_seq is None


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """10 GiB in three locations on 19 to 21 October, of which ZRH and FRA have told their discounts."""
    folder = tmp_path_factory.mktemp("stored")
    sizes = [("ZRH", "s"), ("FRA", "t"), ("GVA", "u")]
    samples = [
        row for location, name in sizes for row in polls("2026-10-19", "2026-10-22", {name: 10 * GIB}, endpoint=location, step=600)
    ]
    meter = meter_of(folder, settings={"cycle": 600}, samples=samples, prices=[price("0.10", level=0), price("0.30")])
    meter.ingest(said(folder, "1", "2026-10-05T00:00:00Z", "ZRH", **{"1_year": "0.2", "2_years": "0.9"}))
    meter.ingest(said(folder, "2", "2026-10-21T00:00:00Z", "ZRH", **{"2_months": "0.08", "1_year": "0.5", "2_years": "0.9"}))
    meter.ingest(said(folder, "3", "2026-10-05T00:00:00Z", "FRA", **{"6_months": "0.4"}))
    return meter


def advised(meter, period, location, **asked):
    rows = [row for row in meter.advise(period, **asked).advice if row.location == location]
    return {row.length: row.discount_percent for row in rows}


def test_advice_has_the_lengths_and_discounts_of_the_location_when_the_history_ends(stored):
    assert advised(stored, "2026-10-19", "ZRH") == {"1 month": "0", "1 year": "20"}
    assert advised(stored, "2026-10-21", "ZRH") == {"1 month": "0", "2 months": "8", "1 year": "50"}
    assert advised(stored, "2026-10-21", "FRA") == {"1 month": "0", "6 months": "40"}
    assert advised(stored, "2026-10-21", "GVA") == {"1 month": "0", "3 months": "3", "6 months": "10", "1 year": "25"}
    (best,) = (row for row in stored.advise("2026-10-21").advice if row.is_best and row.location == "ZRH")
    # 10 GiB at 0.10 a month, less 50 %
    assert (best.length, best.amount_bytes, best.month_cost) == ("1 year", 10 * GIB, Decimal("0.5"))


def test_lengths_that_are_named_are_advised_with_what_each_location_takes_off(stored):
    asked = {"lengths": ["3 months", "2 years"]}
    assert advised(stored, "2026-10-21", "ZRH", **asked) == {"3 months": "8", "2 years": "90"}
    assert advised(stored, "2026-10-21", "FRA", **asked) == {"3 months": "0", "2 years": "40"}


def test_advice_as_of_an_ingest_knows_no_list_that_came_later(stored):
    assert advised(stored, "2026-10-21", "ZRH", known_at=1) == advised(stored, "2026-10-21", "GVA")


def test_advice_takes_the_discounts_that_the_settings_name_and_leaves_out_a_length_beyond_the_calendar(stored):
    discounts = {"1 year": Decimal("0.1"), "9000 years": Decimal("0.5")}
    with type(stored)(stored.settings.model_copy(update={"discounts": discounts})) as other:
        assert advised(other, "2026-10-21", "ZRH") == {"1 month": "0", "1 year": "10"}


def said_in(meter):
    with meter._store.reading() as engine:
        return sorted(tuple(row.values()) for row in engine.rows("billing/known_discounts", {"known_seq": 10**9}))


@pytest.mark.parametrize(
    ("start_s", "end_s", "is_settled"), [(0, 100, False), (0, 101, True), (199, 300, True), (200, 300, False), (120, 130, True)]
)
def test_a_closed_period_settles_what_entitles_in_a_second_of_it(start_s, end_s, is_settled):
    then, now = ((Term(1, "month"), Fraction(1, 10)),), ((Term(1, "month"), Fraction(1, 5)),)
    assert Settled(now, ((Period(100, 200), then),)).of(start_s, end_s) == (then if is_settled else now)
    assert Settled(now, ((Period(100, 200), then), (Period(0, 300), now))).of(start_s, end_s) == (then if is_settled else now)
