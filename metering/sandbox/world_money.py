"""The money side of the emulated provider: prices, burst levels, subscriptions, balances, the ledger.

Every 5 minutes the provider looks: what an account then holds in a location beyond its subscriptions is charged at the level in
force until it looks again, as one ledger line. All money is exact: Fractions, and balances as integers of 10⁻²⁰. Source:
PROVIDER.md "Money", ACCOUNTING.md §5 and §6.
"""

import contextlib
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction

from metering.model.period import instant_seconds, instant_text
from metering.model.terms import Interval, Term, parse_term, resolve_interval
from metering.model.units import GIB_BYTES, shown_quotient
from metering.sandbox.refusal import Refusal, not_there, not_valid
from metering.sandbox.world_things import RESOURCE, Account, LedgerLine, PriceRow, Subscription

PLACES = 20
MAX_PLACES = 30
DEFAULT_LEVEL = 1
LAST_S = instant_seconds("9999-12-31")
MAX_ORDERS = 500
# A length in months, and what it saves.
DISCOUNTS = (
    (36, Fraction(45, 100)),
    (24, Fraction(35, 100)),
    (12, Fraction(25, 100)),
    (6, Fraction(10, 100)),
    (3, Fraction(3, 100)),
)

Book = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody wants to subscribe to; which of the three times may stand together says ACCOUNTING.md §5."""

    amount: int
    resource: str = RESOURCE
    start_s: int | None = None
    end_s: int | None = None
    period: str | None = None
    auto_renew: bool = False


def nearest(value: Fraction) -> int:
    """Give the nearest integer, a tie to the even one."""
    whole, rest = divmod(value.numerator, value.denominator)
    return whole + (2 * rest + whole % 2 > value.denominator)


def in_units(amount: Fraction) -> int:
    """Give an amount as a whole number of 10⁻²⁰, rounded half-even."""
    return nearest(amount * 10**PLACES)


def decimal_text(units: int, places: int = PLACES) -> str:
    """Write whole units of 10^-places as a plain decimal."""
    whole, rest = divmod(abs(units), 10**places)
    return f"{'-' if units < 0 else ''}{whole}.{rest:0{places}d}"


def exact_text(amount: Fraction) -> str:
    """Write an amount with every digit it has, 30 decimals at the most; what has more is rounded half-even."""
    if amount.denominator == 1:
        return str(amount.numerator)
    rest, twos, fives = amount.denominator, 0, 0
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    places = min(max(twos, fives), MAX_PLACES) if rest == 1 else MAX_PLACES
    return decimal_text(nearest(amount * 10**places), places)


def burst_units(burst_bytes: int, seconds: int, price: PriceRow) -> int:
    """Charge a burst of whole seconds, in units of 10⁻²⁰."""
    return in_units(burst_bytes * seconds * price.per_byte_second)


def human_interval(seconds: int) -> str:
    """Write a length as the ledger does: `5 minutes` for 300 and for 299 seconds."""
    minutes = (seconds + 30) // 60
    return f"{minutes} minute{'' if minutes == 1 else 's'}"


def shown_gb(size: int) -> str:
    """Write bytes as the provider's GB, with two decimals."""
    return shown_quotient(size, GIB_BYTES, 2).replace(",", "")


class Money:
    """Prices, levels, subscriptions and books; a book is one account's in one location."""

    def __init__(self, new_uuid: Callable[[], str]) -> None:
        self._new_uuid = new_uuid
        self.prices: list[PriceRow] = []
        self.subscriptions: dict[str, Subscription] = {}
        self.ledger: defaultdict[Book, list[LedgerLine]] = defaultdict(list)
        self.balance_units: defaultdict[Book, int] = defaultdict(int)
        self._prices: defaultdict[tuple[str, str, int], list[PriceRow]] = defaultdict(list)
        self._levels: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        self._bought: defaultdict[Book, list[Subscription]] = defaultdict(list)
        self._last_id = 0

    # Prices and levels

    def set_price(
        self, price: str, currency: str, level: int, effective_from_s: int, *, location: str = "", resource: str = RESOURCE
    ) -> PriceRow:
        """Set what a GB costs for a month at a level, from an instant on."""
        row = PriceRow(self._next_id(), currency, level, price, effective_from_s, location, resource)
        self.prices.append(row)
        self._prices[resource, currency, level].append(row)
        return row

    def prices_at(self, location: str, instant_s: int) -> list[PriceRow]:
        """Give the rows in force: one that names the location beats every one that does not, then the latest wins."""
        best: dict[tuple[str, str, int], PriceRow] = {}
        for row in sorted(self.prices, key=lambda row: (row.location != "", row.effective_from_s)):
            if row.location in ("", location) and row.effective_from_s <= instant_s:
                best[row.resource, row.currency, row.level] = row
        return sorted(best.values(), key=lambda row: int(row.id))

    def price_at(self, location: str, currency: str, level: int, instant_s: int, resource: str = RESOURCE) -> PriceRow | None:
        """Give the row in force for one currency and level."""
        rows = [
            row
            for row in self._prices[resource, currency, level]
            if row.location in ("", location) and row.effective_from_s <= instant_s
        ]
        return max(rows, key=lambda row: (row.location != "", row.effective_from_s), default=None)

    def set_level(self, location: str, level: int, effective_from_s: int) -> None:
        """Set the level at which burst is charged in a location, from an instant on that comes after all that are set."""
        self._levels[location].append((effective_from_s, level))

    def level_at(self, location: str, instant_s: int) -> int:
        """Give the level in force, 1 where none was ever set."""
        rows = self._levels[location]
        index = bisect_right(rows, instant_s, key=lambda row: row[0])
        return rows[index - 1][1] if index else DEFAULT_LEVEL

    def levels(self) -> Iterable[tuple[str, int, int]]:
        """Give every change: location, the instant from which it holds, level."""
        return ((location, from_s, level) for location, rows in sorted(self._levels.items()) for from_s, level in rows)

    # Subscriptions

    def quote(self, account: Account, location: str, order: Order, now_s: int) -> Subscription:
        """Say what an order would become and cost; nothing is bought."""
        return self._priced(account, location, order, _interval(order.start_s, order.end_s, order.period, now_s), now_s)

    def buy(self, account: Account, location: str, orders: Iterable[Order], now_s: int) -> list[Subscription]:
        """Buy, all or nothing."""
        quoted = [self.quote(account, location, order, now_s) for order in orders]
        if len(quoted) > MAX_ORDERS:
            raise not_valid(f"at most {MAX_ORDERS} subscriptions can be bought in one request", "objects")
        self._afford(account, location, quoted)
        for subscription in quoted:
            self._book(subscription, now_s)
        return quoted

    def extend(self, subscription: Subscription, account: Account, order: Order | None, now_s: int) -> Subscription:
        """Extend the last of a chain: by what is ordered, else by its own length.

        One that was bought by `period` has its period read again from the new start; one with an end is extended by the same
        exact interval.
        """
        last = subscription
        while last.child is not None:
            last = last.child
        extension = self._quote_extension(last, account, order, now_s)
        self._afford(account, last.location, [extension])
        last.child, extension.parent = extension, last
        self._book(extension, now_s)
        return extension

    def _quote_extension(self, last: Subscription, account: Account, order: Order | None, now_s: int) -> Subscription:
        period = order.period if order else None
        end_s = order.end_s if order else None
        if period is None and end_s is None:
            period, end_s = last.period, None if last.period else last.end_s + (last.end_s - last.start_s)
        if period is not None and end_s is not None:
            raise not_valid("period and end_time together are ambiguous: leave one out", "period")
        wanted = Order(last.amount, last.resource, last.end_s, end_s, period, last.auto_renew)
        # The start is exact: it is where the one before ends, so it counts as now.
        interval = _interval(last.end_s, end_s, period, max(now_s, last.end_s))
        return self._priced(account, last.location, wanted, interval, now_s)

    def renew(self, accounts: dict[str, Account], now_s: int) -> None:
        """Extend what has come to its end and is to renew itself, where there are funds; else it ends."""
        for subscription in [s for s in self.subscriptions.values() if s.auto_renew and s.child is None and s.end_s <= now_s]:
            try:
                self.extend(subscription, accounts[subscription.account], None, now_s)
            except Refusal:
                subscription.auto_renew = False

    def subscription(self, account: Account, location: str, identifier: str) -> Subscription:
        """Find one of an account's subscriptions by id."""
        found = self.subscriptions.get(identifier)
        if found is None or (found.account, found.location) != (account.uuid, location):
            raise not_there("subscription", identifier)
        return found

    def bought(self, account: str, location: str) -> list[Subscription]:
        """Give an account's subscriptions in a location, in the order in which they were bought."""
        return self._bought[account, location]

    def entitled(self, account: str, location: str, instant_s: int) -> int:
        """Give the bytes of backup an account is entitled to at an instant."""
        return sum(s.amount for s in self._bought[account, location] if s.resource == RESOURCE and s.start_s <= instant_s < s.end_s)

    def _priced(self, account: Account, location: str, order: Order, interval: Interval, now_s: int) -> Subscription:
        price = self.price_at(location, account.currency, 0, now_s, order.resource)
        if price is None:
            raise not_valid(f"{order.resource!r} is no resource that has a subscription price in {account.currency}", "resource")
        full = order.amount * interval.nominal_seconds * price.per_byte_second
        discount = discount_of(interval)
        return Subscription(
            id="", uuid="", account=account.uuid, location=location, resource=order.resource, amount=order.amount,
            start_s=interval.start_s, end_s=interval.end_s, nominal_seconds=interval.nominal_seconds, period=order.period,
            price=full * (1 - discount), discount=discount, discount_amount=full * discount, auto_renew=order.auto_renew,
        )  # fmt: skip

    def _afford(self, account: Account, location: str, quoted: list[Subscription]) -> None:
        funds = self.balance_units[account.uuid, location] + in_units(account.credit_limit)
        if sum(in_units(subscription.price) for subscription in quoted) > funds:
            raise Refusal(402, "payment", "the balance does not cover the price: add funds", None)

    def _book(self, subscription: Subscription, now_s: int) -> None:
        subscription.id, subscription.uuid = self._next_id(), self._new_uuid()
        self.subscriptions[subscription.id] = subscription
        book = (subscription.account, subscription.location)
        self._bought[book].append(subscription)
        reason = (
            f"Subscription: {shown_gb(subscription.amount)} GB of {subscription.resource} until {instant_text(subscription.end_s)}"
        )
        self.move(book, now_s, in_units(subscription.price), reason, resource_amount=subscription.amount)

    # Balances and the ledger

    def move(
        self,
        book: Book,
        now_s: int,
        amount_units: int,
        reason: str,
        *,
        resource_amount: int = 1,
        cycle: tuple[int, int] | None = None,
    ) -> None:
        """Debit a book (a negative amount is a payment) and write the ledger line."""
        initial = self.balance_units[book]
        self.balance_units[book] = initial - amount_units
        billing_cycle, interval = cycle or (None, None)
        self.ledger[book].append(
            LedgerLine(
                int(self._next_id()), now_s, now_s, billing_cycle, interval, amount_units, initial, initial - amount_units,
                resource_amount, reason,
            )
        )  # fmt: skip

    def bill_cycle(self, accounts: dict[str, Account], occupied: dict[Book, int], now_s: int, cycle_s: int) -> None:
        """Charge what is held now beyond the subscriptions, for the cycle that begins: a line each book that bursts."""
        at = instant_text(now_s)[:16].replace("T", " ")
        for book in sorted(book for book, size in occupied.items() if size):
            burst = occupied[book] - self.entitled(*book, now_s)
            price = self.price_at(book[1], accounts[book[0]].currency, self.level_at(book[1], now_s), now_s)
            if burst <= 0 or price is None:
                continue
            reason = f"Burst: {shown_gb(burst)} GB of {RESOURCE} for {human_interval(cycle_s)} at {at}"
            units = burst_units(burst, cycle_s, price)
            self.move(book, now_s, units, reason, resource_amount=burst, cycle=(now_s // cycle_s, cycle_s))

    def _next_id(self) -> str:
        self._last_id += 1
        return str(self._last_id)


def _interval(start_s: int | None, end_s: int | None, period: str | None, now_s: int) -> Interval:
    """Resolve what was said of a subscription's time; refuse what makes no interval, or one that leaves the calendar."""
    point = "end_time" if end_s is not None and not period else "period"
    try:
        interval = resolve_interval(start_s, end_s, parse_term(period) if period else None, now_s)
    except ValueError as error:
        raise not_valid(str(error), point) from None
    if interval.end_s > LAST_S:
        raise not_valid("leaves the calendar", point)
    return interval


def discount_of(interval: Interval) -> Fraction:
    """Give the discount of a length: the largest listed number of months it does not fall short of."""
    nominal_end_s = interval.start_s + interval.nominal_seconds
    for months, saved in DISCOUNTS:
        with contextlib.suppress(ValueError):  # so many months would leave the calendar
            if Term(months, "month").after(interval.start_s) <= nominal_end_s:
                return saved
    return Fraction(0)
