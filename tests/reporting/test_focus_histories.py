"""Random histories as FOCUS has them: over its life, the parts of a subscription cost what was billed for it, whatever came late.

Four days are closed in any order while subscriptions, lists of discounts, settings, prices, currencies and polls come late; all
that is bought ends within them, and the day after carries what is left. `METERING_EXAMPLES=200 pytest` tries more of them.
"""

import os
import random
from collections import defaultdict
from decimal import Decimal, localcontext

import pytest
from discount_answers import said
from focus_world import exported
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_world import GIB, polls, price, subscription, write

from metering import Meter
from metering.config import Settings
from metering.model.errors import MeteringError
from metering.model.period import instant_seconds, instant_text

DAYS = ("2026-09-10", "2026-09-11", "2026-09-12", "2026-09-13")
AFTER = "2026-09-14"
HOUR, DAY = 3_600, 86_400
FIRST_S, LAST_S = instant_seconds(DAYS[0]), instant_seconds(AFTER)
NOW = instant_seconds("2026-12-01")
CURRENCIES = ("CHF", "CHF", "USD", "JPY")
RATES = ("0", "0.1", "0.25", "0.333")


class History:
    """A meter, and what came to it so far; `rows` has what was exported of each closed period."""

    def __init__(self, seed, folder):
        self.chance, self.folder, self.taken = random.Random(seed), folder, 0
        self.plain = Settings(store=":memory:", threads=1, cycle=HOUR, max_hold=2 * HOUR)
        self.meter = Meter(self.plain, clock=lambda: NOW)
        self.bought, self.rows = {}, {}
        self.take(
            samples=[row for account in "AB" for row in polls(DAYS[0], "2026-09-15", {"s": 3 * GIB}, account=account, step=HOUR)],
            prices=[
                price(str(self.chance.randint(1, 60) / 100), level=level, currency=currency)
                for currency in ("CHF", "USD") for level in (0, 1)
            ],
            accounts=[self.account(name) for name in "AB"],
        )  # fmt: skip
        self.subscriptions()

    def take(self, **tables):
        self.taken += 1
        self.meter.ingest(write(self.folder / f"{self.taken}", **tables), supersede=True)

    def instant(self, until_s=LAST_S):
        return self.chance.randrange(FIRST_S, until_s, HOUR // 2)

    def account(self, name):
        return {"account": name, "currency": self.chance.choice(CURRENCIES), "name": name}

    def subscriptions(self):
        """Buy one, or change one in a way that providers do."""
        name = self.chance.choice(["1", "2", "3"])
        start_s, end_s = sorted(self.chance.sample(range(FIRST_S, LAST_S + 1, HOUR // 2), 2))
        new = {"account": self.chance.choice("ABC"), "amount": self.chance.randint(1, 5 * GIB), "start_s": start_s, "end_s": end_s}
        one = self.bought.setdefault(name, new)
        match self.chance.choice(["cut", "moved", "zero", "amount", "price", "account", "as it is"]):
            case "cut":
                one["end_s"] = self.chance.randrange(one["start_s"] + HOUR // 2, one["end_s"] + 1, HOUR // 2)
            case "moved":
                one |= {"start_s": start_s, "end_s": end_s}
            case "zero":
                one["amount"] = 0
            case "amount":
                one["amount"] = new["amount"]
            case "price":
                one["price"] = self.chance.choice(["1", "0.07", ""])
            case "account":
                one["account"] = new["account"]
        self.take(
            subscriptions=[
                subscription(
                    name, one["amount"], instant_text(one["start_s"]), instant_text(one["end_s"]), account=one["account"],
                    price=one.get("price", ""),
                )
            ]
        )  # fmt: skip

    def polls(self):
        start_s = self.instant()
        end_s = start_s + self.chance.randint(1, 30) * HOUR
        sizes = {"t": self.chance.randint(0, 6) * GIB} if self.chance.random() < 0.8 else {}
        self.take(samples=polls(instant_text(start_s), instant_text(end_s), sizes, account=self.chance.choice("ABC"), step=HOUR))

    def prices(self):
        amount, level = str(self.chance.randint(1, 60) / 100), self.chance.choice([0, 0, 1])
        since = instant_text(self.instant()) if self.chance.random() < 0.5 else "2020-01-01"
        self.take(prices=[price(amount, level=level, currency=self.chance.choice(CURRENCIES), since=since)])

    def currencies(self):
        self.take(accounts=[self.account(self.chance.choice("ABC"))])

    def lists(self):
        self.taken += 1
        values = {"1_day": self.chance.choice(RATES), "2_days": self.chance.choice(RATES)}
        self.meter.ingest(said(self.folder, f"{self.taken}", instant_text(self.instant(NOW)), "ZRH", **values))

    def settings(self):
        named = {"discounts": {"1 day": Decimal(self.chance.choice(RATES)), "36 days": Decimal("0.5")}}
        self.meter.settings = self.chance.choice([self.plain, self.plain.model_copy(update=named)])

    def something_comes(self):
        kinds = [self.subscriptions, self.subscriptions, self.polls, self.prices, self.currencies, self.lists, self.settings]
        for kind in self.chance.choices(kinds, k=self.chance.randint(0, 3)):
            kind()

    def close(self, day):
        self.meter.close(day, reason="as it stands")
        self.rows[day] = exported(self.meter, day, self.folder)


@settings(
    max_examples=int(os.environ.get("METERING_EXAMPLES", "5")),
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(seed=st.integers(min_value=0, max_value=2**40))
def test_what_is_billed_for_a_subscription_is_what_its_parts_cost_over_its_life(seed, tmp_path_factory):
    history = History(seed, tmp_path_factory.mktemp("history"))
    with history.meter:
        try:
            for day in [*history.chance.sample(DAYS, len(DAYS)), AFTER]:
                history.something_comes()
                history.close(day)
            for day, rows in history.rows.items():
                assert exported(history.meter, day, history.folder) == rows, f"{seed}: {day} as it was closed"
        except MeteringError as error:
            pytest.fail(f"{seed}: {error}")
    assert_adds_up(history.rows, seed)


def assert_adds_up(by_period, seed):
    """Hold billed against effective cost, and bought against metered, by account, subscription and currency."""
    cost, metered = defaultdict(Decimal), defaultdict(int)
    with localcontext(prec=60):
        for rows in by_period.values():
            for row in rows:
                if row["CommitmentDiscountId"]:
                    key = (row["BillingAccountId"], row["CommitmentDiscountId"], row["BillingCurrency"])
                    sign = -1 if row["ChargeCategory"] == "Purchase" else 1
                    cost[key] += Decimal(row["EffectiveCost"]) - Decimal(row["BilledCost"])
                    metered[key] += sign * int(row["x_MeteredByteSeconds"])
    assert {key for key, difference in cost.items() if difference} == set(), seed
    assert {key for key, difference in metered.items() if difference} == set(), seed
