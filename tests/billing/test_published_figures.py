"""The figures that the provider itself has published (ACCOUNTING §10), to the last digit."""

from decimal import Decimal
from fractions import Fraction

import pytest

from metering.billing.money import Price, charge_amount
from metering.billing.subscriptions import subscription_cost
from metering.model.period import instant_seconds, instant_text
from metering.model.terms import parse_term, resolve_interval

GB_MONTH = 2_783_138_807_808_000


@pytest.mark.parametrize(
    ("seconds", "amount"), [(300, "0.00014583333333333333"), (299, "0.00014534722222222222")], ids=["300 s", "299 s"]
)
def test_the_burst_ledger_lines(seconds, amount):
    charged = charge_amount(4_831_838_208 * seconds, Price("0.28", "GB/month", GB_MONTH))
    assert format(charged, "f") == amount


@pytest.mark.parametrize(
    ("start", "now", "period", "size", "price", "ends", "costs", "discount"),
    [
        (None, "2015-03-19T13:55:00.095129Z", "1 month", 10_000_000_000, "0.105",
         "2015-04-20T12:00:00Z", "1.010484993457794189453125", "0"),
        (None, "2013-03-22T10:28:06.111350Z", "1 month", 30_000, "0.133",
         "2013-04-22T12:00:00Z", "0.000003839842975139617919921875", "0"),
        ("2015-08-26T12:00:00Z", "2015-08-20T00:00:00Z", "1 year", 32_212_254_720, "0.105",
         "2016-08-26T12:00:00Z", "28.8225", "9.6075"),
    ],
    ids=["1 month from 2015-03-19", "1 month from 2013-03-22", "extension by 1 year"],
)  # fmt: skip
def test_the_subscriptions(start, now, period, size, price, ends, costs, discount):
    start_s = None if start is None else instant_seconds(start)
    interval = resolve_interval(start_s, None, parse_term(period), instant_seconds(now))
    cost = subscription_cost(size, interval.start_s, interval.nominal_seconds, Price(price, "GB/month", GB_MONTH))
    assert instant_text(interval.end_s) == ends
    assert (cost.net, cost.discount) == (Fraction(Decimal(costs)), Fraction(Decimal(discount)))
