"""The provider's samples put together to polls of our own collections, and what they leave open.

Of a location that stores nothing `/usage/` says as little as of one that nobody sampled: there is no row. So a collection gets a
poll in a cycle only where each location that it lists snapshots of was looked at: it has a row in that cycle, or it was empty all
the gap long, since the account's polls on both sides list nothing there and no row in between does. Before the first poll, one
that is listed by no poll at all was empty too; after the last, the next poll will tell. All else stays a gap: a listing that is
not whole is no poll (ACCOUNTING.md §1, §3).
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from metering.ingest.captures import Source

Interval = tuple[int, int]


@dataclass(frozen=True, slots=True)
class UsageRow:
    """One object in one of the provider's samples."""

    location: str
    snapshot: str
    poll_s: int
    amount: int


@dataclass(slots=True)
class Gap:
    """A time `[start_s, end_s)` without a poll of a collection, and what is known of the locations in it."""

    start_s: int
    end_s: int
    # Where the account's polls next to it list anything, or ever, where there is none before it; None where there is none after it.
    stored: frozenset[str] | None
    # Where the provider's samples within it list anything.
    sampled: set[str] = field(default_factory=set)
    # Whether every location was asked for all of it, and answered.
    is_answered: bool = True

    def may_have_been_empty(self, locations: frozenset[str]) -> bool:
        """Whether everybody answered, and neither a poll beside it nor a sample within it lists anything at these locations."""
        return self.is_answered and self.stored is not None and not locations & (self.stored | self.sampled)


@dataclass(frozen=True, slots=True)
class UsagePoll:
    """A poll made of the provider's samples; those of its locations that have no row in its cycle are `unseen`."""

    source: Source
    poll_s: int
    listed: list[UsageRow]
    gap: Gap
    unseen: frozenset[str]


@dataclass(slots=True)
class AccountGaps:
    """What is known of one account: by endpoint its gaps, where it lists snapshots, and when it was polled; and who lists which."""

    gaps: dict[str, list[Gap]]
    endpoint_of: dict[str, str]
    locations: dict[str, set[str]]
    polled: dict[str, list[int]]
    # Polls that count if what they do not see was empty; that is known once all of their gap is.
    waiting: list[UsagePoll] = field(default_factory=list)

    def give_up(self, window: Interval) -> None:
        """Note that not all locations answered for a window."""
        for gap in self._gaps_in(window):
            gap.is_answered = False

    def polls_of(self, sources: list[Source], rows: list[UsageRow], window: Interval, cycle_s: int) -> Iterator[UsagePoll]:
        """Give the polls that a window's samples make by themselves; others wait until all of their gap was asked for."""
        cycles: defaultdict[int, list[UsageRow]] = defaultdict(list)
        for row in rows:
            cycles[row.poll_s // cycle_s].append(row)
        # Those next to the window may lie in the same gap.
        for location, poll_s in {(row.location, row.poll_s) for row in rows}:
            for gap in self._gaps_in((poll_s, poll_s + 1)):
                gap.sampled.add(location)
        polls = [poll for _, seen in sorted(cycles.items()) for poll in self._polls_of_cycle(sources, seen, window)]
        for poll in polls:
            self.locations[poll.source.endpoint].update(row.location for row in poll.listed)
        for poll in polls:
            seen = {row.location for row in cycles[poll.poll_s // cycle_s]}
            unseen = frozenset(self.locations[poll.source.endpoint] - seen)
            if not unseen:
                yield poll
            elif poll.gap.may_have_been_empty(unseen):
                self.waiting.append(UsagePoll(poll.source, poll.poll_s, poll.listed, poll.gap, unseen))

    def rest(self) -> list[UsagePoll]:
        """Give the polls that waited, once everything was asked for: those of which nothing turned up that they do not see."""
        return [poll for poll in self.waiting if poll.gap.may_have_been_empty(poll.unseen)]

    def _polls_of_cycle(self, sources: list[Source], seen: list[UsageRow], window: Interval) -> Iterator[UsagePoll]:
        poll_s = min(row.poll_s for row in seen)
        if not window[0] <= poll_s < window[1]:
            return
        here = {each: gap for each in sources for gap in gaps_in(self.gaps[each.endpoint], (poll_s, poll_s + 1))}
        rows = _newest(seen)
        for source, gap in here.items():
            listed = [row for row in rows if self._endpoint(row, list(here)) == source.endpoint]
            yield UsagePoll(source, poll_s, listed, gap, frozenset())

    def _endpoint(self, row: UsageRow, here: list[Source]) -> str:
        """Tell which collection lists a snapshot; one that nobody ever listed goes to a collection that had a gap while it was."""
        if row.snapshot in self.endpoint_of:
            return self.endpoint_of[row.snapshot]
        return next((source.endpoint for source in here if source.location == row.location), here[0].endpoint)

    def _gaps_in(self, window: Interval) -> Iterator[Gap]:
        return (gap for gaps in self.gaps.values() for gap in gaps_in(gaps, window))


def gaps_in(gaps: list[Gap], window: Interval) -> Iterator[Gap]:
    """Give those of a collection's gaps that reach into a window; they are in order, and share no second."""
    for number in range(bisect_right(gaps, window[0], key=lambda gap: gap.end_s), len(gaps)):
        if gaps[number].start_s >= window[1]:
            return
        yield gaps[number]


def _newest(rows: list[UsageRow]) -> list[UsageRow]:
    """Keep one row a snapshot and cycle, its first."""
    first: dict[tuple[str, str], UsageRow] = {}
    for row in sorted(rows, key=lambda row: row.poll_s):
        first.setdefault((row.location, row.snapshot), row)
    return list(first.values())
