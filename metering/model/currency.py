"""Currencies and their minor units, after ISO 4217."""

from functools import cache

from iso4217 import Currency


@cache
def minor_places(currency: str) -> int | None:
    """Give the decimals of a currency's minor unit (CHF 2, JPY 0, KWD 3), None where it is no currency that has one."""
    try:
        return Currency(currency).exponent
    except ValueError:
        return None
