"""Make `provider/alpenrose-zrh.ledger.json.gz`: what the provider says it has charged Alpenrose in Zurich, mistakes included.

    python sample_data/ledger.py [FOLDER]

A line every five minutes of the burst from the 5th to the 19th, as `/ledger/` answers them, and a payment. The provider has made
three mistakes: a line twice, a line too few, and after the price changed on the 12th at 06:00 two hours at the old one. This
program knows nothing of our bill: burst, price and level are those of the story.
"""

import gzip
import json
import sys
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

GIB = 2**30
MULTIPLIER = GIB * 30 * 86_400
CYCLE = timedelta(minutes=5)
PLACES = 10**20


def at(text: str) -> datetime:
    """Read `10-05 00:00` as an instant of 2026, UTC."""
    return datetime.strptime(f"2026-{text}", "%Y-%m-%d %H:%M").replace(tzinfo=UTC)


def burst_gib(instant: datetime) -> int:
    """Give what is held beyond the subscription: 400, of which 200 are subscribed from the 7th to the 14th, noon to noon."""
    return 200 if at("10-07 12:00") <= instant < at("10-14 12:00") else 400


def price(instant: datetime) -> str:
    """Give what the provider charges for a GiB and month; two hours of it are a mistake."""
    if at("10-16 18:00") <= instant < at("10-17 06:00"):
        return "0.54"
    return "0.27" if instant < at("10-12 08:00") else "0.297"


def decimal(units: int) -> str:
    """Write units of 10⁻²⁰."""
    whole, rest = divmod(abs(units), PLACES)
    return f"{'-' if units < 0 else ''}{whole}.{rest:020d}"


def lines() -> list[dict[str, Any]]:
    """Give the lines, the latest first, as the provider does."""
    found: list[dict[str, Any]] = []
    balance = 0

    def move(time: datetime, amount: int, reason: str, **more: Any) -> None:
        nonlocal balance
        before, balance = balance, balance - amount
        found.append(
            {
                "id": str(7_000_001 + len(found)), "time": time.isoformat(), "poll_time": time.isoformat(), "billing_cycle": None,
                "interval": None, "human_interval": None, "amount": decimal(amount), "initial": decimal(before),
                "end": decimal(balance), "resource_amount": "1", "reason": reason, **more,
            }
        )  # fmt: skip

    move(at("10-01 09:00"), -100 * PLACES, "Payment through bank transfer")
    instant = at("10-05 00:00")
    while instant < at("10-19 00:00"):
        gib = burst_gib(instant)
        amount = round(Fraction(price(instant)) * gib * GIB * 300 * PLACES / MULTIPLIER)
        times = {at("10-08 10:00"): 2, at("10-09 14:00"): 0}.get(instant, 1)
        for _ in range(times):
            move(
                instant, amount, f"Burst: {gib}.00 GB of backup for 5 minutes at {instant:%Y-%m-%d %H:%M}",
                billing_cycle=(instant - datetime(1970, 1, 1, tzinfo=UTC)) // CYCLE, interval=300, human_interval="5 minutes",
                resource_amount=str(gib * GIB),
            )  # fmt: skip
        instant += CYCLE
    return found[::-1]


def main(folder: Path) -> None:
    """Write the ledger into a folder, the same bytes every time."""
    folder.mkdir(parents=True, exist_ok=True)
    found = lines()
    document = {"meta": {"limit": 0, "offset": 0, "total_count": len(found)}, "objects": found}
    path = folder / "alpenrose-zrh.ledger.json.gz"
    with path.open("wb") as file, gzip.GzipFile("", "wb", mtime=0, fileobj=file) as packed:
        packed.write(json.dumps(document, indent=0).encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "provider")
