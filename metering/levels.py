"""Levels: what each collection says of each location it feeds, as steps, computed from polls and runs of samples.

    scope_blocks ─> scope_stretches ─┬─> scope_segments ─> scope_pieces ─┐
                                     └───────────────────────────────────┴─> scope_changes ─> scope_instants ─> scope_steps

Ingest keeps the levels of every whole UTC day, so that a bill reads days, not polls; a late poll costs the days that it touches
of its own collection. A day is whole where no poll of a later one can change it: where the collection was polled in a later one, or
its last poll is measured to the day's end anyway. What comes behind the kept days, and what looks back at what was known before, is
computed from the polls by the same queries. Everything kept here can be dropped and made again from the facts.
"""

from typing import Any

from metering.engine.duckdb import Engine
from metering.engine.interface import QueryEngine
from metering.model.clock import Clock
from metering.model.period import CALENDAR_END_S

_STAGES = (
    "levels/scope_blocks", "levels/scope_stretches", "levels/scope_segments", "levels/scope_pieces", "levels/scope_changes",
    "levels/scope_instants",
)  # fmt: skip
_STEP_COLUMNS = {
    "feed_key": "bigint", "starts_at_s": "bigint", "ends_at_s": "bigint", "occupied_bytes": "decimal(38, 0)",
    "held_count": "bigint", "missing_count": "bigint",
}  # fmt: skip
# Counts on where days come to be kept another way, so that those kept before are made again. The first one did not look at polls
# that came into a day after it was kept.
_WAY = 2


def compute_levels(engine: QueryEngine, parameters: dict[str, Any]) -> None:
    """Make `scope_steps` from `level_scope`, `scope_feeds` and `ignored_series`, and drop what only it reads.

    Args:
        engine: holds these three tables, and the facts.
        parameters: `known_seq`, `as_of_s`, `cycle_s`, `max_hold_s`.
    """
    if not engine.scalar("select count(*) from level_scope"):
        # The windows over all polls are not free even where they give nothing.
        engine.load("scope_steps", _STEP_COLUMNS, [])
        return
    for stage in _STAGES:
        engine.create(stage, parameters)
    engine.accumulate("scope_instants", "scope_levels", by="feed_key", along="starts_at_s", sums={"level_change": "level"})
    engine.create("levels/scope_steps")
    engine.drop("scope_levels", *(stage.removeprefix("levels/") for stage in _STAGES[:-1]))


def is_kept_by(engine: QueryEngine, clock: Clock) -> bool:
    """Tell whether the kept days were computed with these seconds, so that they hold for a computation with them."""
    return _kept_clock(engine) == clock


def levels_that_differ(engine: Engine) -> list[tuple[str, int]]:
    """Make every kept level again from the facts, and tell the tables that say something else, with the number of such rows."""
    clock = _kept_clock(engine)
    if clock is None:
        # Nothing is read of what is kept; the next ingest makes it again.
        return []
    engine.sql(
        "create or replace temp table level_scope as select collection_key, 0 as from_s, kept_until_s as until_s "
        "from collection_tails where kept_until_s > 0"
    )
    engine.sql("create or replace temp table scope_feeds as select feed_key, collection_key, location from feeds")
    engine.load("ignored_series", {"series_key": "bigint"}, [])
    known_seq = int(engine.scalar("select coalesce(max(ingest_seq), 0) from ingests"))
    seconds = {"cycle_s": clock.cycle_s, "max_hold_s": clock.max_hold_s}
    compute_levels(engine, seconds | {"known_seq": known_seq, "as_of_s": CALENDAR_END_S})
    engine.create("levels/day_levels")
    counts = []
    for kept, made in (("level_steps", "scope_steps"), ("level_days", "day_levels")):
        differing = f"((from {kept} except all from {made}) union all (from {made} except all from {kept}))"
        counts.append((kept, int(engine.scalar(f"select count(*) from {differing}"))))
    engine.drop("level_scope", "scope_feeds", "ignored_series", "scope_steps", "day_levels")
    return [(kept, count) for kept, count in counts if count]


def keep_levels(engine: Engine, clock: Clock, ingest_seq: int) -> None:
    """Keep the days that the polls of an ingest made whole, and make those again that they changed.

    Args:
        engine: holds `new_tails` and `new_runs` of the ingest, whose facts are in the store already.
        clock: the seconds to class polls by; where they are others than before, all days are made again.
        ingest_seq: the ingest.
    """
    parameters = {"known_seq": ingest_seq, "as_of_s": CALENDAR_END_S, "cycle_s": clock.cycle_s, "max_hold_s": clock.max_hold_s}
    engine.insert("feeds", "levels/new_feeds")
    if not is_kept_by(engine, clock):
        for statement in (
            "delete from level_days",
            "delete from level_steps",
            "update collection_tails set kept_until_s = 0",
            "delete from store_info where key = 'kept_clock'",
        ):
            engine.sql(statement)
        engine.sql("insert into store_info values ('kept_clock', $text)", {"text": _clock_text(clock)})
    engine.create("levels/kept_scope", parameters)
    # Before its first poll a collection says nothing: on its first day there is no day to keep yet.
    engine.sql(
        "create or replace temp table level_scope as select collection_key, from_s, until_s from kept_scope as k "
        "where until_s > from_s and exists "
        "(select 1 from polls as p where p.collection_key = k.collection_key and p.poll_s < k.until_s)"
    )
    if engine.scalar("select count(*) from level_scope"):
        _keep_scope(engine, parameters)
    engine.sql("delete from collection_tails where collection_key in (select collection_key from kept_scope)")
    engine.sql(
        "insert into collection_tails select collection_key, last_number, last_poll_s, kept_until_s, $ingest_seq from kept_scope",
        {"ingest_seq": ingest_seq},
    )
    engine.drop("kept_scope", "level_scope")


def _keep_scope(engine: Engine, parameters: dict[str, Any]) -> None:
    engine.sql(
        "create or replace temp table scope_feeds as select f.feed_key, f.collection_key, f.location "
        "from feeds as f inner join level_scope as w on f.collection_key = w.collection_key"
    )
    engine.load("ignored_series", {"series_key": "bigint"}, [])
    compute_levels(engine, parameters)
    for table in ("level_days", "level_steps"):
        engine.sql(
            f"delete from {table} using scope_feeds as f, level_scope as w where {table}.feed_key = f.feed_key "
            f"and f.collection_key = w.collection_key and {table}.starts_at_s >= w.from_s and {table}.starts_at_s < w.until_s"
        )
    engine.insert("level_days", "levels/day_levels")
    engine.sql("insert into level_steps by name from scope_steps order by feed_key, starts_at_s")
    engine.drop("scope_steps", "scope_feeds", "ignored_series")


def _clock_text(clock: Clock) -> str:
    return f"{clock.cycle_s}/{clock.max_hold_s}/{_WAY}"


def _kept_clock(engine: QueryEngine) -> Clock | None:
    """Give the seconds that days were kept with; None where none are kept, or as an earlier version of this program kept them."""
    for (value,) in engine.sql("select value from store_info where key = 'kept_clock'"):
        cycle_s, max_hold_s, *way = value.split("/")
        if way == [str(_WAY)]:
            return Clock(cycle_s=int(cycle_s), max_hold_s=int(max_hold_s))
    return None
