"""Lines of a ledger put in their places in time, so that each second is charged by one line at the most.

    lines ─> twice? ─> overlapping? ─> of a wrong interval, or out of place ─> gaps that one out of place would fill: shifted

The provider looks once a cycle and charges until it looks again, so lines join: where one ends the next begins, give or take the
jitter of its clock. A line is known by its time, never by its id.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from metering.ingest.provider_rows import LedgerRow

Fits = Callable[[LedgerRow], bool]


@dataclass(frozen=True, slots=True)
class Beat:
    """How lines follow each other: one each `cycle_s`, give or take `jitter_s`."""

    cycle_s: int
    jitter_s: int

    def joins(self, end_s: int, start_s: int) -> bool:
        """Whether a line that begins at `start_s` follows at once on one that ends at `end_s`."""
        return abs(start_s - end_s) <= self.jitter_s

    def is_usual(self, seconds: int) -> bool:
        """Whether a line is as long as a cycle."""
        return abs(seconds - self.cycle_s) <= self.jitter_s

    def is_on_beat(self, hole_s: int) -> bool:
        """Whether whole cycles fit between two lines."""
        over_s = hole_s % self.cycle_s
        return min(over_s, self.cycle_s - over_s) <= self.jitter_s


@dataclass(slots=True)
class Placed:
    """A line in its place: it charges `[start_s, start_s + seconds)`, which may differ from what it says."""

    row: LedgerRow
    start_s: int
    seconds: int
    cover_end_s: int = 0
    is_wrong_interval: bool = False

    @property
    def end_s(self) -> int:
        """Where its time ends."""
        return self.start_s + self.seconds

    @property
    def is_moved(self) -> bool:
        """Whether it says another time than the one it charges."""
        return self.start_s != self.row.start_s


@dataclass(slots=True)
class Places:
    """Lines in their places, and those that have none: the same line again, or time that another line charges."""

    placed: list[Placed]
    doubled: list[LedgerRow]
    displaced: list[LedgerRow]

    def join(self, beat: Beat) -> None:
        """Sort the lines, and let each charge up to the next where that follows at once."""
        self.placed.sort(key=lambda line: line.start_s)
        for line, after in pairwise(self.placed):
            joined = beat.joins(line.end_s, after.start_s)
            line.cover_end_s = after.start_s if joined else min(line.end_s, after.start_s)
        if self.placed:
            self.placed[-1].cover_end_s = self.placed[-1].end_s


def place_lines(rows: list[LedgerRow], beat: Beat, fits: Fits) -> Places:
    """Put lines in their places; of two that overlap, the one goes whose absence leaves whole cycles, or that `fits` less."""
    kept: list[Placed] = []
    doubled: list[LedgerRow] = []
    seen = set()
    for row in sorted(rows, key=lambda row: (row.start_s, row.end_s)):
        said = (row.start_s, row.seconds, row.burst_bytes, row.amount)
        if said in seen:
            doubled.append(row)
        else:
            seen.add(said)
            kept.append(Placed(row, row.start_s, row.seconds))
    places = Places(kept, doubled, _without_overlaps(kept, beat, fits))
    places.join(beat)
    return places


def _without_overlaps(kept: list[Placed], beat: Beat, fits: Fits) -> list[LedgerRow]:
    displaced = []
    i = 0
    while i + 1 < len(kept):
        line, after = kept[i], kept[i + 1]
        if line.end_s - after.start_s <= beat.jitter_s:
            i += 1
        elif not beat.is_usual(line.seconds) and after.start_s - line.start_s > beat.jitter_s:
            # It is its length that is odd, not its begin.
            line.seconds, line.is_wrong_interval = after.start_s - line.start_s, True
            i += 1
        else:
            displaced.append(kept.pop(_worse(kept, i, beat, fits)).row)
            i = max(0, i - 1)
    return displaced


def _worse(kept: list[Placed], i: int, beat: Beat, fits: Fits) -> int:
    """Choose between two lines that overlap: the place of the one to leave out."""

    def off_beat(left: int, right: int) -> int:
        if left < 0 or right >= len(kept):
            return 0
        return int(not beat.is_on_beat(kept[right].start_s - kept[left].end_s))

    without_first = off_beat(i - 1, i + 1) + off_beat(i + 1, i + 2)
    without_second = off_beat(i - 1, i) + off_beat(i, i + 2)
    if without_first != without_second:
        return i if without_first < without_second else i + 1
    return i if fits(kept[i + 1].row) and not fits(kept[i].row) else i + 1
