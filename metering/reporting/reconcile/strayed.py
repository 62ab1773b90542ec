"""Lines that stand under another account or location than the one whose burst they charge: one mistake, told as that.

Held against our steps unit by unit such a line is missing in one place and too much in another. Where it charges just the time and
just the amount that the other lacks, it is the same line, so both are told as one mistake, each side with its share of the amount.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from metering.billing.money import LAST_PLACE
from metering.ingest.provider_rows import LedgerRow
from metering.model.reconciliation import Mismatch

_Place = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Stranger:
    """A line under an account and location that is none of ours, and the finding that tells of it."""

    row: LedgerRow
    finding: int


@dataclass(frozen=True, slots=True)
class _Line:
    """A line that has no business where it stands: what it charges, and the finding that tells of it."""

    start_s: int
    end_s: int
    amount: Fraction
    finding: int
    is_stranger: bool


def strayed(findings: Sequence[Mismatch], strangers: Iterable[Stranger], jitter_s: int) -> tuple[list[Mismatch], int]:
    """Tell lines that are missing in one place and too much in another as lines of a wrong account or location.

    Args:
        findings: all findings of a ledger.
        strangers: its lines under accounts and locations that are none of ours; a finding whose lines all belong elsewhere goes.
        jitter_s: how far the line may be from the time that lacks it.

    Returns:
        The findings as they are told now, and the number of lines of those that went.
    """
    lines = _lines(findings, strangers)
    starts: defaultdict[int, set[_Place]] = defaultdict(set)
    for place, several in lines.items():
        for line in several:
            starts[line.start_s].add(place)
    told = list(findings)
    left: defaultdict[int, int] = defaultdict(int)
    for line in (line for several in lines.values() for line in several if line.is_stranger):
        left[line.finding] += 1
    gone = 0
    for number, missing in enumerate(findings):
        if missing.check != "missing_line":
            continue
        own = missing.account, missing.location
        near = {
            place for start_s in range(missing.start - jitter_s, missing.start + jitter_s + 1) for place in starts.get(start_s, ())
        }
        for place in sorted(near - {own}):
            found = [
                each for each in lines[place] if missing.start - jitter_s <= each.start_s and each.end_s <= missing.end + jitter_s
            ]
            if not _are_what_lacks(found, missing, jitter_s):
                continue
            lines[place] = [each for each in lines[place] if each not in found]
            told[number] = _told(missing, own, place, f"found under {' in '.join(place)}")
            for each in found:
                if each.is_stranger:
                    left[each.finding] -= 1
                    gone += 1
                else:
                    told[each.finding] = _told(findings[each.finding], own, place, f"it is of {' in '.join(own)}, which lacks it")
            break
    settled = {number for number, count in left.items() if not count}
    return [finding for number, finding in enumerate(told) if number not in settled], gone


def _lines(findings: Sequence[Mismatch], strangers: Iterable[Stranger]) -> dict[_Place, list[_Line]]:
    lines: defaultdict[_Place, list[_Line]] = defaultdict(list)
    for number, extra in enumerate(findings):
        if extra.check == "extra_line":
            lines[extra.account, extra.location].append(
                _Line(extra.start, extra.end, Fraction(extra.theirs), number, is_stranger=False)
            )
    for stranger in strangers:
        row, said = stranger.row, findings[stranger.finding]
        lines[said.account, said.location].append(
            _Line(row.start_s, row.end_s, row.amount or Fraction(0), stranger.finding, is_stranger=True)
        )
    return lines


def _are_what_lacks(lines: Sequence[_Line], missing: Mismatch, jitter_s: int) -> bool:
    """Whether lines charge the time of a gap of ours, once, and its amount."""
    seconds = sum(line.end_s - line.start_s for line in lines)
    amount = sum((line.amount for line in lines), Fraction(0))
    return (
        bool(lines)
        and abs(seconds - (missing.end - missing.start)) <= jitter_s
        and abs(amount - Fraction(missing.ours)) <= LAST_PLACE * (len(lines) + 1)
    )


def _told(finding: Mismatch, own: _Place, place: _Place, said: str) -> Mismatch:
    check = "wrong_account" if own[0] != place[0] else "wrong_location"
    return finding.model_copy(update={"check": check, "message": f"{finding.message}: {said}"})
