"""Why an adjustment is what it is: the line of the closed period as it was closed and as it is now, both down to the samples.

The adjustment is what the line is now, less what was billed for it so far (ACCOUNTING.md §8). Both ends are recomputed from the
samples apart from billing: what was closed from those known then, what it is now from those known to the bill that adjusts it.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from metering.billing.bill import charge_id as charge_id_of
from metering.billing.bill import computed_lines
from metering.billing.money import ZERO, less
from metering.billing.usage import Computation, compute_usage
from metering.books.causes import TABLES_OF, Cause
from metering.books.charges import FrozenCharge
from metering.books.closings import Books, Closing
from metering.books.history import Billed, History, LineKey, line_key
from metering.books.restatement import adjustment_of, price_of_byte_second, restating
from metering.engine.duckdb import Engine
from metering.journal import files_of
from metering.model.explanation import (
    BilledPart,
    Changed,
    ExplainedAdjustment,
    ExplainedClosing,
    ExplainedInterval,
    Explanation,
    LateFact,
    Recomputed,
)
from metering.model.period import Period
from metering.model.records import BilledPeriod, ChargeLine
from metering.reporting.explain.line import explain_line, recomputed_as


def explain_adjustment(
    engine: Engine, books: Books, closing: Closing, carrier: Computation, named: str | FrozenCharge, date: Period
) -> ExplainedAdjustment | None:
    """Explain an adjustment of a closed period.

    Args:
        engine: the store.
        books: as they stood for the bill that carries it.
        closing: the closed period that is adjusted.
        carrier: the period whose bill carries it: its name, its clock and what it knew.
        named: the line as it was frozen, or the charge id of one that is not.
        date: the line's date.

    Returns:
        None where the period carries no such adjustment.
    """
    history = History(engine, books, closing)
    billed = {key: said for key, said in history.billed().items() if date.start_s <= said.line.date < date.end_s}
    billed_date = Period(max(closing.start_s, date.start_s), min(closing.end_s, date.end_s))
    now = restating(engine, closing, billed_date, carrier)
    truth = {line_key(line): line for line in computed_lines(engine, now)}
    frozen = named if isinstance(named, FrozenCharge) else None
    line = frozen.line if frozen else _named(str(named), closing, carrier.period, truth, billed)
    if line is None:
        return None
    key = line_key(line)
    as_now = explain_line(engine, now, truth.get(key) or _nothing(line))
    parts = [part for part in history.parts() if line_key(part.line) == key]
    as_closed = _as_closed(engine, closing, billed_date, line, parts)
    causes = history.causes(carrier, line.account, [line], line.currency)
    return ExplainedAdjustment(
        charge_id=line.charge_id,
        name=as_now.name,
        adjusts=closing.period.text,
        period=BilledPeriod(start=carrier.period.start_s, end=carrier.period.end_s, as_of=carrier.as_of_s),
        known_at_ingest=carrier.known_seq,
        line=line,
        closing=told_closing(frozen) if frozen else None,
        recomputed=_recomputed(line, as_now, as_closed, billed.get(key) or Billed(line)),
        billed=[_billed_part(part) for part in parts],
        causes=[_late_fact(engine, cause) for cause in causes],
        changes=list(_changes(as_closed.intervals, as_now.intervals)),
        now=as_now,
        then=as_closed,
    )


def told_closing(charge: FrozenCharge) -> ExplainedClosing:
    """Tell what froze a line."""
    closing = charge.closing
    return ExplainedClosing(
        closing=closing.closing_seq, period=closing.period.text, known_at_ingest=closing.known_seq, closed_at=closing.closed_at,
        closed_by=closing.closed_by, reason=closing.reason, is_billed=charge.is_billed,
    )  # fmt: skip


def _named(
    charge_id: str, closing: Closing, carrier: Period, truth: dict[LineKey, ChargeLine], billed: dict[LineKey, Billed]
) -> ChargeLine | None:
    """Find the adjustment of a name among those that a period would carry."""
    for key in truth.keys() | billed.keys():
        said = billed[key].line if key in billed else truth[key]
        adjustment = adjustment_of(closing, carrier, said, truth.get(key), billed.get(key) or Billed(said))
        if adjustment is not None and adjustment.charge_id == charge_id:
            return adjustment
    return None


def _nothing(line: ChargeLine) -> ChargeLine:
    """Give the burst line that an adjustment is of, as one without burst."""
    own_id = charge_id_of(
        "burst", line.account, line.location, line.date, line.level, line.currency, price_of_byte_second(line), line.unit or ""
    )
    zeros = {"burst_byte_seconds": 0, "burst_seconds": 0, "peak_burst_bytes": 0, "amount": None if line.price is None else ZERO}
    return line.model_copy(update={"charge_id": own_id, "kind": "burst", "adjusts": None, **zeros})


def _as_closed(engine: Engine, closing: Closing, date: Period, line: ChargeLine, parts: Sequence[FrozenCharge]) -> Explanation:
    computation = compute_usage(
        engine, date, as_of_s=closing.as_of_s, now_s=closing.as_of_s, known_seq=closing.known_seq,
        clock=closing.said_settings.clock, is_at_a_glance=True,
    )  # fmt: skip
    own = next((part for part in parts if part.closing == closing), None)
    if own is None:
        return explain_line(engine, computation, _nothing(line))
    return explain_line(engine, computation, own.line, told_closing(own))


def _recomputed(line: ChargeLine, now: Explanation, then: Explanation, billed: Billed) -> Recomputed:
    """Give what the samples make of the line now, less what was billed, and whether both ends of that hold."""
    found = now.recomputed
    amount = ZERO if found.burst_byte_seconds == 0 else found.amount
    return recomputed_as(
        line,
        are_sound=found.agrees and then.recomputed.agrees,
        burst_byte_seconds=found.burst_byte_seconds - billed.byte_seconds,
        burst_seconds=found.burst_seconds - billed.seconds,
        peak_burst_bytes=found.peak_burst_bytes,
        amount=None if amount is None else less(amount, billed.amount),
    )


def _billed_part(part: FrozenCharge) -> BilledPart:
    line = part.line
    return BilledPart(
        charge_id=line.charge_id, kind=line.kind, closing=told_closing(part), burst_byte_seconds=line.burst_byte_seconds,
        burst_seconds=line.burst_seconds, amount=line.amount,
    )  # fmt: skip


def _late_fact(engine: Engine, cause: Cause) -> LateFact:
    """Tell a cause with when it came, and with the files that its first and last ingest read it from."""
    ingests = sorted({cause.first_ingest_seq, cause.last_ingest_seq})
    chosen = {"ingests": ingests}
    came = engine.sql("select ingested_at_s from ingests where list_contains($ingests, ingest_seq) order by all", chosen)
    files: list[str] = []
    if cause.kind.endswith("polls"):
        found = engine.sql("select distinct file from ingest_files where list_contains($ingests, ingest_seq) order by all", chosen)
        files = [file for (file,) in found]
    elif table := TABLES_OF.get(cause.kind):
        files = files_of(engine, ingests, table)
    return LateFact(
        cause=cause.kind, count=cause.count, first=cause.first, first_ingest=cause.first_ingest_seq,
        last_ingest=cause.last_ingest_seq, first_ingested_at=came[0][0], last_ingested_at=came[-1][0],
        files=files, text=cause.text,
    )  # fmt: skip


def _changes(then: Sequence[ExplainedInterval], now: Sequence[ExplainedInterval]) -> Iterator[Changed]:
    """Give the intervals in which the line's burst is another now; neighbours that say the same are one."""
    cuts = sorted({instant_s for part in (*then, *now) for instant_s in (part.start, part.end)})
    last: Changed | None = None
    for start_s, end_s in pairwise(cuts):
        change = _changed(start_s, end_s, _at(then, start_s), _at(now, start_s))
        if last and last.end == start_s and _values(last) == _values(change):
            last = last.model_copy(
                update={
                    "end": end_s,
                    "seconds": last.seconds + change.seconds,
                    "byte_seconds_difference": last.byte_seconds_difference + change.byte_seconds_difference,
                }
            )
            continue
        if last and last.charged_bytes_then != last.charged_bytes_now:
            yield last
        last = change
    if last and last.charged_bytes_then != last.charged_bytes_now:
        yield last


def _at(parts: Sequence[ExplainedInterval], instant_s: int) -> ExplainedInterval | None:
    return next((part for part in parts if part.start <= instant_s < part.end), None)


def _changed(start_s: int, end_s: int, then: ExplainedInterval | None, now: ExplainedInterval | None) -> Changed:
    charged = [part.burst_bytes if part and part.is_charged else 0 for part in (then, now)]
    return Changed(
        start=start_s,
        end=end_s,
        seconds=end_s - start_s,
        state_then=then.state if then else None,
        state_now=now.state if now else None,
        occupied_bytes_then=then.occupied_bytes if then else None,
        occupied_bytes_now=now.occupied_bytes if now else None,
        entitled_bytes_then=then.entitled_bytes if then else None,
        entitled_bytes_now=now.entitled_bytes if now else None,
        charged_bytes_then=charged[0],
        charged_bytes_now=charged[1],
        byte_seconds_difference=(charged[1] - charged[0]) * (end_s - start_s),
    )


def _values(change: Changed) -> tuple[object, ...]:
    return tuple(value for name, value in change if name.endswith(("_then", "_now")))
