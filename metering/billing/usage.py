"""From facts to usage: the stages of a computation, in order, as tables of the engine.

asked_collections, collections_in_doubt ─> level_scope ─> seen_series ─> ignored_series ─> fed_units ─> units
scope_feeds ─> (levels) ─> scope_steps ┐
level_days ─> unit_days ───────────────┴─> feed_steps ─> occupied_changes ┐
known_subscriptions ─> entitled_changes ─> entitled_steps                 ├─> usage_instants ─> (running sums) ─> usage_steps
known_prices, known_burst_levels ─> rate_steps                            ┘
usage_steps, unit_days ─> usage_parts
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from metering.billing.rates import RateBook, rate_book
from metering.engine.interface import QueryEngine
from metering.levels import compute_levels, is_kept_by
from metering.model.clock import Clock
from metering.model.errors import NoDataError
from metering.model.period import SECONDS_PER_DAY, Period, day_start, instant_text, month_start
from metering.model.progress import Progress, silent

STAGES = (
    "asked accounts",
    "billing/asked_collections",
    "billing/collections_in_doubt",
    "billing/level_scope",
    "billing/seen_series",
    "billing/ignored_series",
    "billing/fed_units",
    "billing/known_accounts",
    "billing/units",
    "billing/scope_feeds",
    "levels",
    "billing/known_subscriptions",
    "billing/entitled_changes",
    "billing/entitled_steps",
    "rates",
    "billing/unit_days",
    "billing/feed_steps",
    "billing/occupied_changes",
    "billing/usage_instants",
    "running sums",
    "billing/usage_steps",
    "billing/usage_parts",
)
# What adds up from instant to instant: a rate's ordinal is how many rates have begun.
_RUNNING = {
    "occupied_bytes": "occupied_bytes", "entitled_bytes": "entitled_bytes", "state_counts": "state_counts",
    "rate_count": "rate_ordinal",
}  # fmt: skip
# What only later stages of usage read; reports read the others.
_SCRATCH = (
    "asked_accounts",
    "asked_collections",
    "level_scope",
    "seen_series",
    "scope_feeds",
    "scope_steps",
    "feed_steps",
    "occupied_changes",
    "entitled_changes",
    "usage_levels",
)


@dataclass(frozen=True, slots=True)
class Computation:
    """A period as it was computed: its bounds, its clock, what was known, and the rates; its tables stay in the engine."""

    period: Period
    stop_s: int
    as_of_s: int
    known_seq: int
    clock: Clock
    rates: RateBook

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters that queries of this computation take."""
        return _parameters(self.period, self.stop_s, self.as_of_s, self.known_seq, self.clock)


def compute_usage(
    engine: QueryEngine,
    period: Period,
    *,
    as_of_s: int | None,
    now_s: int,
    known_seq: int,
    clock: Clock,
    is_at_a_glance: bool = False,
    accounts: Collection[str] | None = None,
    progress: Progress = silent,
) -> Computation:
    """Make the usage steps of a period, and every table on the way, from the facts known by ingest `known_seq`.

    Time ends at `as_of_s` (`now_s` unless given), and polls at or after it are not used. `is_at_a_glance` leaves days whose burst
    their kept sums tell out of `usage_steps`: bills need no more, reports by the hour do. With `accounts` there are no units but
    those of these accounts.

    Raises:
        NoDataError: the period has not begun.
    """
    clock_s = now_s if as_of_s is None else as_of_s
    stop_s = min(period.end_s, clock_s)
    if stop_s <= period.start_s:
        raise NoDataError(f"{period.text} has not begun at {instant_text(clock_s)}: bill an earlier period, or give --as-of")
    parameters = _parameters(period, stop_s, clock_s, known_seq, clock) | {
        "is_kept": is_kept_by(engine, clock),
        "is_at_a_glance": is_at_a_glance,
        "is_of_all": accounts is None,
    }
    book = RateBook()
    for done, stage in enumerate(STAGES, start=1):
        if stage == "asked accounts":
            engine.load("asked_accounts", {"account": "varchar"}, [(account,) for account in accounts or ()])
        elif stage == "rates":
            book = _load_rates(engine, parameters)
        elif stage == "levels":
            compute_levels(engine, parameters)
        elif stage == "running sums":
            engine.accumulate("usage_instants", "usage_levels", by="unit_key", along="starts_at_s", sums=_RUNNING)
        elif stage == "billing/usage_parts":
            engine.define(stage)
        else:
            engine.create(stage, parameters)
        progress(stage.rpartition("/")[2], done, len(STAGES))
    engine.drop(*_SCRATCH)
    last_poll_s = _last_poll(engine, parameters)
    if as_of_s is None:
        # The earliest clock that sees the same time and polls, so that the same facts give the same bytes tomorrow.
        clock_s = min(clock_s, max(period.end_s, last_poll_s + 1))
    return Computation(period, stop_s, clock_s, known_seq, clock, book)


def _last_poll(engine: QueryEngine, parameters: dict[str, Any]) -> int:
    """Give the instant of the latest poll used; that of kept collections is known, the others' polls are looked through."""
    return int(
        engine.scalar(
            "select greatest("
            "coalesce((select max(t.last_poll_s) from collection_tails as t "
            "where t.collection_key not in (select collection_key from collections_in_doubt)), -1), "
            "coalesce((select max(p.poll_s) from polls as p inner join collections_in_doubt as d "
            "on p.collection_key = d.collection_key where p.ingest_seq <= $known_seq and p.poll_s < $as_of_s), -1))",
            {name: parameters[name] for name in ("known_seq", "as_of_s")},
        )
    )


def _parameters(period: Period, stop_s: int, as_of_s: int, known_seq: int, clock: Clock) -> dict[str, Any]:
    return {
        "start_s": period.start_s,
        "stop_s": stop_s,
        "first_midnight_s": day_start(period.start_s) + SECONDS_PER_DAY,
        "as_of_s": as_of_s,
        "known_seq": known_seq,
        "cycle_s": clock.cycle_s,
        "max_hold_s": clock.max_hold_s,
    }


def _load_rates(engine: QueryEngine, parameters: dict[str, Any]) -> RateBook:
    groups = engine.sql("select distinct currency, location from units order by currency, location")
    book = rate_book(
        [(row[0], row[1]) for row in groups],
        engine.rows("billing/known_prices", parameters),
        engine.rows("billing/known_burst_levels", parameters),
        parameters["start_s"],
        parameters["stop_s"],
    )
    engine.load(
        "rate_steps",
        {"currency": "varchar", "location": "varchar", "ordinal": "bigint", "starts_at_s": "bigint", "rate_key": "bigint"},
        ((step.currency, step.location, step.ordinal, step.starts_at_s, step.rate_key) for step in book.steps),
    )
    return book


def assert_observed(engine: QueryEngine, computation: Computation) -> None:
    """Refuse to answer from a computed period that has no data at all.

    Raises:
        NoDataError: no second of the period is in any state, or all polls are from earlier months.
    """
    if not is_silent(engine, computation):
        return
    period, first_seq = computation.period.text, engine.scalar("select min(ingest_seq) from polls")
    if first_seq is None:
        raise NoDataError(f"nothing was observed in {period}: the store has no samples yet; `metering ingest FACTS` brings them")
    if first_seq > computation.known_seq:
        raise NoDataError(f"nothing was known of {period} by then: the first polls came with ingest {first_seq}")
    raise NoDataError(f"nothing was observed in {period}: {_span(engine, computation)}")


def is_silent(engine: QueryEngine, computation: Computation) -> bool:
    """Tell whether a computed period has no data at all.

    Missing time between polls, or behind the last poll of the month, is time that was not observed: it is reported, so that the
    parts of a period add up to the whole. A month that begins after the last poll is no gap; nobody polls any more.
    """
    observed, missing = engine.sql(
        "select sum(measured_seconds + held_seconds + partial_seconds), sum(missing_seconds) from usage_parts"
    )[0]
    if observed or not missing:
        return not observed
    return _last_poll(engine, computation.parameters) < month_start(computation.period.start_s)


def _span(engine: QueryEngine, computation: Computation) -> str:
    first_s, last_s = engine.sql(
        "select min(poll_s), max(poll_s) from polls where ingest_seq <= $known_seq", {"known_seq": computation.known_seq}
    )[0]
    known = f"polls are known from {instant_text(first_s)} to {instant_text(last_s)}"
    if computation.as_of_s <= first_s < computation.period.end_s:
        return f"{known}, and time ends before them, at {instant_text(computation.as_of_s)}; --as-of sets the clock"
    return known
