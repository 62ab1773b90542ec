"""An explanation as titled tables: the terminal, a page and CSV show the same rows."""

from collections import defaultdict
from itertools import groupby
from typing import Any

from metering.model.explanation import ExplainedInterval, ExplainedPoll, ExplainedPrice, Explanation
from metering.model.period import date_text, instant_text
from metering.model.tables import Table, columns_of
from metering.model.units import shown_gib_months, unit_parts

_LEVEL_SOURCES = {
    "default": "no burst level is in force, so it is level 1",
    "location": "a burst level that names the location",
    "every location": "a burst level of every location",
}


def heading(explanation: Explanation) -> str:
    """What was charged to whom, as one line."""
    line = explanation.line
    who = f"{explanation.name} ({line.account})" if explanation.name else line.account
    return f"Burst of backup, {line.location}, {date_text(line.date)} (UTC), {who}"


def arithmetic_lines(explanation: Explanation) -> list[tuple[str, str]]:
    """The arithmetic, step by step: what is done, and what comes out."""
    line, sums = explanation.line, explanation.arithmetic
    byte_seconds = f"{line.burst_byte_seconds:,} byte-seconds"
    burst = f"burst, summed over {line.burst_seconds:,} s ({shown_gib_months(line.burst_byte_seconds)} GiB-months of 30 days)"
    if sums is None:
        level = f"no price of level {line.level} is in force" if line.currency else "the account's currency is not known"
        return [(burst, byte_seconds), (f"{level}: unpriced, which is not zero", "–")]
    return [
        (burst, byte_seconds),
        (f"× {sums.price} {sums.currency} per {sums.unit}", _grouped(sums.product)),
        (f"÷ {sums.multiplier:,} byte-seconds in one {sums.unit}", f"{sums.quotient} {sums.currency}"),
        (f"rounded {sums.rounding}", f"{sums.amount:f} {sums.currency}"),
    ]


def remarks(explanation: Explanation) -> list[str]:
    """Say which bytes and seconds the price is of, where on the statement the amount stands, and what is paid of it."""
    if explanation.line.amount is None:
        return ["The statement is parked until the line has a price: nothing of it is due."]
    # The provider's GB is 2³⁰ bytes, and its month 30 days.
    unit = explanation.line.unit
    parts = unit_parts(unit) if unit else None
    of = [] if parts is None else [f"One {unit} is of {parts[0]:,} bytes over {parts[1]:,} s."]
    return [
        *of,
        "On the statement this is the line's exact amount; what is due is rounded once, and the lines so that they add up to it.",
    ]


def _grouped(decimal: str) -> str:
    whole, point, fraction = decimal.partition(".")
    return f"{int(whole):,}{point}{fraction}"


def verdict(explanation: Explanation) -> str:
    """Whether the samples give the amount that billing does."""
    found, line = explanation.recomputed, explanation.line
    polls = len({(poll.endpoint, poll.poll_time) for interval in explanation.intervals for poll in interval.polls})
    done = f"Recomputed from the samples of {polls} polls, apart from billing"
    closing = explanation.closing
    where = f" It stands in the statement of {closing.period}, closed at {closing.closed_at}." if closing else ""
    if found.agrees:
        return f"{done}: it agrees to the last digit.{where}"
    amounts = ["–" if amount is None else format(amount, "f") for amount in (found.amount, line.amount)]
    return (
        f"{done}: it DISAGREES. The samples give {found.burst_byte_seconds} byte-seconds and {amounts[0]}, "
        f"the bill has {line.burst_byte_seconds} and {amounts[1]}: run `metering verify`, and please report this.{where}"
    )


def tables(explanation: Explanation, *, every_poll: bool) -> list[tuple[str, Table]]:
    """The evidence as titled tables; polls one by one, or those that say the same counted together."""
    intervals = explanation.intervals
    polls = _each_poll(intervals) if every_poll else _poll_runs(intervals)
    hold = f"a poll holds at most {explanation.max_hold_seconds} s, the cycle is {explanation.cycle_seconds} s"
    return [
        ("Intervals [start, end): burst = occupied − entitled where that is above 0", interval_table(explanation)),
        ("Snapshots that made up what was occupied, where they change", _snapshots(intervals)),
        ("Subscriptions that entitle", _subscriptions(explanation)),
        ("Prices of burst in force", _prices(explanation.prices)),
        (f"Polls that the intervals rest on ({hold})", polls),
    ]


def interval_table(explanation: Explanation) -> Table:
    """Each interval with its bytes, seconds and byte-seconds; `charged` tells which are summed into the line."""
    columns = columns_of(
        interval="count", start="instant", end="instant", state="text", interval_seconds="seconds", occupied_bytes="bytes",
        entitled_bytes="bytes", burst_bytes="bytes", burst_byte_seconds="byte_seconds", price_number="count", charged="text",
    )  # fmt: skip
    rows: list[tuple[Any, ...]] = [
        (
            number, part.start, part.end, part.state, part.seconds, part.occupied_bytes, part.entitled_bytes, part.burst_bytes,
            part.burst_byte_seconds, part.price + 1, _charged(part),
        )
        for number, part in enumerate(explanation.intervals, start=1)
    ]  # fmt: skip
    return Table("intervals", columns, rows)


def _charged(part: ExplainedInterval) -> str:
    if part.is_charged:
        return "yes"
    if part.state == "missing":
        return "no: not observed"
    return "no: no burst" if part.burst_bytes == 0 else "no: another price, another line"


def _snapshots(intervals: list[ExplainedInterval]) -> Table:
    rows: list[tuple[Any, ...]] = []
    for snapshots, group in groupby(enumerate(intervals, start=1), key=lambda numbered: numbered[1].snapshots):
        numbers = [number for number, _ in group]
        shown = str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]}–{numbers[-1]}"
        rows += [(shown, s.snapshot, s.drive, s.name, s.status, s.endpoint, s.allocated_bytes) for s in snapshots]
    columns = columns_of(
        intervals="text", snapshot="text", drive="text", name="text", status="text", endpoint="text", allocated_bytes="bytes"
    )
    return Table("snapshots", columns, rows)


def _subscriptions(explanation: Explanation) -> Table:
    columns = columns_of(id="text", amount_bytes="bytes", start="instant", end="instant", intervals="text")
    in_force: defaultdict[str, list[int]] = defaultdict(list)
    for number, part in enumerate(explanation.intervals, start=1):
        for name in part.subscriptions:
            in_force[name].append(number)
    rows = [
        (bought.id, bought.amount_bytes, bought.start, bought.end, ", ".join(map(str, in_force[bought.id])))
        for bought in explanation.subscriptions
    ]
    return Table("subscriptions", columns, rows)


def _prices(prices: list[ExplainedPrice]) -> Table:
    columns = columns_of(
        price_number="count", level="count", why_this_level="text", price="text", currency="text", unit="text",
        multiplier="count", location="text", effective_from="instant",
    )  # fmt: skip
    rows: list[tuple[Any, ...]] = []
    for number, price in enumerate(prices, start=1):
        why = _LEVEL_SOURCES[price.level_source]
        if price.level_effective_from is not None:
            why += f", effective from {instant_text(price.level_effective_from)}"
        place = "no price is in force" if price.price is None else price.location or "every location"
        rows.append(
            (number, price.level, why, price.price, price.currency, price.unit, price.multiplier, place, price.effective_from)
        )
    return Table("prices", columns, rows)


def _each_poll(intervals: list[ExplainedInterval]) -> Table:
    columns = columns_of(
        interval="count", endpoint="text", poll_time="instant", state="text", start="instant", end="instant", ingest="count",
        ingested_at="instant", file="text",
    )  # fmt: skip
    rows: list[tuple[Any, ...]] = [
        (number, p.endpoint, p.poll_time, p.state, p.start, p.end, p.ingest_seq, p.ingested_at, p.file)
        for number, part in enumerate(intervals, start=1)
        for p in part.polls
    ]
    return Table("polls", columns, rows)


def _poll_runs(intervals: list[ExplainedInterval]) -> Table:
    columns = columns_of(
        interval="count", endpoint="text", state="text", polls="count", first_poll="instant", last_poll="instant", ingest="count",
        ingested_at="instant", file="text",
    )  # fmt: skip

    def alike(poll: ExplainedPoll) -> tuple[Any, ...]:
        return poll.endpoint, poll.state, poll.ingest_seq, poll.file

    rows: list[tuple[Any, ...]] = []
    for number, part in enumerate(intervals, start=1):
        for (endpoint, state, ingest_seq, file), group in groupby(part.polls, key=alike):
            run = list(group)
            times = (run[0].poll_time, run[-1].poll_time)
            rows.append((number, endpoint, state, len(run), *times, ingest_seq, run[0].ingested_at, file))
    return Table("polls", columns, rows)
