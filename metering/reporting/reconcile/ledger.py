"""The ledger of one account and location held against our burst, line by line, and our burst that no line charges."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

from metering.billing.money import AMOUNT_PLACES, LAST_PLACE, charge_amount, in_units
from metering.ingest.provider_rows import LedgerRow
from metering.model.units import counted, shown_gib, shown_time
from metering.reporting.reconcile.lines import STATE_CAUSES, Ledger, compare_line, uncovered
from metering.reporting.reconcile.places import Placed, Places, place_lines
from metering.reporting.reconcile.tally import Compared, Found, Tally
from metering.reporting.unit_steps import Step

# How far a line is taken to be shifted at the most; and one that repeats another.
_FAR_CYCLES, _NEAR_CYCLES = 12, 2


@dataclass(frozen=True, slots=True)
class _Gap:
    """Our burst of `[start_s, end_s)` that no line charges, as well known throughout, and the lines right before and after."""

    pieces: list[Step]
    before: Placed | None
    after: Placed | None

    @property
    def start_s(self) -> int:
        return self.pieces[0].start_s

    @property
    def end_s(self) -> int:
        return self.pieces[-1].end_s

    @property
    def seconds(self) -> int:
        return self.end_s - self.start_s

    @property
    def is_measured(self) -> bool:
        return self.pieces[0].state == "measured"


def compare_ledger(ledger: Ledger, rows: list[LedgerRow], tally: Tally, start_s: int, stop_s: int) -> None:
    """Compare the burst lines of one unit that charge any second of `[start_s, stop_s)`."""
    own, beat = ledger.own, ledger.beat
    tally.know(own.unit)
    inside = [row for row in rows if row.start_s < stop_s and row.end_s > start_s]
    tally.pass_over("lines outside the period", len(rows) - len(inside))
    cut = [row.place for row in inside if row.start_s < start_s]
    whole = [_clipped(row, start_s, stop_s) for row in inside]
    idle = {row.place for row in whole if _is_idle(ledger, row)}
    places = place_lines([row for row in whole if row.place not in idle], beat, lambda row: _fits_at(ledger, row, row.start_s))
    places.displaced += [row for row in whole if row.place in idle]
    _mend_intervals(ledger, places)
    while _shift(ledger, places):
        pass
    _add_lines(ledger, places, tally, set(cut))
    for row in places.doubled:
        _add_theirs(ledger, row, tally, Found("duplicate_line", "the same line again", row.amount or Fraction(0)))
    for row in places.displaced:
        said = "we have no burst at its time" if row.place in idle else "another line charges its time"
        _add_theirs(ledger, row, tally, Found("extra_line", said, row.amount or Fraction(0)))
    for gap in _gaps(ledger, places):
        _add_gap(ledger, gap, tally)


def _clipped(row: LedgerRow, start_s: int, stop_s: int) -> LedgerRow:
    """Give the part of a line that lies in the period, with its share of the amount."""
    from_s, until_s = max(row.start_s, start_s), min(row.end_s, stop_s)
    if (from_s, until_s) == (row.start_s, row.end_s):
        return row
    share = None if row.amount is None else row.amount * (until_s - from_s) / row.seconds
    return replace(row, start_s=from_s, seconds=until_s - from_s, amount=share)


def _is_idle(ledger: Ledger, row: LedgerRow) -> bool:
    """Whether a line charges time in which we know that there was no burst."""
    steps = ledger.own.between(row.start_s, row.end_s)
    return all(step.state == "measured" and not step.burst_bytes for step in steps) and not ledger.may_have_seen(
        row.start_s, row.burst_bytes
    )


def _fits_at(ledger: Ledger, row: LedgerRow, at_s: int) -> bool:
    """Whether a line says what would be true of a line that begins at `at_s`."""
    step, rate = ledger.own.at(at_s), ledger.own.rate_at(at_s)
    if step is None or step.burst_bytes != row.burst_bytes or rate is None or rate.price is None or row.amount is None:
        return False
    return abs(row.amount - row.burst_bytes * row.seconds * rate.price.per_byte_second) <= LAST_PLACE


def _mend_intervals(ledger: Ledger, places: Places) -> None:
    """Find lines that end before the next look though the burst went on, or long after it though it did not."""
    own, beat = ledger.own, ledger.beat
    for line, after in pairwise([*places.placed, None]):
        if line is None or beat.is_usual(line.seconds):
            continue
        if line.seconds > beat.cycle_s and _is_overlong(ledger, line):
            line.seconds, line.is_wrong_interval = beat.cycle_s, True
        elif (
            after is not None
            and not beat.joins(line.end_s, after.start_s)
            and beat.is_usual(after.start_s - line.start_s)
            and all(step.state == "measured" and step.burst_bytes for step in own.between(line.end_s, after.start_s))
        ):
            line.seconds, line.is_wrong_interval = after.start_s - line.start_s, True
    places.join(beat)


def _is_overlong(ledger: Ledger, line: Placed) -> bool:
    """Whether we know that what a line saw at its begin did not go on as long as it says, beyond the next look."""
    steps = ledger.own.between(line.start_s + ledger.beat.cycle_s, line.end_s)
    return any(step.state == "measured" and step.burst_bytes != line.row.burst_bytes for step in steps)


def _shift(ledger: Ledger, places: Places) -> bool:
    """Move lines into gaps that they fit, from where they have no business, one a gap; tells whether there were any."""
    touched: set[int] = set()
    spare = _Spare(ledger, places)
    for gap in _gaps(ledger, places):
        if not gap.is_measured or gap.seconds <= ledger.beat.jitter_s or {id(gap.before), id(gap.after)} & touched:
            continue
        near = next(_near(ledger, gap), None)
        if near is not None:
            near[0].start_s = near[1]
            touched.add(id(near[0]))
        elif (moved := spare.take(gap)) is not None:
            places.placed.append(moved)
            touched.add(id(moved))
    spare.give_back(places)
    places.join(ledger.beat)
    return bool(touched)


class _Spare:
    """Lines without a place, by time; one may fit a gap that is not far from where it stands.

    A line that another one repeats is more likely just that, a repetition, so it is looked for only next to where it stands.
    """

    def __init__(self, ledger: Ledger, places: Places) -> None:
        self._ledger = ledger
        self._doubled = {id(row) for row in places.doubled}
        self._rows = sorted([*places.displaced, *places.doubled], key=lambda row: row.start_s)
        self._starts = [row.start_s for row in self._rows]
        self._taken: set[int] = set()

    def take(self, gap: _Gap) -> Placed | None:
        """Take the line that fits a gap and is nearest to where it would belong."""
        cycle_s = self._ledger.beat.cycle_s
        first = bisect_left(self._starts, gap.start_s - _FAR_CYCLES * cycle_s)
        last = bisect_right(self._starts, gap.end_s + _FAR_CYCLES * cycle_s)
        fitting = [
            (abs(row.start_s - at_s), number, at_s)
            for number, row in enumerate(self._rows[first:last], start=first)
            if number not in self._taken
            for at_s in self._slots(gap, row)
            if _fits_at(self._ledger, row, at_s)
        ]
        if not fitting:
            return None
        _, number, at_s = min(fitting)
        self._taken.add(number)
        return Placed(self._rows[number], at_s, self._rows[number].seconds)

    def _slots(self, gap: _Gap, row: LedgerRow) -> Iterator[int]:
        """Give where in a gap a line could begin: a whole number of cycles from the gap's begin, or so that it ends with it."""
        cycle_s = self._ledger.beat.cycle_s
        far_s = (_NEAR_CYCLES if id(row) in self._doubled else _FAR_CYCLES) * cycle_s
        last_s = gap.end_s - row.seconds
        skipped = max(0, row.start_s - far_s - gap.start_s + cycle_s - 1) // cycle_s
        slots = {*range(gap.start_s + skipped * cycle_s, min(last_s, row.start_s + far_s) + 1, cycle_s)}
        if last_s >= gap.start_s:
            slots.add(last_s)
        yield from (at_s for at_s in slots if 0 < abs(row.start_s - at_s) <= far_s)

    def give_back(self, places: Places) -> None:
        """Leave what was not taken with the lines that have no place."""
        left = [row for number, row in enumerate(self._rows) if number not in self._taken]
        places.doubled = [row for row in left if id(row) in self._doubled]
        places.displaced = [row for row in left if id(row) not in self._doubled]


def _near(ledger: Ledger, gap: _Gap) -> Iterator[tuple[Placed, int]]:
    """Give a line next to a gap, and the instant to which it moves if it charges as much time of ours too little elsewhere."""
    own = ledger.own
    if gap.before is None or gap.after is None or gap.seconds >= ledger.beat.cycle_s - ledger.beat.jitter_s:
        return
    later, at_s = gap.after, gap.start_s
    if not later.is_moved and not own.charge(at_s + later.seconds, later.cover_end_s) and _fits_at(ledger, later.row, at_s):
        yield later, at_s
    earlier, at_s = gap.before, gap.end_s - gap.before.seconds
    if not earlier.is_moved and not own.charge(earlier.start_s, at_s) and _fits_at(ledger, earlier.row, at_s):
        yield earlier, at_s


def _gaps(ledger: Ledger, places: Places) -> list[_Gap]:
    """Give our burst that no line charges, in runs that are measured throughout or nowhere."""
    runs: list[list[Step]] = []
    for piece in uncovered(ledger.own, places.placed):
        last = runs[-1][-1] if runs else None
        if last and last.end_s == piece.start_s and (last.state == "measured") == (piece.state == "measured"):
            runs[-1].append(piece)
        else:
            runs.append([piece])
    starts = [line.start_s for line in places.placed]
    return [_gap(ledger, places, starts, run) for run in runs]


def _gap(ledger: Ledger, places: Places, starts: list[int], run: list[Step]) -> _Gap:
    index = bisect_left(starts, run[0].start_s)
    before = places.placed[index - 1] if index else None
    after = places.placed[index] if index < len(starts) else None
    return _Gap(
        run,
        before if before and ledger.beat.joins(before.cover_end_s, run[0].start_s) else None,
        after if after and ledger.beat.joins(run[-1].end_s, after.start_s) else None,
    )


def _add_lines(ledger: Ledger, places: Places, tally: Tally, cut: set[str]) -> None:
    own = ledger.own
    exact: dict[tuple[int, int, int], int] = {}
    for line in places.placed:
        row, step = line.row, own.at(line.start_s)
        if (
            step is not None
            and (row.start_s, row.seconds, row.burst_bytes) == (line.start_s, line.seconds, step.burst_bytes)
            and line.cover_end_s == line.end_s <= step.end_s
        ):
            # Nearly all lines are such: theirs is ours to the last digit.
            key = (step.burst_bytes, line.seconds, step.rate_key)
            if key not in exact:
                price = ledger.own.price_of(step)
                exact[key] = in_units(charge_amount(step.burst_bytes * line.seconds, price), AMOUNT_PLACES) if price else -1
            if row.amount is not None and row.amount * 10**AMOUNT_PLACES == exact[key]:
                tally.match(own.unit, exact[key])
                continue
        tally.add(own.unit, compare_line(ledger, line, is_cut=row.place in cut))


def _add_theirs(ledger: Ledger, row: LedgerRow, tally: Tally, found: Found) -> None:
    compared = Compared(row.start_s, row.end_s, theirs=row.amount or Fraction(0), place=row.place, outcome="theirs_only")
    compared.found.append(found)
    tally.add(ledger.own.unit, compared)


def _add_gap(ledger: Ledger, gap: _Gap, tally: Tally) -> None:
    own, beat = ledger.own, ledger.beat
    compared = Compared(gap.start_s, gap.end_s, outcome="ours_only")
    compared.ours = sum((own.rate_of(piece) * piece.seconds for piece in gap.pieces), Fraction(0))
    if not compared.ours:
        tally.pass_over("intervals of ours without a price, for which they have no line")
        return
    if not gap.is_measured:
        for piece in gap.pieces:
            compared.explain(STATE_CAUSES[piece.state], -own.rate_of(piece) * piece.seconds)
    elif gap.seconds <= beat.jitter_s:
        compared.explain("interval_jitter", -compared.ours)
    elif gap.seconds < beat.cycle_s - beat.jitter_s and not (gap.before and gap.after):
        compared.explain("between_looks", -compared.ours)
    else:
        peak = max(piece.burst_bytes for piece in gap.pieces)
        lines = counted(-(-gap.seconds // beat.cycle_s), "line")
        said = f"no line charges {shown_time(gap.seconds)} of our burst of up to {shown_gib(peak)} GiB; that is {lines}"
        compared.found.append(Found("missing_line", said, -compared.ours))
    tally.add(own.unit, compared)
