"""Our figures in the provider's own shapes: `/ledger/`, `/dailyburstusage/` and `/currentusage/`, for systems that read those.

The provider answers one account in one location; an export holds several, so each object names its `account`, `location` and
`currency` besides. Source: PROVIDER.md "Money".

How the ledger's lines relate to charge lines: they cut the same burst into pieces, one a five-minute cycle and, where burst or
price changes inside a cycle, one a piece, so that each line's amount is its `resource_amount × interval × price / multiplier`. The
exact ratios of a charge line's pieces add up to its own. Rounded to 20 decimals one by one, n lines differ from their charge line
by (n + 1) / 2 units of the 20th decimal at the most: 0.00000000000000000145 for the 289 lines of a day in which one cycle is cut.
"""

from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from typing import Any

from metering.billing.bill import charge_id, computed_lines, price_key
from metering.billing.money import ZERO, charge_amount, less, total
from metering.billing.usage import Computation
from metering.engine.duckdb import Engine
from metering.model.period import SECONDS_PER_DAY, date_text, day_start, instant_text, moment
from metering.model.units import GIB_BYTES, shown_quotient
from metering.reporting.unit_steps import Step, Unit, UnitSteps, steps_at, steps_of, units_of

RESOURCE = "backup"

Document = dict[str, Any]


def ledger_objects(engine: Engine, computation: Computation, account: str | None = None) -> Iterator[Document]:
    """Give five-minute lines of burst as the provider's ledger has them, by account, location and time.

    A line's id is the id of its charge and the second of the day at which it begins. `initial` and `end` count from 0 at the
    period's begin, for what was paid in is the provider's to know. An unpriced line has no amount, which is not zero.
    """
    for own in steps_of(engine, computation, _wanted(engine, account)):
        yield from _unit_ledger(own, computation.clock.cycle_s)


def _unit_ledger(own: UnitSteps, cycle_s: int) -> Iterator[Document]:
    balance = ZERO
    for step in own.bursts():
        # Midnight ends a cycle only where cycles divide the day; charges always end there.
        cuts = {*range(step.start_s - step.start_s % cycle_s + cycle_s, step.end_s, cycle_s)}
        cuts |= {*range(day_start(step.start_s) + SECONDS_PER_DAY, step.end_s, SECONDS_PER_DAY)}
        edges = [step.start_s, *sorted(cuts), step.end_s]
        for start_s, end_s in pairwise(edges):
            line = _ledger_line(own, step.clipped(start_s, end_s), cycle_s, balance)
            balance = Decimal(line["end"])
            yield line


def _ledger_line(own: UnitSteps, piece: Step, cycle_s: int, balance: Decimal) -> Document:
    unit, rate = own.unit, own.rate_at(piece.start_s)
    price = rate.price if rate else None
    amount = charge_amount(piece.burst_bytes * piece.seconds, price) if price else None
    after = less(balance, amount or ZERO)
    day_s = day_start(piece.start_s)
    charge = charge_id(
        "burst", unit.account, unit.location, day_s, rate.level if rate else 0, unit.currency or None,
        *price_key(price),
    )  # fmt: skip
    time = moment(piece.start_s).isoformat()
    return {
        "id": f"{charge}-{piece.start_s - day_s:05d}",
        "time": time,
        "poll_time": time,
        "billing_cycle": piece.start_s // cycle_s,
        "interval": piece.seconds,
        "human_interval": human_interval(piece.seconds),
        "amount": None if amount is None else format(amount, "f"),
        "initial": format(balance, "f"),
        "end": format(after, "f"),
        "resource_amount": str(piece.burst_bytes),
        "reason": burst_reason(piece.burst_bytes, piece.seconds, piece.start_s),
        **_named(unit),
    }


def human_interval(seconds: int) -> str:
    """Write a length as the ledger does: `5 minutes` for 300 and for 299 seconds."""
    minutes = (seconds + 30) // 60
    return f"{minutes} minute{'' if minutes == 1 else 's'}"


def burst_reason(burst_bytes: int, seconds: int, instant_s: int) -> str:
    """Write the reason of a ledger line: `Burst: 4.50 GB of backup for 5 minutes at 2026-10-05 09:06`."""
    size = shown_quotient(burst_bytes, GIB_BYTES, 2).replace(",", "")
    at = instant_text(instant_s)[:16].replace("T", " ")
    return f"Burst: {size} GB of {RESOURCE} for {human_interval(seconds)} at {at}"


def daily_objects(engine: Engine, computation: Computation, account: str | None = None) -> Iterator[Document]:
    """Give burst by day as `/dailyburstusage/` has it: `amount` sums the day's charge lines, `usage` is the day's highest burst."""
    days: dict[tuple[str, str, int], list[Any]] = {}
    for line in computed_lines(engine, computation):
        if account in (None, line.account):
            days.setdefault((line.account, line.location, line.date), []).append(line)
    for (owner, location, date_s), lines in sorted(days.items()):
        amounts = [line.amount for line in lines]
        yield {
            "date": date_text(date_s),
            "amount": None if None in amounts else format(total(amounts), "f"),
            "resource_type": RESOURCE,
            "usage": max(line.peak_burst_bytes for line in lines),
            **_named(Unit(owner, location, lines[0].currency or "")),
        }


def current_objects(engine: Engine, computation: Computation, account: str | None = None) -> Iterator[Document]:
    """Give what is used, subscribed and burst at the last second of the period, as `/currentusage/` has it, unit by unit.

    What nobody observed at that second is null, and so are balance and credit limit, which are the provider's to know.
    """
    last_steps = steps_at(engine, computation.stop_s - 1)
    for unit in _wanted(engine, account):
        step = last_steps.get((unit.account, unit.location))
        seen = step if step and step.is_observed else None
        usage = {
            "burst": seen.burst_bytes if seen else None,
            "subscribed": step.entitled_bytes if step else None,
            "using": seen.occupied_bytes if seen else None,
        }
        yield {
            "balance": {"balance": None, "currency": unit.currency or None, "credit_limit": None},
            "usage": {RESOURCE: usage},
            "time": moment(computation.stop_s).isoformat(),
            **_named(unit),
        }


def _wanted(engine: Engine, account: str | None) -> list[Unit]:
    return [unit for unit in units_of(engine) if account in (None, unit.account)]


def _named(unit: Unit) -> Document:
    return {"account": unit.account, "location": unit.location, "currency": unit.currency or None}
