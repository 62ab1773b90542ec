"""What a subscription would cost: the provider's published figures, every combination of start, end and period, and renewals."""

from decimal import Decimal
from fractions import Fraction

import pytest
from small_world import GIB, meter_of, polls, price, subscription

import metering
from metering.model.errors import MisuseError, NoDataError, StoreError
from metering.model.period import instant_text
from metering.model.units import parse_bytes

NOW = "2026-10-10T10:00:00Z"


@pytest.fixture(scope="module")
def anywhere():
    return metering.open(":memory:")


@pytest.fixture(scope="module")
def meter(tmp_path_factory):
    return meter_of(
        tmp_path_factory.mktemp("quotes"),
        samples=polls("2026-10-01", "2026-10-01T00:05:00Z", {"s": GIB}),
        prices=[
            price("0.105", level=0),
            price("0.2", level=0, currency="USD"),
            price("0.2", level=0, location="ZRH", since="2026-12-01T12:00:00Z"),
        ],
        subscriptions=[
            subscription("exact", GIB, "2026-10-01T12:00:00Z", "2026-11-01T12:00:00Z"),
            subscription("monthly", GIB, "2026-10-01T12:00:00Z", None, period="1 month", auto_renew="Yes"),
            subscription("foreign", GIB, "2026-10-01T12:00:00Z", "2026-11-01T12:00:00Z", account="U", currency="USD", price="5"),
            subscription("unknown", GIB, "2026-10-01T12:00:00Z", "2026-11-01T12:00:00Z", account="U"),
            subscription("until", GIB, None, "2027-03-01T12:00:00Z", period="1 month"),
            subscription("twice", GIB, "2026-10-01T12:00:00Z", "2026-11-01T12:00:00Z"),
            subscription("twice", GIB, "2026-10-01T12:00:00Z", "2026-11-01T12:00:00Z", location="GVA"),
        ],
    )


def quoted(meter, **asked):
    (only,) = meter.quote(**asked)
    return only


@pytest.mark.parametrize(
    ("asked", "end", "gross", "discount", "net"),
    [
        (
            {"amount": "10000000000", "start": "2015-03-19T13:55:00.095129Z", "now": "2015-03-19T13:55:00.095129Z",
             "period": "1 month", "price": "0.105"},
            "2015-04-20T12:00:00Z", "1.010484993457794189453125", "0", "1.010484993457794189453125",
        ),
        (
            {"amount": "30000", "start": "2013-03-22T10:28:06.111350Z", "now": "2013-03-22T10:28:06.111350Z", "period": "1 month",
             "price": "0.133"},
            "2013-04-22T12:00:00Z", "0.000003839842975139617919921875", "0", "0.000003839842975139617919921875",
        ),
        (
            {"amount": "32212254720", "start": "2015-08-26T12:00:00Z", "now": "2015-08-01T12:00:00Z", "period": "1 year",
             "price": "0.105"},
            "2016-08-26T12:00:00Z", "38.4300", "9.6075", "28.8225",
        ),
    ],
)  # fmt: skip
def test_the_figures_that_the_provider_published_come_out_to_the_last_digit(anywhere, asked, end, gross, discount, net):
    quote = quoted(anywhere, **asked)
    assert instant_text(quote.end) == end
    assert (quote.gross, quote.discount, quote.net) == (Decimal(gross), Decimal(discount), Decimal(net))
    assert format(quote.net, "f") == net
    assert quote.net_fraction is None


@pytest.mark.parametrize(
    ("said", "start", "end", "nominal_seconds"),
    [
        ({"start": "2026-10-01T01:00:00Z", "end": "2026-10-02T02:00:00Z"}, "2026-10-01T01:00:00Z", "2026-10-02T02:00:00Z", 90_000),
        # in the past: from then; the end moves up to noon
        ({"start": "2026-10-01T13:00:00Z", "period": "1 month"}, "2026-10-01T13:00:00Z", "2026-11-02T12:00:00Z", 31 * 86_400),
        # in the future: the start moves back to noon first
        ({"start": "2026-10-31T13:00:00Z", "period": "1 month"}, "2026-10-31T12:00:00Z", "2026-11-30T12:00:00Z", 30 * 86_400),
        ({"end": "2026-12-31T01:00:00Z", "period": "1 month"}, "2026-11-30T01:00:00Z", "2026-12-31T01:00:00Z", 31 * 86_400),
        ({"end": "2026-10-10T11:00:00Z"}, NOW, "2026-10-10T11:00:00Z", 3_600),
        ({"period": "1 day"}, NOW, "2026-10-11T12:00:00Z", 86_400),
    ],
)
def test_start_end_and_period_make_an_interval_as_the_rules_say(anywhere, said, start, end, nominal_seconds):
    quote = quoted(anywhere, amount=1, price="1", now=NOW, **said)
    assert (instant_text(quote.start), instant_text(quote.end), quote.nominal_seconds) == (start, end, nominal_seconds)
    assert quote.entitled_seconds == quote.end - quote.start


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            {"start": NOW, "end": "2026-11-01", "period": "1 month"},
            "^the subscription's start_time, end_time and period together are am",
        ),
        ({"start": NOW}, "not specific enough"),
        ({}, "not specific enough"),
        ({"start": NOW, "end": NOW}, "^the subscription's end_time is not after start_time"),
        ({"end": "2026-10-01"}, "is not after"),
        ({"period": "1 fortnight"}, "is no period"),
        ({"period": "9000 years"}, "^the subscription leaves the calendar"),
        ({"period": "9 years", "start": "9999-01-01", "times": 3}, "^the subscription leaves the calendar"),
        (
            {"period": "10 days", "start": "9999-12-21T13:00:00Z", "now": "9999-12-21T13:00:00Z"},
            "^the subscription leaves the calendar",
        ),
        ({"start": "9999-12-21", "end": "9999-12-31", "times": 2}, "^the subscription leaves the calendar"),
        ({"period": "1 month", "currency": "zzz"}, "^--currency 'zzz' is no currency of ISO 4217 with a minor unit, such as CHF$"),
        (
            {"period": "1 month", "currency": "chf"},
            "^--currency 'chf' is no currency of ISO 4217 .*, such as CHF: write it in capitals",
        ),
        ({"end": "2026-11-01T00:00:00"}, "has no offset"),
        ({"period": "1 month", "amount": "10 apples"}, "is no amount"),
        ({"period": "1 month", "amount": "0.3 B"}, "is no whole number of bytes"),
        ({"period": "1 month", "amount": "0"}, "is nothing to buy"),
        ({"period": "1 month", "amount": None}, "say how much"),
        ({"period": "1 month", "price": "1e5"}, "is no plain decimal"),
        ({"period": "1 month", "price": "-1"}, "is no plain decimal"),
        ({"period": "1 month", "unit": "GB/fortnight"}, "is no unit of price"),
        ({"period": "1 month", "times": 0}, "is not between"),
        ({"period": "1 month", "now": "noon"}, "is no instant"),
    ],
)
def test_what_cannot_be_quoted_is_one_clear_line(anywhere, asked, message):
    with pytest.raises(MisuseError, match=message):
        anywhere.quote(**({"amount": "10GiB", "price": "1", "now": NOW} | asked))


@pytest.mark.parametrize(
    ("asked", "needed"),
    [
        ({"location": "ZRH"}, "a --currency or an --account"),
        ({"currency": "CHF"}, "a --location"),
        ({"account": "A"}, "a --location"),
        ({}, "a --location and a --currency or an --account"),
    ],
)
def test_what_the_price_in_the_store_needs_is_what_was_not_said(meter, asked, needed):
    with pytest.raises(MisuseError) as caught:
        meter.quote(amount="1GiB", period="1 month", now=NOW, **asked)
    assert str(caught.value) == f"the price in the store needs {needed}; or name a --price"


@pytest.mark.parametrize(
    ("period", "percent"),
    [
        ("2 months", 0), ("3 months", 3), ("5 months", 3), ("6 months", 10), ("11 months", 10), ("12 months", 25), ("1 year", 25),
        ("23 months", 25), ("2 years", 35), ("3 years", 45), ("10 years", 45), ("52 weeks", 10), ("91 days", 3), ("90 days", 0),
    ],
)  # fmt: skip
def test_the_largest_length_that_is_not_exceeded_gives_the_discount(anywhere, period, percent):
    quote = quoted(anywhere, amount=GIB, price="1", now="2026-09-30T12:00:00Z", period=period)
    assert quote.discount_percent == percent
    assert quote.gross - quote.discount == quote.net or quote.net_fraction is not None


def test_an_interval_that_is_as_long_as_a_discounts_length_gets_it_too(anywhere):
    year = quoted(anywhere, amount=GIB, price="1", now=NOW, start="2026-10-10", end="2027-10-10")
    less = quoted(anywhere, amount=GIB, price="1", now=NOW, start="2026-10-10", end="2027-10-09T23:59:59Z")
    assert (year.discount_percent, less.discount_percent) == (25, 10)


def test_discounts_are_configuration():
    with metering.open(":memory:", discounts={"1 month": "0.015", "10 days": "0.01"}) as meter:
        percents = [quoted(meter, amount=1, price="1", period=p, now=NOW).discount_percent for p in ("9 days", "10 days", "1 year")]
    assert percents == [0, 1, Decimal("1.5")]
    with metering.open(":memory:", discounts={"1 month": "0.1", "1 year": "0.05"}) as meter:
        percents = [quoted(meter, amount=1, price="1", period=p, now=NOW).discount_percent for p in ("11 months", "1 year")]
    assert percents == [10, 5], "the largest length counts, not the largest discount"


def test_a_price_that_never_ends_is_a_fraction_beside_twenty_decimals(anywhere):
    quote = quoted(anywhere, amount=GIB, price="0.28", period="1 month", now="2026-10-01T12:00:00Z")
    assert (format(quote.net, "f"), quote.net_fraction) == ("0.28933333333333333333", "217/750")
    assert Fraction(quote.net_fraction) == Fraction("0.28") * 31 / 30


def test_the_price_in_the_store_is_the_one_in_force_at_the_start(meter):
    asked = {"amount": GIB, "location": "ZRH", "period": "1 month", "now": NOW}
    assert quoted(meter, account="A", **asked).price == "0.105"
    assert quoted(meter, currency="CHF", start="2026-12-01T12:00:00Z", **asked).price == "0.2"
    assert quoted(meter, currency="CHF", **(asked | {"location": "GVA", "start": "2026-12-01T12:00:00Z"})).price == "0.105"
    with pytest.raises(NoDataError, match="no EUR price of level 0 is in force in ZRH at"):
        meter.quote(currency="EUR", **asked)
    with pytest.raises(NoDataError, match="'B' is not among the accounts"):
        meter.quote(account="B", **asked)
    with pytest.raises(MisuseError, match="a --currency or an --account"):
        meter.quote(**asked)


def test_without_a_store_a_price_must_be_named(tmp_path):
    with metering.open(str(tmp_path / "none.duckdb")) as meter:
        assert quoted(meter, amount=1, price="1", period="1 day").price == "1"
        with pytest.raises(StoreError, match="there is no store"):
            meter.quote(amount=1, period="1 day")


def test_an_exact_subscription_is_extended_by_the_same_interval(meter):
    first, second = meter.quote(extend="exact", times=2)
    assert [instant_text(edge) for edge in (first.start, first.end, second.start, second.end)] == [
        "2026-11-01T12:00:00Z", "2026-12-02T12:00:00Z", "2026-12-02T12:00:00Z", "2027-01-02T12:00:00Z",
    ]  # fmt: skip
    assert (first.kind, first.price, second.price) == ("extension", "0.105", "0.2")
    assert first.net == Decimal("0.105") * 31 / 30


def test_what_was_bought_until_an_end_is_extended_by_the_same_interval_though_a_period_was_named(meter, anywhere):
    """A month until 1 March is the 28 days since 1 February; the next 28 end on 29 March, and a month would on 1 April."""
    assert instant_text(quoted(meter, extend="until").end) == "2027-03-29T12:00:00Z"
    bought = anywhere.quote(amount=GIB, price="1", period="1 month", end="2027-03-01T12:00:00Z", now=NOW, times=2)
    assert [instant_text(each.end) for each in bought] == ["2027-03-01T12:00:00Z", "2027-03-29T12:00:00Z"]


def test_one_that_renews_by_itself_shows_its_next_renewals_each_read_again_from_its_start(meter):
    renewals = meter.quote(extend="monthly")
    assert [(each.kind, instant_text(each.end), each.nominal_seconds // 86_400) for each in renewals] == [
        ("renewal", "2026-12-01T12:00:00Z", 30), ("renewal", "2027-01-01T12:00:00Z", 31), ("renewal", "2027-02-01T12:00:00Z", 31),
    ]  # fmt: skip


def test_an_extension_may_be_told_its_own_length(meter):
    year = quoted(meter, extend="monthly", period="1 year")
    assert (year.kind, instant_text(year.end), year.discount_percent) == ("extension", "2027-11-01T12:00:00Z", 25)
    until = quoted(meter, extend="monthly", end="2026-11-03T00:00:00Z")
    assert (instant_text(until.start), instant_text(until.end)) == ("2026-11-01T12:00:00Z", "2026-11-03T00:00:00Z")
    # 1.5 of the price's 30 days.
    assert (until.nominal_seconds, until.net) == (129_600, Decimal("0.105") * 3 / 60)


def test_an_extension_is_in_the_currency_that_the_subscription_names_whoever_is_among_the_accounts(meter):
    """31 days of 1 GiB at 0.20 USD a month of 30 days."""
    quote = quoted(meter, extend="foreign")
    assert (quote.currency, quote.price, quote.net_fraction) == ("USD", "0.2", "31/150")
    assert quoted(meter, extend="foreign", currency="CHF").currency == "CHF"
    with pytest.raises(NoDataError, match="account 'U' is not among the accounts: say the --currency"):
        meter.quote(extend="unknown")


def test_a_purchase_is_followed_by_its_extensions(anywhere):
    chain = anywhere.quote(amount=GIB, price="1", period="1 month", start="2027-01-31T12:00:00Z", now=NOW, times=3)
    assert [instant_text(each.end)[:10] for each in chain] == ["2027-02-28", "2027-03-28", "2027-04-28"]
    assert [each.kind for each in chain] == ["purchase", "extension", "extension"]


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        ({"extend": "none"}, NoDataError, "there is no subscription 'none'"),
        ({"extend": "twice"}, MisuseError, "is in GVA and ZRH"),
        ({"extend": "exact", "amount": 5}, MisuseError, "takes amount and start from the subscription"),
        ({"extend": "exact", "end": "2026-11-01T12:00:00Z"}, MisuseError, "is not after the end of exact"),
        ({"extend": "monthly", "times": 121}, MisuseError, "is not between"),
    ],
)
def test_an_extension_that_cannot_be_quoted_is_one_clear_line(meter, asked, error, message):
    with pytest.raises(error, match=message):
        meter.quote(**asked)
    assert quoted(meter, extend="twice", location="GVA").location == "GVA"


@pytest.mark.parametrize(
    ("text", "amount"),
    [("0", 0), ("1024", 1024), ("10GiB", 10 * GIB), ("10 GB", 10 * GIB), ("1.5 TiB", 1536 * GIB), ("0.0000152587890625MiB", 16)],
)
def test_amounts_are_read_exactly(text, amount):
    assert parse_bytes(text) == amount
