"""What a subscription would cost: its interval, and its price to the last digit, for a purchase and for what follows it.

Source: ACCOUNTING.md §5. Nothing is bought and nothing is written.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal

from metering.billing.discounts import DiscountBook
from metering.billing.money import Price, amount_of, plain_decimal
from metering.billing.subscriptions import subscription_cost
from metering.model.errors import MisuseError
from metering.model.period import instant_text
from metering.model.records import BigInteger, Instant, Money, Row
from metering.model.terms import CalendarError, Interval, Term, extension, parse_term, resolve_interval

PriceAt = Callable[[int], Price]

# How many renewals of a subscription that renews by itself are shown unless told.
_SHOWN_RENEWALS = 3


class Quote(Row):
    """A purchase, or an extension, as it would be charged.

    `gross`, `discount` and `net` have all their decimals; where these never end, 20 of them, and the fraction is exact.
    """

    kind: Literal["purchase", "extension", "renewal"]
    id: str | None
    location: str | None
    amount_bytes: BigInteger
    start: Instant
    end: Instant
    period: str | None
    entitled_seconds: int
    nominal_seconds: int
    currency: str | None
    price: str
    unit: str
    multiplier: BigInteger
    discount_percent: Money
    gross: Money
    discount: Money
    net: Money
    gross_fraction: str | None
    discount_fraction: str | None
    net_fraction: str | None


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for: how much, where, and what was said of its time, in whole UTC seconds."""

    amount_bytes: int
    location: str | None
    start_s: int | None
    end_s: int | None
    term: Term | None


def purchase_quotes(
    order: Order, price_at: PriceAt, *, now_s: int, currency: str | None, discounts: DiscountBook, times: int = 1
) -> list[Quote]:
    """Quote a purchase, and `times` − 1 extensions of it.

    Raises:
        MisuseError: too much or too little was said of its time, or the interval is empty.
    """
    try:
        interval = resolve_interval(order.start_s, order.end_s, order.term, now_s)
        intervals = _chain(interval, order.term if order.end_s is None else None, times)
    except CalendarError as error:
        raise MisuseError(f"the subscription {error}") from None
    except ValueError as error:
        raise MisuseError(f"the subscription's {error}") from None
    kinds: Sequence[Any] = ["purchase", *["extension"] * (times - 1)]
    return [
        _quote(kind, None, order.location, order.amount_bytes, each, order.term, price_at(each.start_s), currency, discounts)
        for kind, each in zip(kinds, intervals, strict=True)
    ]


def extension_quotes(
    subscription: dict[str, Any],
    term: Term | None,
    end_s: int | None,
    price_at: PriceAt,
    *,
    currency: str | None,
    discounts: DiscountBook,
    times: int | None = None,
) -> list[Quote]:
    """Quote the extensions that follow a known subscription: each by its own exact interval or period, or as told.

    Args:
        subscription: a row of `known_subscriptions`.
        term: extend by this period instead, each time.
        end_s: extend until this instant instead; further extensions are as long.
        price_at: gives the price in force at the start of each.
        currency: the account's.
        discounts: by length.
        times: how many extensions to quote; unless told one, or three where the subscription renews by itself.

    Raises:
        MisuseError: the end is not after the subscription's own.
    """
    own = parse_term(subscription["period"]) if subscription["period"] and subscription["declared_end_s"] is None else None
    chosen = term or (own if end_s is None else None)
    is_automatic = subscription["is_renewed"] and term is None and end_s is None
    wanted = times or (_SHOWN_RENEWALS if is_automatic else 1)
    last = Interval(subscription["start_s"], subscription["end_s"], subscription["nominal_seconds"])
    try:
        if end_s is None:
            intervals = _chain(last, chosen, wanted + 1)[1:]
        elif end_s > last.end_s:
            intervals = _chain(Interval(last.end_s, end_s, end_s - last.end_s), None, wanted)
        else:
            raise MisuseError(f"--end is not after the end of {subscription['id']}, {instant_text(last.end_s)}")
    except ValueError as error:
        raise MisuseError(f"the extension {error}") from None
    return [
        _quote(
            "renewal" if is_automatic else "extension", subscription["id"], subscription["location"], int(subscription["amount"]),
            each, chosen, price_at(each.start_s), currency, discounts,
        )
        for each in intervals
    ]  # fmt: skip


def _chain(interval: Interval, term: Term | None, times: int) -> list[Interval]:
    intervals = [interval]
    while len(intervals) < times:
        intervals.append(extension(intervals[-1], term))
    return intervals


def _quote(
    kind: Literal["purchase", "extension", "renewal"],
    name: str | None,
    location: str | None,
    amount_bytes: int,
    interval: Interval,
    term: Term | None,
    price: Price,
    currency: str | None,
    discounts: DiscountBook,
) -> Quote:
    in_force = discounts.at(location, interval.start_s, interval.end_s)
    cost = subscription_cost(amount_bytes, interval.start_s, interval.nominal_seconds, price, in_force)
    return Quote(
        kind=kind,
        id=name,
        location=location,
        amount_bytes=amount_bytes,
        start=interval.start_s,
        end=interval.end_s,
        period=term.text if term else None,
        entitled_seconds=interval.end_s - interval.start_s,
        nominal_seconds=interval.nominal_seconds,
        currency=currency,
        price=price.text,
        unit=price.unit,
        multiplier=price.multiplier,
        discount_percent=_decimal(100 * cost.discount_rate),
        gross=_decimal(cost.gross),
        discount=_decimal(cost.discount),
        net=_decimal(cost.net),
        gross_fraction=_fraction(cost.gross),
        discount_fraction=_fraction(cost.discount),
        net_fraction=_fraction(cost.net),
    )


def _decimal(value: Fraction) -> Decimal:
    exact = plain_decimal(value)
    return amount_of(value) if exact is None else exact


def _fraction(value: Fraction) -> str | None:
    return f"{value.numerator}/{value.denominator}" if plain_decimal(value) is None else None
