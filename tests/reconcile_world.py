"""A seeded world that has lived some days, a meter that holds what its polls saw, and what its provider answers of money."""

import json
from decimal import Decimal
from pathlib import Path

from sandbox_help import START_S

from metering import Meter
from metering.config import Settings
from metering.model.period import instant_text
from metering.model.reconciliation import Reconciliation
from metering.sandbox import server_lists
from metering.sandbox.world import World
from metering.sandbox.world_facts import write_facts
from metering.sandbox.world_life import seeded_world
from metering.sandbox.world_watch import every_cycle, with_misses

DAY_S = 86_400
# What is found of rows that were not compared is in no total.
UNCOMPARED = ("other_account", "other_location", "other_resource", "other_currency", "no_answer")


def lived(seed: int, *, days: int = 1, accounts: int = 2, **options) -> World:
    """A seeded world after some days; what its provider has looked at ends with them."""
    world = seeded_world(seed, start_s=START_S, days=days, accounts=accounts, **options)
    world.advance_to(START_S + days * DAY_S)
    return world


def span(world: World) -> str:
    return f"{instant_text(world.start_s)}..{instant_text(world.now_s)}"


def meter_of_world(folder: Path, world: World, *, missed: int = 0, seed: int = 1, late_s: int = 0, **settings) -> Meter:
    """Open a meter that holds what somebody saw who polled every cycle, but for some; the clock is the world's.

    The provider looks at the begin of a cycle; we poll so many seconds later.
    """
    facts = folder / "world"
    looks = with_misses(every_cycle(world, world.start_s, world.now_s - late_s), missed, seed)
    polls = {key: [instant + late_s for instant in instants] for key, instants in looks.items()}
    write_facts(world, facts, world.start_s, world.now_s, polls)
    meter = Meter(Settings(store=str(folder / "world.duckdb"), threads=1, **settings), clock=lambda: world.now_s)
    meter.ingest(facts)
    return meter


def samples_of(world: World) -> list[dict]:
    """Every row that the provider answers on `/usage/`."""
    return list(server_lists.samples_of(world, world.start_s, world.now_s))


def days_of(world: World) -> list[dict]:
    """Every row that the provider answers on `/dailyburstusage/`."""
    return server_lists.days_of(world, world.now_s)


def listed(place: Path, objects: list[dict]) -> Path:
    """Write objects as the provider answers them."""
    meta = {"limit": 0, "offset": 0, "total_count": len(objects)}
    place.write_text(json.dumps({"meta": meta, "objects": objects}), encoding="utf-8")
    return place


def assert_sums_add(made: Reconciliation) -> None:
    """Check that nothing is lost: ours and theirs are the sum of the outcomes, the difference that of causes and findings."""
    for total in made.totals:
        outcomes = [each for each in made.outcomes if each.currency == total.currency]
        compared = [f for f in made.findings if f.currency == total.currency and f.check not in UNCOMPARED]
        assert sum((each.ours for each in outcomes), Decimal(0)) == total.ours
        assert sum((each.theirs for each in outcomes), Decimal(0)) == total.theirs
        assert total.theirs - total.ours == total.difference == total.explained + total.at_stake
        assert sum((each.difference for each in made.causes if each.currency == total.currency), Decimal(0)) == total.explained
        assert sum((each.difference for each in compared), Decimal(0)) == total.at_stake
        units = [each for each in made.units if each.currency == total.currency]
        for name in ("ours", "theirs", "difference", "explained", "at_stake"):
            assert sum((getattr(each, name) for each in units), Decimal(0)) == getattr(total, name)
        # Ours is our bill, but for the rounding of so many rows and charge lines.
        rows = sum(each.row_count for each in outcomes)
        assert abs(total.ours - total.billed) <= (rows + 1_000) * Decimal("0.5E-20")
