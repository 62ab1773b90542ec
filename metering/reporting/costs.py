"""What subscriptions cost beside what burst costs: a subscription's price is spread by the second over its interval.

Each subscription's part of a period is rounded to 20 decimals so that the parts of its whole life add up to its cost; sums are
sums of these.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

from metering.billing.bill import computed_lines, known_currencies
from metering.billing.discounts import DiscountBook, Settled
from metering.billing.money import AMOUNT_PLACES, amount_of, plain_decimal, total_if_known
from metering.billing.rates import SUBSCRIPTION_LEVEL, PriceBook
from metering.billing.subscriptions import amortised, subscription_cost
from metering.billing.usage import Computation
from metering.engine.duckdb import Engine
from metering.model.period import Period
from metering.model.records import ChargeLine
from metering.model.tables import Column, Table, by_key, columns_of
from metering.model.units import shown_amount

# Gives the adjustments that the bill has; the engine's tables may be others afterwards.
Adjustments = Callable[[], Sequence[ChargeLine]]


@dataclass(frozen=True, slots=True)
class Bought:
    """A subscription of the period, what it costs, and the part of that which falls in the period.

    `cost` is None where it is not known: nothing was told of it, and no subscription price was in force when it started.
    """

    row: dict[str, Any]
    currency: str | None
    cost_basis: str
    cost: Fraction | None
    discount_rate: Fraction | None
    in_period: Decimal | None

    @property
    def byte_seconds(self) -> int:
        """What of it falls in the period; where the amount is absurd more than any sum of SQL can hold."""
        seconds: int = self.row["ends_at_s"] - self.row["starts_at_s"]
        return int(self.row["amount"]) * seconds


def bought_in_period(engine: Engine, computation: Computation, discounts: Settled, account: str | None) -> list[Bought]:
    """Give the subscriptions of a period with their costs.

    What a subscription says that it cost (`price`, in all and in its `currency`, as the provider lists it) counts; else it costs
    what the subscription price in force at its start, its length and its discount make.
    """
    parameters = computation.parameters
    currencies = known_currencies(engine, computation.known_seq)
    prices = PriceBook(engine.rows("billing/known_prices", parameters))
    book = DiscountBook.read(engine, discounts, computation.known_seq)
    rows = engine.rows("reports/subscriptions_in_period", parameters)
    return [_bought(row, currencies, prices, book) for row in rows if account in (None, row["account"])]


def bought_at(engine: Engine, computation: Computation, discounts: Settled, instant_s: int) -> list[Bought]:
    """Give the subscriptions that are in force at an instant, with their costs: one that begins then is, one that ends is not."""
    second = replace(computation, period=Period(instant_s, instant_s + 1), stop_s=instant_s + 1)
    return bought_in_period(engine, second, discounts, None)


def without_adjustments(amounts: Sequence[Decimal | None]) -> str:
    """Say which adjustments of closed periods, in one currency, a figure leaves out."""
    amount = total_if_known(amounts)
    return f"without adjustments of closed periods: {'not known' if amount is None else shown_amount(amount)}"


def _bought(row: dict[str, Any], currencies: dict[str, str], prices: PriceBook, discounts: DiscountBook) -> Bought:
    currency = row["currency"] or currencies.get(row["account"])
    source, cost, rate = "not known", None, None
    if row["price"] is not None:
        source, cost = "its own", Fraction(row["price"])
    elif currency is not None:
        price = prices.at(currency, row["location"], SUBSCRIPTION_LEVEL, row["start_s"])
        if price is not None:
            in_force = discounts.at(row["location"], row["start_s"], row["end_s"])
            priced = subscription_cost(int(row["amount"]), row["start_s"], row["nominal_seconds"], price, in_force)
            source, cost, rate = f"{price.text} per {price.unit}", priced.net, priced.discount_rate
    in_period = None
    if cost is not None:
        in_period = amortised(cost, row["start_s"], row["end_s"], row["starts_at_s"], row["ends_at_s"])
    return Bought(row, currency, source, cost, rate, in_period)


def subscriptions(bought: list[Bought], by: tuple[str, ...]) -> Table:
    """The subscriptions of the period and what they cost, or what they add up to by account and location, observed or not.

    What is entitled counts observed time only, so that it can be compared with what is occupied: that is in `usage`.
    """
    if by:
        return _summed(bought, by)
    columns = columns_of(
        account="text", location="text", id="text", amount_bytes="bytes", start="instant", end="instant", period="text",
        subscribed_byte_seconds="byte_seconds", currency="text", cost_basis="text", discount_percent="text", cost="money",
        cost_in_period="money", auto_renew="text",
    )  # fmt: skip
    rows: list[tuple[Any, ...]] = [
        (
            each.row["account"], each.row["location"], each.row["id"], int(each.row["amount"]), each.row["start_s"],
            each.row["end_s"], each.row["period"], each.byte_seconds, each.currency, each.cost_basis,
            None if each.discount_rate is None else f"{plain_decimal(100 * each.discount_rate):f}",
            None if each.cost is None else _shown(each.cost), each.in_period, each.row["auto_renew"],
        )
        for each in bought
    ]  # fmt: skip
    return Table("subscriptions", columns, rows)


def _shown(cost: Fraction) -> Decimal:
    """Give a cost with all its decimals; where these are more than 20, rounded to that many."""
    exact = plain_decimal(cost)
    is_short = exact is not None and -int(exact.as_tuple().exponent) <= AMOUNT_PLACES
    return exact if exact is not None and is_short else amount_of(cost)


def _summed(bought: list[Bought], by: tuple[str, ...]) -> Table:
    groups: defaultdict[tuple[Any, ...], list[Bought]] = defaultdict(list)
    for each in bought:
        groups[*(each.row[name] for name in by), each.currency].append(each)
    columns = columns_of(
        currency="text", subscription_count="count", subscribed_byte_seconds="byte_seconds", cost_in_period="money"
    )
    rows = [
        (
            *key,
            len(members),
            sum(each.byte_seconds for each in members),
            total_if_known([m.in_period for m in members]),
        )
        for key, members in sorted(groups.items(), key=by_key)
    ]
    return Table("subscriptions", (*_by_columns(by), *columns), rows)


def costs(engine: Engine, bought: list[Bought], computation: Computation, by: tuple[str, ...], adjustments: Adjustments) -> Table:
    """What was subscribed and what burst, and what each cost in the period, side by side and apart by currency.

    With them stands what the bill adjusts of closed periods, so that burst and adjustments are what its lines add up to. A cost is
    empty where a part of it is not known: burst without a price, or a subscription of which nothing tells the cost.
    """
    groups: defaultdict[tuple[Any, ...], tuple[list[Bought], list[ChargeLine], list[ChargeLine]]] = defaultdict(
        lambda: ([], [], [])
    )
    for each in bought:
        groups[*(each.row[name] for name in by), each.currency][0].append(each)
    for line in computed_lines(engine, computation):
        groups[*(getattr(line, name) for name in by), line.currency][1].append(line)
    # Last, for they may be computed of other periods, in the tables that were read above.
    for line in adjustments():
        groups[*(getattr(line, name) for name in by), line.currency][2].append(line)
    rows: list[tuple[Any, ...]] = []
    for key, (members, own_lines, adjusting) in sorted(groups.items(), key=by_key):
        subscribed = total_if_known([each.in_period for each in members])
        burst, adjusted = (total_if_known([line.amount for line in part]) for part in (own_lines, adjusting))
        rows.append(
            (
                *key, sum(each.byte_seconds for each in members), subscribed,
                sum(line.burst_byte_seconds for line in own_lines), burst, adjusted, total_if_known([subscribed, burst, adjusted]),
            )
        )  # fmt: skip
    columns = columns_of(
        currency="text", subscribed_byte_seconds="byte_seconds", subscription_cost="money", burst_byte_seconds="byte_seconds",
        burst_cost="money", adjustment_cost="money", total_cost="money",
    )  # fmt: skip
    return Table("cost", (*_by_columns(by), *columns), rows)


def _by_columns(by: tuple[str, ...]) -> tuple[Column, ...]:
    return tuple(Column(name, "text") for name in by)
