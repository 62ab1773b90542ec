"""Currencies and their minor units, after ISO 4217."""

from functools import cache

from iso4217 import Currency


def currency_code(text: str) -> str:
    """Read the code of a currency that money can be charged in.

    Raises:
        ValueError: it is none; its message is the reason.
    """
    if minor_places(text) is None:
        hint = ": write it in capitals" if minor_places(text.upper()) is not None else ""
        raise ValueError(f"is no currency of ISO 4217 with a minor unit, such as CHF{hint}")
    return text


@cache
def minor_places(currency: str) -> int | None:
    """Give the decimals of a currency's minor unit (CHF 2, JPY 0, KWD 3), None where it is no currency that has one."""
    try:
        return Currency(currency).exponent
    except ValueError:
        return None
