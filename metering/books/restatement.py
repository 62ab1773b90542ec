"""What closed periods would be now, less what was billed for them so far: the adjustments of the next open period.

A closed statement never changes. Late polls, superseded polls, backdated subscriptions, corrected prices and currencies become
signed lines in the next open period, up and down; a statement that was parked was not billed at all, so all of it comes. What
was billed for a period so far is its own lines and every adjustment of it in statements that were billed, so a correction of a
correction nets to the truth: lines + adjustments = truth, for each line, to the 20th decimal. Source: ACCOUNTING.md §8.

A closed period is restated with the settings it was closed with: another `max_hold` is no fact, and restates nothing.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from metering.billing.bill import charge_id, charge_lines, known_accounts, line_order, statements_of
from metering.billing.findings import finding_order
from metering.billing.money import ZERO, less, total, total_if_known, total_known
from metering.billing.usage import Computation, compute_usage
from metering.books.causes import Cause
from metering.books.closings import Books, Closing
from metering.books.history import Billed, History, LineKey, histories_of, line_key
from metering.engine.duckdb import Engine
from metering.model.period import Period
from metering.model.records import Bill, ChargeLine, Finding
from metering.model.units import trimmed


@dataclass(slots=True)
class _Account:
    """One account and currency in a restated period: the sums of the arithmetic, and the lines that say it."""

    billed: list[Decimal] = field(default_factory=list)
    restated: list[Decimal | None] = field(default_factory=list)
    lines: list[ChargeLine] = field(default_factory=list)


def restated(engine: Engine, books: Books, computation: Computation, bill: Bill) -> Bill:
    """Give the bill of an open period with the adjustments of the closed ones that lead to it.

    Reads the tables of `computation` first; afterwards the engine holds those of the last period that was restated.
    """
    lines: list[ChargeLine] = []
    findings: list[Finding] = []
    for history, sums in _compared(engine, books, computation):
        for (account, currency), said in sorted(sums.items(), key=lambda item: (item[0][0], item[0][1] or "")):
            lines += said.lines
            causes = history.causes(computation, account, said.lines, currency)
            findings.append(_finding(history.closing, account, currency, said, causes))
    if not lines:
        return bill
    all_lines = sorted([*bill.lines, *lines], key=line_order)
    return bill.model_copy(
        update={
            "lines": all_lines,
            "statements": statements_of(
                {row.account for row in bill.usage}, all_lines, known_accounts(engine, computation.known_seq)
            ),
            "findings": sorted([*bill.findings, *findings, *_parked(lines)], key=finding_order),
        }
    )


def adjustments(engine: Engine, books: Books, computation: Computation, account: str | None) -> list[ChargeLine]:
    """Give just the adjustments that `restated` adds to the bill, or one account's; the engine's tables become others as there."""
    compared = _compared(engine, books, computation, account)
    return [line for _, sums in compared for said in sums.values() for line in said.lines]


def _compared(
    engine: Engine, books: Books, computation: Computation, account: str | None = None
) -> Iterator[tuple[History, dict[tuple[str, str | None], _Account]]]:
    """Hold what may be another now of each closed period that leads to this one against what was billed for it."""
    histories = histories_of(engine, books, computation.period)
    # What may be another now is told by the tables of this computation, so before any other is made.
    doubts = [(history, history.doubt(computation).of(account)) for history in histories]
    stale = [(history, doubt) for history, doubt in doubts if doubt]
    # A bill that restates nothing, as most do, need not wait for them.
    known = known_accounts(engine, computation.known_seq) if stale else {}
    for history, doubt in stale:
        closing = history.closing
        accounts, billed = history.billed_in_doubt(doubt)
        if accounts:
            now = restating(engine, closing, closing.period, computation, accounts)
            yield history, _compare(closing, computation.period, billed, charge_lines(engine, now.rates, known))


def restating(
    engine: Engine, closing: Closing, period: Period, computation: Computation, accounts: Collection[str] | None = None
) -> Computation:
    """Compute a closed period, or a part of it, as it would be now: by the facts and the clock of the bill that restates it.

    Of all accounts, unless only some are asked for.
    """
    return compute_usage(
        engine,
        period,
        as_of_s=max(computation.as_of_s, closing.as_of_s),
        now_s=computation.as_of_s,
        known_seq=computation.known_seq,
        clock=closing.said_settings.clock,
        is_at_a_glance=True,
        accounts=accounts,
    )


def _compare(
    closing: Closing, carrier: Period, billed: dict[LineKey, Billed], truth: Sequence[ChargeLine]
) -> dict[tuple[str, str | None], _Account]:
    """Give what differs, by account and currency."""
    now = {line_key(line): line for line in truth}
    sums: defaultdict[tuple[str, str | None], _Account] = defaultdict(_Account)
    for key in now.keys() | billed.keys():
        line, before = now.get(key), billed.get(key)
        said = before.line if before else now[key]
        into = sums[said.account, said.currency]
        into.billed.append(before.amount if before else ZERO)
        into.restated.append(line.amount if line else ZERO)
        if adjustment := adjustment_of(closing, carrier, said, line, before or Billed(said)):
            into.lines.append(adjustment)
    return {key: said for key, said in sums.items() if said.lines}


def adjustment_of(closing: Closing, carrier: Period, said: ChargeLine, now: ChargeLine | None, billed: Billed) -> ChargeLine | None:
    """Give the line that makes up for the difference, None where there is none."""
    byte_seconds = (now.burst_byte_seconds if now else 0) - billed.byte_seconds
    seconds = (now.burst_seconds if now else 0) - billed.seconds
    restated_amount = now.amount if now else ZERO
    amount = None if restated_amount is None else less(restated_amount, billed.amount)
    if not (byte_seconds or seconds or amount is None or amount):
        return None
    adjusts = closing.period.text
    return said.model_copy(
        update={
            "charge_id": charge_id(
                "adjustment", said.account, said.location, said.date, said.level, said.currency, price_of_byte_second(said),
                said.unit or "", adjusts, carrier.text,
            ),
            "kind": "adjustment",
            "burst_byte_seconds": byte_seconds,
            "burst_seconds": seconds,
            "peak_burst_bytes": now.peak_burst_bytes if now else 0,
            "amount": amount,
            "adjusts": adjusts,
        }
    )  # fmt: skip


def price_of_byte_second(line: ChargeLine) -> str:
    """Write the exact price of a line as the names of charges have it, empty where it has none."""
    return "" if line.price is None or line.multiplier is None else str(Fraction(line.price) / line.multiplier)


def _finding(closing: Closing, account: str, currency: str | None, said: _Account, causes: Sequence[Cause]) -> Finding:
    """Tell what a closed period was billed, what it would be now, and which facts made the difference."""
    name, coin = closing.period.text, currency or "an unknown currency"
    billed, now = total(said.billed), total_if_known(said.restated)
    difference = None if now is None else total_known(line.amount for line in said.lines)
    if now is not None and difference is not None:
        after = f"now {trimmed(now)}, so adjusted by {trimmed(difference)}"
    else:
        after = "now with burst that has no price"
    why = "; ".join(cause.text for cause in causes) or "by other rules than those it was closed with"
    return Finding(
        check="restated", severity="info", account=account, count=len(said.lines),
        message=f"{name} is restated: billed {trimmed(billed)} {coin} so far, {after}; {why}",
        adjusts=name, currency=currency, billed=format(billed, "f"), restated=None if now is None else format(now, "f"),
        difference=None if difference is None else format(difference, "f"), causes=[cause.document for cause in causes],
    )  # fmt: skip


def _parked(lines: Sequence[ChargeLine]) -> list[Finding]:
    counts: defaultdict[tuple[str, str, str | None], int] = defaultdict(int)
    for line in lines:
        if line.amount is None:
            counts[line.account, line.adjusts or "", line.currency] += 1
    return [
        Finding(
            check="unpriced_burst", severity="error", account=account, count=count,
            message=f"burst of {adjusts}, which is closed, is unpriced still"
            + (f": no {currency} price is in force" if currency else ": the account's currency is not known")
            + "; the statement is parked",
        )
        for (account, adjusts, currency), count in counts.items()
    ]  # fmt: skip
