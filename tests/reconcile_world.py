"""A seeded world that has lived some days, a meter that holds what its polls saw, and what its provider answers of money."""

from pathlib import Path

from sandbox_help import START_S

from metering import Meter
from metering.config import Settings
from metering.model.period import instant_text
from metering.sandbox.world import World
from metering.sandbox.world_facts import write_facts
from metering.sandbox.world_life import seeded_world
from metering.sandbox.world_watch import every_cycle, with_misses

DAY_S = 86_400


def lived(seed: int, *, days: int = 1, accounts: int = 2, **options) -> World:
    """A seeded world after some days; what its provider has looked at ends with them."""
    world = seeded_world(seed, start_s=START_S, days=days, accounts=accounts, **options)
    world.advance_to(START_S + days * DAY_S)
    return world


def span(world: World) -> str:
    return f"{instant_text(world.start_s)}..{instant_text(world.now_s)}"


def meter_of_world(folder: Path, world: World, *, missed: int = 0, seed: int = 1, **settings) -> Meter:
    """Open a meter that holds what somebody saw who polled every cycle, but for some; the clock is the world's."""
    facts = folder / "world"
    polls = with_misses(every_cycle(world, world.start_s, world.now_s), missed, seed)
    write_facts(world, facts, world.start_s, world.now_s, polls)
    meter = Meter(Settings(store=str(folder / "world.duckdb"), threads=1, **settings), clock=lambda: world.now_s)
    meter.ingest(facts)
    return meter
