"""The world's own bill, known by construction: from its history, by exact integers and Fractions.

The judge of the pipeline: it follows ACCOUNTING.md §3 to §7 on its own and shares no code with billing. The document has the
shape of INTERFACE.md as far as a world can know it: usage, lines without their ids, episodes, statements.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import Any

from metering.model.currency import minor_places
from metering.model.period import SECONDS_PER_DAY, date_text, day_start, instant_text
from metering.sandbox.world import World
from metering.sandbox.world_money import PLACES, decimal_text, in_units
from metering.sandbox.world_things import RESOURCE, PriceRow
from metering.sandbox.world_watch import Polls, Watcher, every_cycle

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Piece:
    """`[start_s, end_s)` with one level of everything; dates do not end in it."""

    start_s: int
    end_s: int
    state: str
    occupied: int
    entitled: int
    burst_level: int
    price: PriceRow | None

    @property
    def seconds(self) -> int:
        """Its length."""
        return self.end_s - self.start_s

    @property
    def burst(self) -> int:
        """Bytes held beyond the subscriptions."""
        return max(0, self.occupied - self.entitled)

    @property
    def amount(self) -> Fraction | None:
        """What the burst costs, exactly; None where it has no price."""
        return None if self.price is None else self.burst * self.seconds * self.price.per_byte_second


@dataclass(slots=True)
class _Sum:
    byte_seconds: int = 0
    seconds: int = 0
    peak: int = 0
    amount: Fraction | None = field(default_factory=Fraction)

    def add(self, piece: Piece) -> None:
        self.byte_seconds += piece.burst * piece.seconds
        self.seconds += piece.seconds
        self.peak = max(self.peak, piece.burst)
        self.amount = None if self.amount is None or piece.amount is None else self.amount + piece.amount


def world_bill(
    world: World,
    start_s: int,
    end_s: int,
    *,
    polls: Polls | None = None,
    as_of_s: int | None = None,
    cycle_s: int = 300,
    max_hold_s: int = 900,
) -> Document:
    """Bill `[start_s, end_s)` for somebody who polled the world at these instants: at every cycle, unless given.

    `as_of_s` is the clock: time ends there, and polls at or after it are not used; the world's own now unless given.
    """
    clock_s = world.now_s if as_of_s is None else as_of_s
    stop_s = min(end_s, clock_s)
    polls = every_cycle(world, world.start_s, clock_s) if polls is None else polls
    watcher = Watcher(world, polls, clock_s, cycle_s=cycle_s, max_hold_s=max_hold_s)
    bill: Document = {
        "period": {"start": instant_text(start_s), "end": instant_text(end_s), "as_of": instant_text(clock_s)},
        "usage": [], "lines": [], "episodes": [],
    }  # fmt: skip
    units: defaultdict[str, int] = defaultdict(int)
    for account, location in watcher.units():
        pieces = _pieces(world, watcher, account, location, start_s, stop_s)
        if not pieces:
            continue
        bill["usage"].append({"account": account, "location": location} | _usage(pieces))
        bill["episodes"] += _episodes(world, account, location, pieces)
        lines = _lines(world, account, location, pieces)
        bill["lines"] += [line for line, _ in lines]
        units[account] += sum(in_units(amount) for _, amount in lines if amount is not None)
    bill["statements"] = [
        _statement(world, account, units[account], [line for line in bill["lines"] if line["account"] == account])
        for account in sorted({row["account"] for row in bill["usage"]})
    ]
    return bill


def _pieces(world: World, watcher: Watcher, account: str, location: str, start_s: int, stop_s: int) -> list[Piece]:
    """Cut what was observed wherever entitlement, level, price or date change."""
    money, currency = world.money, world.accounts[account].currency
    cuts = {instant for s in money.bought(account, location) if s.resource == RESOURCE for instant in (s.start_s, s.end_s)}
    cuts |= {from_s for place, from_s, _ in money.levels() if place == location}
    cuts |= {row.effective_from_s for row in money.prices if row.resource == RESOURCE and row.location in ("", location)}
    cuts |= set(range(day_start(start_s), stop_s, SECONDS_PER_DAY))
    stretches = watcher.stretches(account, location, start_s, stop_s)
    instants = sorted(
        {each.start_s for each in stretches} | {each.end_s for each in stretches} | {c for c in cuts if start_s < c < stop_s}
    )
    found, number = [], 0
    in_force: tuple[int, int, PriceRow | None] | None = None
    for from_s, to_s in pairwise(instants):
        while number < len(stretches) and stretches[number].end_s <= from_s:
            number += 1
        if number == len(stretches) or stretches[number].start_s > from_s:
            continue
        if in_force is None or from_s in cuts:
            level = money.level_at(location, from_s)
            in_force = (money.entitled(account, location, from_s), level, money.price_at(location, currency, level, from_s))
        found.append(Piece(from_s, to_s, stretches[number].state, stretches[number].level, *in_force))
    return found


def _usage(pieces: list[Piece]) -> Document:
    billed = [piece for piece in pieces if piece.state != "missing"]
    sums = {
        "occupied_byte_seconds": sum(piece.occupied * piece.seconds for piece in billed),
        "entitled_byte_seconds": sum(piece.entitled * piece.seconds for piece in billed),
        "burst_byte_seconds": sum(piece.burst * piece.seconds for piece in billed),
        "unused_byte_seconds": sum(max(0, piece.entitled - piece.occupied) * piece.seconds for piece in billed),
        "peak_occupied_bytes": max((piece.occupied for piece in billed), default=0),
    }
    states = {
        f"{state}_seconds": sum(piece.seconds for piece in pieces if piece.state == state)
        for state in ("measured", "held", "partial", "missing")
    }
    return {name: str(value) for name, value in sums.items()} | states


def _lines(world: World, account: str, location: str, pieces: list[Piece]) -> list[tuple[Document, Fraction | None]]:
    """Sum burst by date and price; rows that agree in level, price, unit and multiplier are one price."""
    sums: defaultdict[tuple[int, int, Fraction, str, int], _Sum] = defaultdict(_Sum)
    prices: dict[tuple[int, int, Fraction, str, int], PriceRow | None] = {}
    for piece in pieces:
        if piece.burst and piece.state != "missing":
            price = piece.price
            said = (Fraction(price.price), price.unit, price.multiplier) if price else (Fraction(-1), "", 0)
            key = (day_start(piece.start_s), piece.burst_level, *said)
            sums[key].add(piece)
            prices.setdefault(key, price)
    lines = []
    for key in sorted(sums):
        total, price = sums[key], prices[key]
        line = {
            "kind": "burst", "account": account, "location": location, "date": date_text(key[0]), "level": key[1],
            "currency": world.accounts[account].currency, "price": price.price if price else None,
            "unit": price.unit if price else None, "multiplier": str(price.multiplier) if price else None,
            "burst_byte_seconds": str(total.byte_seconds), "burst_seconds": total.seconds, "peak_burst_bytes": str(total.peak),
            "amount": _amount_text(total.amount),
        }  # fmt: skip
        lines.append((line, total.amount))
    return lines


def _episodes(world: World, account: str, location: str, pieces: list[Piece]) -> list[Document]:
    """Find burst without a break; missing time, and time of which nothing is known, are breaks."""
    runs: list[list[Piece]] = []
    for piece in pieces:
        if not piece.burst or piece.state == "missing":
            continue
        if runs and runs[-1][-1].end_s == piece.start_s:
            runs[-1].append(piece)
        else:
            runs.append([piece])
    episodes = []
    for run in runs:
        total = _Sum()
        for piece in run:
            total.add(piece)
        episodes.append(
            {
                "account": account, "location": location, "start": instant_text(run[0].start_s), "end": instant_text(run[-1].end_s),
                "peak_burst_bytes": str(total.peak), "burst_byte_seconds": str(total.byte_seconds),
                "currency": world.accounts[account].currency, "amount": _amount_text(total.amount),
            }
        )  # fmt: skip
    return episodes


def _statement(world: World, account: str, units: int, lines: list[Document]) -> Document:
    known = world.accounts[account]
    is_priced = all(line["amount"] is not None for line in lines)
    places = minor_places(known.currency) or 0
    step = 10 ** (PLACES - places)
    due = (2 * units + step) // (2 * step)
    shown = decimal_text(due, places) if places else str(due)
    return {
        "account": account, "name": known.name, "currency": known.currency, "state": "draft" if is_priced else "parked",
        "burst_amount": decimal_text(units), "amount_due": shown if is_priced else None,
    }  # fmt: skip


def _amount_text(amount: Fraction | None) -> str | None:
    return None if amount is None else decimal_text(in_units(amount))
