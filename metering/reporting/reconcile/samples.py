"""The provider's own samples of one account and location held against what we hold it occupied, look by look.

A look's rows add up to a level that holds until its next look. What is at stake is what that level would have cost beyond ours, at
our entitlement and our price: a difference below the entitlement costs nothing, and is a finding all the same.
"""

from collections import defaultdict
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise

from metering.ingest.provider_rows import SampleRow
from metering.model.reconciliation import Cause
from metering.model.units import counted, shown_gib
from metering.reporting.reconcile.lines import STATE_CAUSES, Ledger, sizes
from metering.reporting.reconcile.tally import Compared, Found, Tally
from metering.reporting.unit_steps import Step, UnitSteps


def compare_samples(ledger: Ledger, rows: list[SampleRow], tally: Tally, start_s: int, stop_s: int) -> None:
    """Compare the samples of one unit, taken in `[start_s, stop_s)`, and our occupied time for which there is none."""
    own, beat = ledger.own, ledger.beat
    inside = [row for row in rows if start_s <= row.poll_s < stop_s]
    tally.pass_over("rows outside the period", len(rows) - len(inside))
    looks: defaultdict[int, dict[str, SampleRow]] = defaultdict(dict)
    again: list[SampleRow] = []
    for row in inside:
        first = looks[row.poll_s].setdefault(row.uuid, row)
        if first is not row:
            again.append(row)
    times = sorted(looks)
    reached_s = start_s
    ends: dict[int, int] = {}
    for at_s, next_s in pairwise([*times, stop_s]):
        # A look holds until the next one, as our polls do, or for a cycle where that did not come.
        ends[at_s] = next_s if 2 * (next_s - at_s) <= 3 * beat.cycle_s else at_s + beat.cycle_s
        _add_gap(ledger, reached_s, at_s, tally)
        reached_s = ends[at_s]
        _add_look(ledger, at_s, ends[at_s], list(looks[at_s].values()), tally)
    _add_gap(ledger, reached_s, stop_s, tally)
    for row in again:
        _add_again(own, row, looks[row.poll_s], ends[row.poll_s], tally)


def _cost(own: UnitSteps, step: Step, occupied_bytes: int) -> Fraction:
    """Give what a level would have cost in a step of ours, at our entitlement and price."""
    price = own.price_of(step) if step.rate_key >= 0 else None
    burst = max(0, occupied_bytes - step.entitled_bytes)
    return burst * step.seconds * price.per_byte_second if price else Fraction(0)


def _add_look(ledger: Ledger, at_s: int, end_s: int, rows: list[SampleRow], tally: Tally) -> None:
    own, theirs = ledger.own, sum(row.size_bytes for row in rows)
    compared = Compared(at_s, end_s, place=rows[0].place)
    wrong, is_wrong = Fraction(0), False
    for step in own.between(at_s, end_s):
        ours_cost, theirs_cost = own.rate_of(step) * step.seconds, _cost(own, step, theirs)
        compared.ours += ours_cost
        compared.theirs += theirs_cost
        if step.is_observed and step.occupied_bytes == theirs:
            continue
        cause = _cause(ledger, at_s, step, theirs)
        if cause is None:
            wrong, is_wrong = wrong + theirs_cost - ours_cost, True
        else:
            compared.explain(cause, theirs_cost - ours_cost)
    if is_wrong:
        seen = own.at(at_s)
        ours = seen.occupied_bytes if seen else 0
        check = "wrong_size" if ours else "extra_row"
        said = f"{counted(len(rows), 'object')}: {sizes(theirs, ours)}"
        compared.found.append(Found(check, said, wrong))
    tally.add(own.unit, compared)


def _cause(ledger: Ledger, at_s: int, step: Step, theirs: int) -> Cause | None:
    if step.state in STATE_CAUSES:
        return STATE_CAUSES[step.state]
    looked = ledger.state_at(at_s)
    if looked in STATE_CAUSES:
        return STATE_CAUSES[looked]
    return "between_looks" if ledger.may_have_seen(at_s, theirs, lambda step: step.occupied_bytes) else None


def _add_gap(ledger: Ledger, start_s: int, end_s: int, tally: Tally) -> None:
    """Add our occupied time between two looks for which they have no row; a look at nothing has none, which is no gap."""
    own, beat = ledger.own, ledger.beat
    for run in _occupied_runs(own, start_s, end_s):
        first_s, last_s = run[0].start_s, run[-1].end_s
        compared = Compared(first_s, last_s, outcome="ours_only")
        compared.ours = sum((own.rate_of(step) * step.seconds for step in run), Fraction(0))
        if run[0].state in STATE_CAUSES:
            for step in run:
                compared.explain(STATE_CAUSES[step.state], -own.rate_of(step) * step.seconds)
        elif last_s - first_s < beat.cycle_s - beat.jitter_s:
            compared.explain("between_looks", -compared.ours)
        else:
            peak = max(step.occupied_bytes for step in run)
            looks = counted(-(-(last_s - first_s) // beat.cycle_s), "look")
            said = f"{looks} without a row, though we have up to {shown_gib(peak)} GiB occupied"
            compared.found.append(Found("missing_row", said, -compared.ours))
        tally.add(own.unit, compared)


def _occupied_runs(own: UnitSteps, start_s: int, end_s: int) -> Iterator[list[Step]]:
    run: list[Step] = []
    for step in own.between(start_s, end_s) if start_s < end_s else ():
        is_held = step.state in STATE_CAUSES
        if run and (not step.is_observed or not step.occupied_bytes or is_held != (run[0].state in STATE_CAUSES)):
            yield run
            run = []
        if step.is_observed and step.occupied_bytes:
            run.append(step)
    if run:
        yield run


def _add_again(own: UnitSteps, row: SampleRow, look: dict[str, SampleRow], end_s: int, tally: Tally) -> None:
    """Add a row that tells an object a second time in one look; it was not counted, and this is what it would have cost."""
    level = sum(each.size_bytes for each in look.values())
    cost = sum(
        (_cost(own, step, level + row.size_bytes) - _cost(own, step, level) for step in own.between(row.poll_s, end_s)), Fraction(0)
    )
    compared = Compared(row.poll_s, end_s, theirs=cost, place=row.place, outcome="theirs_only")
    is_same = look[row.uuid].size_bytes == row.size_bytes
    said = f"object {row.uuid} is told twice in one look{'' if is_same else ', with two sizes'}"
    compared.found.append(Found("duplicate_row", said, cost))
    tally.add(own.unit, compared)
