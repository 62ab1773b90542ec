"""An explained adjustment as titled tables: the terminal, a page and CSV show the same rows."""

from typing import Any

from metering.billing.money import ZERO
from metering.model.explanation import BilledPart, Changed, ExplainedAdjustment, Recomputed
from metering.model.period import date_text
from metering.model.records import ChargeLine
from metering.model.tables import Table, columns_of
from metering.reporting.explain import line_tables

# What a state is called where the time is in none: before the first poll.
_NO_STATE = "–"
_SIGNS = {True: "−", False: "not billed:"}


def heading(explanation: ExplainedAdjustment) -> str:
    """What was adjusted for whom, as one line."""
    line = explanation.line
    who = f"{explanation.name} ({line.account})" if explanation.name else line.account
    of = f"burst of backup, {line.location}, {date_text(line.date)} (UTC), {who}"
    return f"Adjustment of {explanation.adjusts}, which is closed: {of}"


def arithmetic_lines(explanation: ExplainedAdjustment) -> list[tuple[str, str]]:
    """The arithmetic, step by step: what the line is now, what was billed for it, and what is left."""
    line, coin = explanation.line, explanation.line.currency or "an unknown currency"
    (first, byte_seconds), *others = line_tables.arithmetic_lines(explanation.now)
    steps = [(f"now: {first}", byte_seconds), *others]
    steps += [(f"{_SIGNS[part.closing.is_billed]} {_told(part)}", _amount(part, coin)) for part in explanation.billed]
    if not explanation.billed:
        steps.append((f"− nothing was billed for it at this price in {explanation.adjusts}", f"{ZERO:f} {coin}"))
    amount = "unpriced, which is not zero" if line.amount is None else f"{line.amount:f} {coin}"
    what = f"{_signed(line.burst_byte_seconds)} byte-seconds, {_signed(line.burst_seconds)} s"
    return [*steps, (f"= adjustment: {what}", amount)]


def _told(part: BilledPart) -> str:
    closing = part.closing
    what = "parked" if not closing.is_billed else "billed" if part.kind == "burst" else "adjusted"
    return f"{what} in {closing.period} (closing {closing.closing}, {closing.closed_at}), charge {part.charge_id}"


def _amount(part: BilledPart, coin: str) -> str:
    return "unpriced" if part.amount is None else f"{part.amount:f} {coin}"


def _signed(value: int) -> str:
    return f"{value:+,}" if value else "0"


def verdict(explanation: ExplainedAdjustment) -> str:
    """Whether the samples give what was closed, what it is now, and so the adjustment."""
    then, now = explanation.then, explanation.now
    done = (
        f"Recomputed from the samples, apart from billing, as {explanation.adjusts} was closed (known at ingest "
        f"{then.known_at_ingest}) and as it is now (known at ingest {now.known_at_ingest})"
    )
    if explanation.recomputed.agrees:
        return f"{done}: it agrees to the last digit."
    wrong = [
        f"{name} {_against(said.recomputed, said.line)}"
        for name, said in (("as it was closed", then), ("now", now))
        if not said.recomputed.agrees
    ]
    wrong.append(f"less what was billed, {_against(explanation.recomputed, explanation.line)}")
    return f"{done}: it DISAGREES; {'; '.join(wrong)}: run `metering verify`, and please report this."


def _against(found: Recomputed, line: ChargeLine) -> str:
    amounts = ["–" if amount is None else format(amount, "f") for amount in (found.amount, line.amount)]
    return (
        f"the samples give {found.burst_byte_seconds} byte-seconds and {amounts[0]}, the statement has {line.burst_byte_seconds} "
        f"and {amounts[1]}"
    )


def tables(explanation: ExplainedAdjustment, *, every_poll: bool) -> list[tuple[str, Table]]:
    """The evidence as titled tables: what came since, what was billed, what changed, and the line as it is now and as it was."""
    now = line_tables.tables(explanation.now, every_poll=every_poll)
    then = line_tables.tables(explanation.then, every_poll=every_poll)
    return [
        ("Facts that came since it was billed", _causes(explanation)),
        (f"What was billed for the line of {explanation.adjusts} so far", _billed(explanation)),
        ("Where its burst is another now [start, end)", changes_table(explanation)),
        *[(f"Now · {title}", table) for title, table in now],
        *[(f"As it was closed · {title}", table) for title, table in then],
    ]


def _causes(explanation: ExplainedAdjustment) -> Table:
    columns = columns_of(
        cause="text", count="count", first="text", first_ingest="count", last_ingest="count", came_at="instant", files="text"
    )
    rows: list[tuple[Any, ...]] = [
        (
            cause.cause.replace("_", " "),
            cause.count,
            cause.first,
            cause.first_ingest,
            cause.last_ingest,
            cause.last_ingested_at,
            ", ".join(cause.files) or None,
        )
        for cause in explanation.causes
    ]
    return Table("causes", columns, rows)


def _billed(explanation: ExplainedAdjustment) -> Table:
    columns = columns_of(
        closing="count", period="text", closed_at="text", closed_by="text", reason="text", charge_id="text", kind="text",
        burst_byte_seconds="byte_seconds", burst_seconds="seconds", amount="money", billed="text",
    )  # fmt: skip
    rows: list[tuple[Any, ...]] = [
        (
            part.closing.closing, part.closing.period, part.closing.closed_at, part.closing.closed_by, part.closing.reason,
            part.charge_id, part.kind, part.burst_byte_seconds, part.burst_seconds, part.amount,
            "yes" if part.closing.is_billed else "no: parked",
        )
        for part in explanation.billed
    ]  # fmt: skip
    return Table("billed", columns, rows)


def changes_table(explanation: ExplainedAdjustment) -> Table:
    """Each interval in which the line's burst is another now; they add up to the line now less the line as it was closed."""
    columns = columns_of(
        start="instant", end="instant", interval_seconds="seconds", state_then="text", state_now="text",
        occupied_then_bytes="bytes", occupied_now_bytes="bytes", entitled_then_bytes="bytes", entitled_now_bytes="bytes",
        charged_then_bytes="bytes", charged_now_bytes="bytes", difference_byte_seconds="byte_seconds",
    )  # fmt: skip
    return Table("changes", columns, [_change(change) for change in explanation.changes])


def _change(change: Changed) -> tuple[Any, ...]:
    return (
        change.start, change.end, change.seconds, change.state_then or _NO_STATE, change.state_now or _NO_STATE,
        change.occupied_bytes_then, change.occupied_bytes_now, change.entitled_bytes_then, change.entitled_bytes_now,
        change.charged_bytes_then, change.charged_bytes_now, change.byte_seconds_difference,
    )  # fmt: skip
