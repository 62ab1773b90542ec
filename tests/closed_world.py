"""A small world whose days are closed one by one, with sums that are done in the head.

1 GiB of burst at 0.30 per GB/month costs 0.01 a day. Periods are days: they close like months, and a test states every poll.
"""

from decimal import Decimal
from pathlib import Path

from small_world import GIB, meter_of, polls, price, write

PRICES = (price("0.30"),)
DAYS = "2026-10-01", "2026-10-05"


def day_meter(folder: Path, *, sizes=None, samples=None, prices=PRICES, **more):
    """Open a meter that knows four days of one snapshot of 1 GiB, nothing of it entitled: 0.01 CHF a day."""
    known = polls(*DAYS, {"s": GIB} if sizes is None else sizes) if samples is None else samples
    return meter_of(folder, samples=known, prices=prices, **more)


def more_facts(meter, folder: Path, name: str, *, supersede=False, **tables):
    """Take more facts in, each time from a folder of its own."""
    return meter.ingest(write(folder / name, **tables), supersede=supersede)


def amounts(bill, kind="adjustment"):
    """Give the amounts of a bill's lines of one kind, the adjusted period (if any) and price beside each."""
    return [(line.adjusts, line.price, line.amount) for line in bill.lines if line.kind == kind]


def exact(text: str) -> Decimal:
    return Decimal(text).quantize(Decimal("1e-20"))
