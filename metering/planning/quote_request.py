"""A quote as it is asked for, in words, and the facts of the store that it needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from metering.billing.bill import known_currencies
from metering.billing.discounts import DiscountBook, Settled
from metering.billing.money import Price
from metering.billing.rates import SUBSCRIPTION_LEVEL, PriceBook
from metering.billing.subscriptions import Discounts
from metering.engine.duckdb import Engine
from metering.journal import last_ingest
from metering.model.currency import currency_code
from metering.model.errors import MisuseError, NoDataError
from metering.model.period import instant_seconds, instant_text
from metering.model.terms import Term, parse_term
from metering.model.units import parse_bytes, unit_multiplier
from metering.planning.quote import Order, PriceAt, Quote, extension_quotes, purchase_quotes

MAX_TIMES = 120
_MAX_PRICE_LENGTH = 60
# Of a price that is named without one.
_UNIT = "GB/month"


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteRequest:
    """What is said of a subscription that somebody may buy or extend; what is None was not said.

    Raises:
        MisuseError: something is said that would mean nothing.
    """

    amount: str | int | None = None
    location: str | None = None
    start: str | None = None
    end: str | None = None
    period: str | None = None
    price: str | None = None
    unit: str | None = None
    currency: str | None = None
    account: str | None = None
    extend: str | None = None
    times: int | None = None
    now: str | None = None

    def __post_init__(self) -> None:
        if self.unit is not None and self.price is None:
            raise MisuseError("--unit is of a --price: the store's price has its own; give both, or neither")
        if self.now is not None and self.extend is not None:
            raise MisuseError("what --extend quotes begins where the subscription ends, whatever time it is now: leave --now out")

    @property
    def needs_store(self) -> bool:
        """Whether the words alone do not make a quote."""
        return self.price is None or self.extend is not None or (self.account is not None and self.currency is None)


def make_quotes(engine: Engine | None, request: QuoteRequest, now_s: int, discounts: Discounts) -> list[Quote]:
    """Quote what is asked for, at the clock `now_s`; `engine` holds the store where the request needs it.

    Raises:
        MisuseError: the request is ambiguous, not specific enough, or wrong.
        NoDataError: the store has no such subscription, account or price.
    """
    term, end_s = _term(request.period), _instant(request.end, "--end")
    if request.times is not None and not 1 <= request.times <= MAX_TIMES:
        raise MisuseError(f"--times {request.times} is not between 1 and {MAX_TIMES}")
    # What is quoted comes after all that is closed.
    settings = Settled(discounts)
    book = DiscountBook(settings) if engine is None else DiscountBook.read(engine, settings, last_ingest(engine))
    if request.extend is None:
        order = Order(_amount(request.amount), request.location, _instant(request.start, "--start"), end_s, term)
        currency = _named_currency(request) or _currency_of(engine, request.account)
        price_at = _price_at(engine, request, currency, request.location)
        return purchase_quotes(order, price_at, now_s=now_s, currency=currency, discounts=book, times=request.times or 1)
    if engine is None:
        raise MisuseError("--extend needs a store: name it with --store")
    if request.amount is not None or request.start is not None or (term and end_s is not None):
        raise MisuseError("--extend takes amount and start from the subscription, and one of --period and --end at most")
    rows = engine.rows("billing/known_subscriptions", {"known_seq": last_ingest(engine)})
    subscription = _chosen(rows, request.extend, request.location, request.account)
    currency = _named_currency(request) or _currency_of(engine, subscription["account"], subscription["currency"])
    price_at = _price_at(engine, request, currency, subscription["location"])
    return extension_quotes(subscription, term, end_s, price_at, currency=currency, discounts=book, times=request.times)


def _amount(amount: str | int | None) -> int:
    if amount is None:
        raise MisuseError("say how much: --amount 10GiB")
    return bytes_asked(amount, "--amount", "is nothing to buy")


def bytes_asked(asked: str | int, option: str, otherwise: str) -> int:
    """Read how many bytes an option asks for, at least one.

    Raises:
        MisuseError: it is no number of bytes, or none of them, which `otherwise` says in the option's own words.
    """
    try:
        parsed = asked if isinstance(asked, int) else parse_bytes(asked)
    except ValueError as error:
        raise MisuseError(f"{option} {asked!r} {error}") from None
    if parsed <= 0:
        raise MisuseError(f"{option} {asked!r} {otherwise}")
    return parsed


def _term(text: str | None) -> Term | None:
    try:
        return None if text is None else parse_term(text)
    except ValueError as error:
        raise MisuseError(f"--period {text!r} {error}") from None


def _instant(text: str | None, option: str) -> int | None:
    try:
        return None if text is None else instant_seconds(text)
    except ValueError as error:
        raise MisuseError(f"{option} {text!r} {error}") from None


def _named_currency(request: QuoteRequest) -> str | None:
    try:
        return None if request.currency is None else currency_code(request.currency)
    except ValueError as error:
        raise MisuseError(f"--currency {request.currency!r} {error}") from None


def _currency_of(engine: Engine | None, account: str | None, otherwise: str | None = None) -> str | None:
    """Give the currency of an account; `otherwise` is what else tells it, where the account is none that is known."""
    if engine is None or account is None:
        return None
    found = known_currencies(engine, last_ingest(engine)).get(account, otherwise)
    if found is None:
        raise NoDataError(f"account {account!r} is not among the accounts: say the --currency")
    return found


def _price_at(engine: Engine | None, request: QuoteRequest, currency: str | None, location: str | None) -> PriceAt:
    """Give what tells the price of an instant: the one that was named, or the subscription price in force in the store."""
    if request.price is not None:
        named = _named_price(request.price, request.unit or _UNIT)
        return lambda _instant_s: named
    if engine is None or currency is None or location is None:
        said = {"a --location": location, "a --currency or an --account": currency}
        needed = " and ".join(option for option, value in said.items() if value is None)
        raise MisuseError(f"the price in the store needs {needed}; or name a --price")
    book = PriceBook(engine.rows("billing/known_prices", {"known_seq": last_ingest(engine)}))

    def price_at(instant_s: int) -> Price:
        price = book.at(currency, location, SUBSCRIPTION_LEVEL, instant_s)
        if price is None:
            where = f"in {location} at {instant_text(instant_s)}"
            raise NoDataError(f"no {currency} price of level 0 is in force {where}: ingest one, or name a --price")
        return price

    return price_at


def _named_price(price: str, unit: str) -> Price:
    whole, _, fraction = price.partition(".")
    digits = whole + fraction
    if not (whole and digits.isascii() and digits.isdigit()) or len(price) > _MAX_PRICE_LENGTH:
        raise MisuseError(f"--price {price!r} is no plain decimal of 0 or more, such as 0.105")
    multiplier = unit_multiplier(unit)
    if multiplier is None:
        raise MisuseError(f"--unit {unit!r} is no unit of price such as GB/month, GB/hour, TB/month")
    return Price(price, unit, multiplier)


def _chosen(rows: Sequence[dict[str, Any]], name: str, location: str | None, account: str | None) -> dict[str, Any]:
    """Find the subscription to extend; one id may stand for several, one a location."""
    found = [row for row in rows if row["id"] == name and location in (None, row["location"]) and account in (None, row["account"])]
    if not found:
        raise NoDataError(f"there is no subscription {name!r}: `metering report subscriptions --period P` lists them")
    if len(found) > 1:
        places = " and ".join(sorted(row["location"] for row in found))
        raise MisuseError(f"subscription {name!r} is in {places}: choose one with --location")
    return found[0]
