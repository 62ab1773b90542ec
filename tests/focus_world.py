"""The worked example of FOCUS: 10,240 GiB bought for 30 days, two days billed, and facts about them that come late."""

import csv
from decimal import Decimal
from pathlib import Path

from small_world import GIB, meter_of, polls, price, subscription, write

from metering.reporting.focus.columns import COLUMNS

GB_DAY = GIB * 86_400
FIRST, SECOND = "2026-11-01..2026-11-03", "2026-11-03..2026-11-05"
PRICES = [
    price("0.002", level=0, currency="USD", unit="GB/day", multiplier=GB_DAY),
    price("0.003", currency="USD", unit="GB/day", multiplier=GB_DAY),
]


def example(folder: Path, **more):
    """Open a meter that knows two days of usage, nothing on the days after, and one subscription for 30 days."""
    samples = [
        *polls("2026-11-01", "2026-11-02", {"s": 8_000 * GIB}),
        *polls("2026-11-02", "2026-11-03", {"s": 12_240 * GIB}),
        *polls("2026-11-03", "2026-11-06", {}),
    ]
    return meter_of(
        folder, samples=samples, prices=PRICES, accounts=[{"account": "A", "currency": "USD", "name": "Example Ltd"}],
        subscriptions=[subscription("42", 10_240 * GIB, "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z")], **more,
    )  # fmt: skip


def bring_late(meter, folder: Path):
    """Say of the first two days that more was occupied: 1,000 GiB on the one, 500 GiB on the other."""
    samples = [*polls("2026-11-01", "2026-11-02", {"s": 9_000 * GIB}), *polls("2026-11-02", "2026-11-03", {"s": 12_740 * GIB})]
    meter.ingest(write(folder / "late", samples=samples), supersede=True)


def exported(meter, period: str, folder: Path, **options) -> list[dict[str, str]]:
    """Export a period as CSV and read it back."""
    place = folder / "focus.csv"
    meter.export("focus", place, period=period, **options)
    with place.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        assert tuple(reader.fieldnames) == tuple(column.name for column in COLUMNS)
        return list(reader)


def figures(row: dict[str, str], *names: str) -> tuple[Decimal | None, ...]:
    return tuple(Decimal(row[name]) if row[name] else None for name in names)
