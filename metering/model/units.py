"""Units of capacity and of price.

The provider writes GB and means GiB: `GB/month` has the multiplier 2 783 138 807 808 000 = 2³⁰ × 2 592 000, so a month is
30 days. `price / multiplier` is the price of one byte for one second. Source: ACCOUNTING.md §6.
"""

import re
from decimal import Decimal

GIB_BYTES = 2**30
MONTH_SECONDS = 30 * 86_400
GIB_MONTH_BYTE_SECONDS = GIB_BYTES * MONTH_SECONDS

_SIZES = {
    "byte": 1, "B": 1, "KB": 2**10, "MB": 2**20, "GB": 2**30, "TB": 2**40, "PB": 2**50,
    "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40, "PiB": 2**50,
}  # fmt: skip
_TIMES = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400, "week": 604_800, "month": MONTH_SECONDS}


_AMOUNT = re.compile(r"([0-9]{1,30})(?:[.]([0-9]{1,30}))? ?([A-Za-z]+)?", re.ASCII)


def parse_bytes(text: str) -> int:
    """Read an amount of bytes: `10737418240`, `10GiB`, `1.5 TiB`; GB and its like mean GiB, as with the provider.

    >>> parse_bytes("10GiB")
    10737418240

    Raises:
        ValueError: the text is no amount, or no whole number of bytes; its message is the reason.
    """
    match = _AMOUNT.fullmatch(text.strip())
    size = _SIZES.get(match[3] or "B") if match else None
    if match is None or size is None:
        raise ValueError("is no amount such as 10737418240 or 10GiB")
    fraction = match[2] or ""
    amount, rest = divmod(int(match[1] + fraction) * size, int("1" + "0" * len(fraction)))
    if rest:
        raise ValueError("is no whole number of bytes")
    return amount


def unit_multiplier(unit: str) -> int | None:
    """Give the byte-seconds that a price unit stands for, or None where the unit is not known.

    >>> unit_multiplier("GB/month")
    2783138807808000
    """
    parts = unit_parts(unit)
    return None if parts is None else parts[0] * parts[1]


def unit_parts(unit: str) -> tuple[int, int] | None:
    """Give the bytes and the seconds that a price unit stands for, or None where the unit is not known.

    >>> unit_parts("GB/month")
    (1073741824, 2592000)
    """
    size, _, time = unit.partition("/")
    if size not in _SIZES or time not in _TIMES:
        return None
    return _SIZES[size], _TIMES[time]


def shown_quotient(quantity: int, divisor: int, places: int) -> str:
    """Write quantity ÷ divisor with thousands separators, rounded half-up to `places`; for the eye, never for arithmetic."""
    scaled = (2 * abs(quantity) * 10**places + divisor) // (2 * divisor)
    whole, fraction = divmod(scaled, 10**places)
    sign = "-" if quantity < 0 and scaled else ""
    return f"{sign}{whole:,}" + (f".{fraction:0{places}d}" if places else "")


def shown_percent(part: int, whole: int) -> str:
    """Write a share in percent with two decimals, rounded down, so that all and nearly all are not the same; for the eye.

    >>> shown_percent(2_678_399, 2_678_400), shown_percent(2_678_400, 2_678_400), shown_percent(0, 0)
    ('99.99', '100.00', '–')
    """
    return shown_quotient(10_000 * part // whole, 100, 2) if whole else "–"


def shown_time(seconds: int) -> str:
    """Write a length of time as people say it, and the exact seconds behind it; for the eye.

    >>> shown_time(9_900), shown_time(2_590_650), shown_time(86_400), shown_time(59)
    ('2 h 45 min (9,900 s)', '29 days 23 h 37 min 30 s (2,590,650 s)', '1 day (86,400 s)', '59 s')
    """
    minutes, rest_s = divmod(seconds, 60)
    if not minutes:
        return f"{seconds} s"
    hours, rest_min = divmod(minutes, 60)
    days, rest_h = divmod(hours, 24)
    parts = [counted(days, "day") if days else "", *(f"{n} {u}" for n, u in ((rest_h, "h"), (rest_min, "min"), (rest_s, "s")) if n)]
    return f"{' '.join(filter(None, parts))} ({seconds:,} s)"


def shown_gib(quantity_bytes: int) -> str:
    """Write bytes as GiB with two decimals, for the eye."""
    return shown_quotient(quantity_bytes, GIB_BYTES, 2)


def shown_gib_months(byte_seconds: int) -> str:
    """Write byte-seconds as GiB-months (30 days) with four decimals, for the eye."""
    return shown_quotient(byte_seconds, GIB_MONTH_BYTE_SECONDS, 4)


def shown_amount(amount: Decimal) -> str:
    """Write an amount with thousands separators and without the zeros at its end that say nothing; exact, for the eye.

    >>> shown_amount(Decimal("1754.50000000000000000000")), shown_amount(Decimal("755"))
    ('1,754.50', '755')
    """
    return trimmed(amount, ",f")


def trimmed(amount: Decimal, form: str = "f") -> str:
    """Write an amount exactly, in a form of Python's, without the zeros at its end that say nothing; two decimals are left.

    >>> trimmed(Decimal("1234.10000000")), trimmed(Decimal("0.00125"), "+f")
    ('1234.10', '+0.00125')
    """
    whole, point, decimals = format(amount, form).partition(".")
    return f"{whole}{point}{decimals.rstrip('0').ljust(2, '0')}" if point else whole


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """Write how many there are, as people say it.

    >>> counted(1, "episode"), counted(1_200, "episode"), counted(2, "account and location", "accounts and locations")
    ('1 episode', '1,200 episodes', '2 accounts and locations')
    """
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"
