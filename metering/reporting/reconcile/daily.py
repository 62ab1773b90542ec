"""Daily burst of one account and location held against ours, day by day.

A day's amount is the sum of the lines that the provider's looks gave. From our steps we know what looks at the begin of each cycle
would have given, and so how much of a difference is a matter of looking once a cycle. Where our own polls are at other instants,
each change may count for up to a cycle more or less. In time that we did not observe, a difference is bounded by that time at the
highest burst and price of the day. `/ledger/` tells more, for it tells it line by line.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from metering.billing.money import AMOUNT_PLACES, charge_amount, cut_text
from metering.ingest.provider_rows import DayRow
from metering.model.period import SECONDS_PER_DAY, day_start
from metering.model.reconciliation import Cause
from metering.model.records import ChargeLine
from metering.reporting.reconcile.lines import STATE_CAUSES, sizes
from metering.reporting.reconcile.places import Beat
from metering.reporting.reconcile.tally import Compared, Found, Tally
from metering.reporting.unit_steps import Step, UnitSteps


@dataclass(frozen=True, slots=True)
class Days:
    """What days of one unit are held against: our steps and charge lines of `[start_s, stop_s)`, and the provider's beat."""

    own: UnitSteps
    beat: Beat
    lines: Sequence[ChargeLine]
    start_s: int
    stop_s: int


@dataclass(frozen=True, slots=True)
class _Day:
    """Our day: what it costs exactly, what a look at the begin of each cycle gives, how high it rose, what was not observed."""

    steps: list[Step]
    ours: Fraction
    looked: Fraction
    looks: int
    looked_peak: int
    highest_rate: Fraction
    swing: Fraction
    unobserved: dict[Cause, int]
    # Whether our polls show changes elsewhere than at the begin of cycles, so that we do not look when they do.
    is_off_beat: bool

    @property
    def rounding(self) -> Fraction:
        return Fraction(self.looks + 1, 10**AMOUNT_PLACES)

    @property
    def peak(self) -> int:
        return max((step.burst_bytes for step in self.steps), default=0)


def compare_days(days: Days, rows: list[DayRow], tally: Tally) -> None:
    """Compare daily burst of every whole day of the period; what we charge on a day that the period cuts is told as cut."""
    own = days.own
    by_day: defaultdict[int, list[DayRow]] = defaultdict(list)
    for row in rows:
        by_day[row.day_s].append(row)
    for day_s in range(day_start(days.start_s), days.stop_s, SECONDS_PER_DAY):
        end_s = day_s + SECONDS_PER_DAY
        told = by_day.pop(day_s, [])
        compared = Compared(max(day_s, days.start_s), min(end_s, days.stop_s))
        if (compared.start_s, compared.end_s) != (day_s, end_s):
            tally.pass_over("days that the period cuts", len(told))
            compared.ours, compared.outcome = own.charge(compared.start_s, compared.end_s), "ours_only"
            compared.explain("cut", -compared.ours)
            if compared.ours:
                tally.add(own.unit, compared)
            continue
        _compare_day(days, _our_day(days, day_s, end_s), told[:1], compared, tally)
        for row in told[1:]:
            again = Compared(day_s, end_s, theirs=row.amount or Fraction(0), place=row.place, outcome="theirs_only")
            again.found.append(Found("duplicate_row", "the day is told a second time", again.theirs))
            tally.add(own.unit, again)
    tally.pass_over("days outside the period", sum(map(len, by_day.values())))


def _our_day(days: Days, day_s: int, end_s: int) -> _Day:
    own, cycle_s = days.own, days.beat.cycle_s
    steps = list(own.between(day_s, end_s))
    looked, looks, looked_peak = Fraction(0), 0, 0
    for step in steps:
        if not step.burst_bytes:
            continue
        first_s = step.start_s + -step.start_s % cycle_s
        count = len(range(first_s, step.end_s, cycle_s))
        price = own.price_of(step)
        if count and price:
            looked += count * Fraction(charge_amount(step.burst_bytes * cycle_s, price))
        looks += count
        looked_peak = max(looked_peak, step.burst_bytes) if count else looked_peak
    rates = [own.rate_of(step) for step in steps]
    unobserved: defaultdict[Cause, int] = defaultdict(int)
    for step in steps:
        if step.state in STATE_CAUSES:
            unobserved[STATE_CAUSES[step.state]] += step.seconds
    price_now = own.rate_at(day_s)
    highest = price_now.price.per_byte_second if price_now and price_now.price else Fraction(0)
    return _Day(
        steps,
        sum((rate * step.seconds for rate, step in zip(rates, steps, strict=True)), Fraction(0)),
        looked,
        looks,
        looked_peak,
        max([highest, *(price.per_byte_second for step in steps if step.burst_bytes and (price := own.price_of(step)))]),
        sum((abs(after - before) for before, after in pairwise(rates)), Fraction(0)) * cycle_s,
        dict(unobserved),
        any(instant_s % cycle_s for instant_s in own.changes(day_s, end_s)),
    )


def _compare_day(days: Days, day: _Day, told: list[DayRow], compared: Compared, tally: Tally) -> None:
    row = told[0] if told else None
    compared.ours = day.ours
    if row is None:
        if not day.ours:
            return
        compared.outcome = "ours_only"
        _explain_alone(days.own, day, compared)
    else:
        compared.theirs, compared.place = row.amount or Fraction(0), row.place
        priced = all(line.amount is not None for line in days.lines if line.date == compared.start_s)
        if row.amount is None and priced and day.ours:
            compared.found.append(Found("no_amount", "it has no amount, and we have a price", -day.ours))
        elif not priced and compared.theirs:
            compared.found.append(
                Found("unpriced", "we have no price for its time: add one to the prices", compared.theirs - day.ours)
            )
        else:
            _explain_day(day, row, compared)
        is_ours = row.peak_bytes in (day.peak, day.looked_peak) or (day.is_off_beat and row.peak_bytes <= 2 * day.peak)
        if day.ours and not day.unobserved and not is_ours:
            compared.found.append(
                Found("wrong_peak", f"the highest burst is not ours: {sizes(row.peak_bytes, day.peak)}", Fraction(0))
            )
        if not day.ours:
            compared.outcome = "theirs_only"
    tally.add(days.own.unit, compared)


def _explain_alone(own: UnitSteps, day: _Day, compared: Compared) -> None:
    """Explain a day of ours of which they have none."""
    measured = Fraction(0)
    for step in day.steps:
        cost = own.rate_of(step) * step.seconds
        if step.state in STATE_CAUSES:
            compared.explain(STATE_CAUSES[step.state], -cost)
        else:
            measured += cost
    if measured and day.looks:
        compared.found.append(Found("missing_day", "they have no burst on this day", -measured))
    else:
        compared.explain("between_looks", -measured)


def _explain_day(day: _Day, row: DayRow, compared: Compared) -> None:
    theirs = row.amount or Fraction(0)
    if abs(theirs - day.ours) <= day.rounding:
        compared.explain("rounding", theirs - day.ours)
        return
    rest = theirs - day.looked
    compared.explain("between_looks", day.looked - day.ours)
    if abs(rest) <= day.rounding:
        compared.explain("rounding", rest)
        return
    highest = max(row.peak_bytes, day.peak) * day.highest_rate
    missing_s = day.unobserved.get("missing_time", 0)
    if 0 < rest <= missing_s * highest + day.rounding:
        compared.explain("missing_time", rest)
    elif day.is_off_beat and abs(rest) <= day.swing:
        compared.explain("between_looks", rest)
    elif abs(rest) <= (sum(day.unobserved.values()) - (missing_s if rest < 0 else 0)) * highest:
        # In missing time we charge nothing, so that they cannot charge less.
        compared.explain("held_time" if "held_time" in day.unobserved else "partial_time", rest)
    elif not day.ours:
        compared.found.append(Found("extra_day", "we have no burst on this day", rest))
    else:
        said = f"the day's amount is not ours; looks at other instants could move it by at most {cut_text(day.swing, 6)}"
        compared.found.append(Found("wrong_amount", said, rest))
