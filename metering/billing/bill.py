"""A bill from usage steps: usage, charge lines, burst episodes and statements. SQL counts integers; money is made here."""

import hashlib
from collections import defaultdict
from decimal import Decimal
from fractions import Fraction
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any

from metering.billing import findings
from metering.billing.money import Price, amount_due, amount_of, charge_amount, ratio, total_known
from metering.billing.rates import Rate, RateBook
from metering.billing.usage import Computation
from metering.engine.interface import QueryEngine
from metering.model.period import date_text
from metering.model.records import Bill, BilledPeriod, ChargeLine, Episode, Statement, UsageRow


def make_bill(engine: QueryEngine, computation: Computation, locations: frozenset[str]) -> Bill:
    """Price a computed period: nothing is read but its tables, nothing is written.

    Args:
        engine: holds the tables of `computation`.
        computation: the period.
        locations: the codes that are known; others are metered and reported as a finding.
    """
    accounts = known_accounts(engine, computation.known_seq)
    usage = usage_rows(engine)
    lines = charge_lines(engine, computation.rates, accounts)
    return Bill(
        period=BilledPeriod(start=computation.period.start_s, end=computation.period.end_s, as_of=computation.as_of_s),
        usage=usage,
        lines=lines,
        episodes=episodes(engine, computation.rates, accounts),
        statements=statements_of({row.account for row in usage}, lines, accounts),
        findings=findings.find(engine, computation, usage, lines, locations),
    )


def known_accounts(engine: QueryEngine, known_seq: int) -> dict[str, dict[str, Any]]:
    """Give the currency and the name of every account that was known by an ingest, by account."""
    return {row["account"]: row for row in engine.rows("billing/known_accounts", {"known_seq": known_seq})}


def known_currencies(engine: QueryEngine, known_seq: int) -> dict[str, str]:
    """Give the currency of every account that was known by an ingest."""
    return {account: row["currency"] for account, row in known_accounts(engine, known_seq).items()}


def usage_rows(engine: QueryEngine) -> list[UsageRow]:
    """Give usage by account and location; what has neither a quantity nor any time in a state is left out."""
    rows = (UsageRow(**_integers(row)) for row in engine.rows("billing/usage"))
    return [row for row in rows if any(value for name, value in row if name not in ("account", "location"))]


def computed_lines(engine: QueryEngine, computation: Computation) -> list[ChargeLine]:
    """Give the charge lines of a computed period, whose tables the engine holds."""
    return charge_lines(engine, computation.rates, known_accounts(engine, computation.known_seq))


def charge_lines(engine: QueryEngine, book: RateBook, accounts: dict[str, dict[str, Any]]) -> list[ChargeLine]:
    """Price burst by account, location, UTC date and rate."""
    lines: list[ChargeLine] = []
    alike: dict[tuple[int, str | None], tuple[dict[str, Any], Price | None, tuple[Any, ...]]] = {}
    for row in engine.rows("billing/burst_lines"):
        account, location, date_s, rate_key = row["account"], row["location"], row["date_s"], row["rate_key"]
        currency = accounts[account]["currency"] if account in accounts else None
        if (rate_key, currency) not in alike:
            alike[rate_key, currency] = _said_alike(book.rates[rate_key], currency)
        said, price, key = alike[rate_key, currency]
        byte_seconds = int(row["burst_byte_seconds"])
        lines.append(
            ChargeLine(
                charge_id=charge_id("burst", account, location, date_s, *key),
                account=account,
                location=location,
                date=date_s,
                burst_byte_seconds=byte_seconds,
                burst_seconds=row["burst_seconds"],
                peak_burst_bytes=int(row["peak_burst_bytes"]),
                amount=charge_amount(byte_seconds, price) if price else None,
                **said,
            )
        )
    return sorted(lines, key=line_order)


def _said_alike(rate: Rate, currency: str | None) -> tuple[dict[str, Any], Price | None, tuple[Any, ...]]:
    """Give what all lines of a rate and currency say alike, their price, and what of them is part of a charge's name."""
    price = rate.price
    said = {
        "kind": "burst",
        "level": rate.level,
        "currency": currency,
        "price": price.text if price else None,
        "unit": price.unit if price else None,
        "multiplier": price.multiplier if price else None,
    }
    return said, price, (rate.level, currency, *price_key(price))


def line_order(line: ChargeLine) -> tuple[Any, ...]:
    """Give what lines are sorted by: their key, the unpriced before the priced, the cheap before the dear."""
    price = ratio(line.price) if line.price is not None else Fraction(-1)
    adjusts = line.adjusts or ""
    return line.account, line.location, line.date, line.level, price, line.unit or "", line.currency or "", line.kind, adjusts


def charge_id(kind: str, account: str, location: str, date_s: int, level: int, currency: str | None, *price: str) -> str:
    """Name a charge by what it is for, the same in every computation: its date and a digest of its key."""
    date = date_text(date_s)
    key = "\x1f".join((kind, account, location, date, str(level), currency or "", *price))
    return f"{date}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"


def price_key(price: Price | None) -> tuple[str, str]:
    """Give what the name of a charge says of its price: the exact price of a byte-second and its unit, empty where it has none."""
    return (str(price.per_byte_second), price.unit) if price else ("", "")


def episodes(engine: QueryEngine, book: RateBook, accounts: dict[str, dict[str, Any]]) -> list[Episode]:
    """Give each burst without a break, priced exactly over its parts and rounded once; unpriced if any part is."""
    found = []
    for _, group in groupby(engine.rows("billing/burst_episode_parts"), key=itemgetter("unit_key", "episode_number")):
        parts = list(group)
        first = parts[0]
        account = accounts.get(first["account"])
        found.append(
            Episode(
                account=first["account"],
                location=first["location"],
                start=min(part["starts_at_s"] for part in parts),
                end=max(part["ends_at_s"] for part in parts),
                peak_burst_bytes=max(int(part["peak_burst_bytes"]) for part in parts),
                burst_byte_seconds=sum(int(part["burst_byte_seconds"]) for part in parts),
                currency=account["currency"] if account else None,
                amount=parts_amount(parts, book),
            )
        )
    return sorted(found, key=attrgetter("account", "location", "start"))


def parts_amount(parts: list[dict[str, Any]], book: RateBook) -> Decimal | None:
    """Add parts of different rates exactly and round once, half-even, to 20 decimals; None if any part is unpriced."""
    prices = [book.rates[part["rate_key"]].price for part in parts]
    if len(parts) == 1:
        return charge_amount(int(parts[0]["burst_byte_seconds"]), prices[0]) if prices[0] else None
    amount = Fraction(0)
    for part, price in zip(parts, prices, strict=True):
        if price is None:
            return None
        amount += int(part["burst_byte_seconds"]) * price.per_byte_second
    return amount_of(amount)


def statements_of(billed: set[str], lines: list[ChargeLine], accounts: dict[str, dict[str, Any]]) -> list[Statement]:
    """Sum lines up, one statement an account and currency; an account that used something has one, with lines or without."""
    own: defaultdict[tuple[str, str | None], list[ChargeLine]] = defaultdict(list)
    for account in billed:
        own[account, accounts[account]["currency"] if account in accounts else None] = []
    for line in lines:
        own[line.account, line.currency].append(line)
    order = sorted(own, key=lambda key: (key[0], key[1] or ""))
    return [_statement(account, currency, accounts.get(account), own[account, currency]) for account, currency in order]


def _statement(account: str, currency: str | None, known: dict[str, Any] | None, lines: list[ChargeLine]) -> Statement:
    is_priced = all(line.amount is not None for line in lines)
    burst_amount = total_known(line.amount for line in lines)
    return Statement(
        account=account,
        name=known["name"] if known else None,
        currency=currency,
        state="draft" if is_priced else "parked",
        burst_amount=burst_amount,
        amount_due=amount_due(burst_amount, currency) if is_priced else None,
    )


def _integers(row: dict[str, Any]) -> dict[str, Any]:
    """Give SQL's whole decimals as the integers they are."""
    return {name: value if isinstance(value, str) else int(value) for name, value in row.items()}
