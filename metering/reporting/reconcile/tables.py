"""A reconciliation as titled tables: the terminal, a page and CSV show the same rows."""

from metering.billing.money import total
from metering.model.period import Period, instant_text
from metering.model.reconciliation import CAUSES, Against, Mismatch, Reconciliation
from metering.model.tables import Table, columns_of, table_of
from metering.model.units import counted, trimmed

_LISTS: dict[Against, str] = {"ledger": "ledger", "usage": "usage samples", "dailyburst": "daily burst"}
_MOST_FINDINGS = 20


def heading(made: Reconciliation) -> str:
    """What was held against what, as one line."""
    period = made.period
    name = Period(period.start, period.end).text
    return f"Our figures against the provider's {_LISTS[made.against]}, {name} (UTC), as of {instant_text(period.as_of)}"


def verdict(made: Reconciliation) -> str:
    """Whether it agrees, as one line."""
    rows = sum(each.row_count for each in made.outcomes)
    serious = sum(finding.severity != "info" for finding in made.findings)
    compared = f"{counted(rows, 'row')} compared"
    if not rows and not serious:
        return "Nothing was compared: neither we nor they have burst in this time."
    if made.is_clean:
        return f"It agrees: {compared}, and every difference is explained."
    sums = [f"{trimmed(each.at_stake, '+f')} {each.currency or 'of no currency'}" for each in made.totals if each.at_stake]
    at_stake = f", at stake in all (theirs − ours): {' · '.join(sums)}" if sums else ", no amount at stake in all"
    return f"It does NOT agree: {compared}, {counted(serious, 'finding')}{at_stake}."


def tables(made: Reconciliation, *, every_finding: bool) -> list[tuple[str, Table]]:
    """The parts as titled tables; of many findings those with the most at stake, unless all are asked for."""
    found = _findings(made.findings, None if every_finding else _MOST_FINDINGS)
    left = len(made.findings) - sum(row[3] for row in found.rows)
    parts = [
        ("Totals: difference = theirs − ours = explained + at stake", _totals(made)),
        (f"Findings{f' ({left:,} more, with less at stake: -v tells them)' if left else ''}", found),
        ("Rows: matched + different + ours only + theirs only are all there is", _outcomes(made)),
        ("What explains differences", _causes(made)),
        ("By account and location, where either of us charges", _units(made)),
    ]
    if made.passed_over:
        rows = [(each.row_count, each.what) for each in made.passed_over]
        parts.append(("Not compared", Table("passed_over", columns_of(rows="count", what="text"), rows)))
    return parts


def finding_table(made: Reconciliation) -> Table:
    """Every finding with all that is known of it, for programs."""
    return table_of("findings", Mismatch, made.findings)


def _totals(made: Reconciliation) -> Table:
    columns = columns_of(
        currency="text", ours="money", theirs="money", difference="money", explained="money", at_stake="money", billed="money"
    )
    rows = [(t.currency, t.ours, t.theirs, t.difference, t.explained, t.at_stake, t.billed) for t in made.totals]
    return Table("totals", columns, rows)


def _outcomes(made: Reconciliation) -> Table:
    columns = columns_of(currency="text", outcome="text", rows="count", ours="money", theirs="money", difference="money")
    rows = [(t.currency, t.outcome.replace("_", " "), t.row_count, t.ours, t.theirs, t.difference) for t in made.outcomes]
    return Table("outcomes", columns, rows)


def _causes(made: Reconciliation) -> Table:
    columns = columns_of(currency="text", cause="text", rows="count", difference="money", what="text")
    rows = [(t.currency, t.cause.replace("_", " "), t.row_count, t.difference, CAUSES[t.cause]) for t in made.causes]
    return Table("causes", columns, rows)


def _units(made: Reconciliation) -> Table:
    columns = columns_of(
        account="text", location="text", currency="text", ours="money", theirs="money", difference="money", at_stake="money"
    )
    rows = [
        (t.account, t.location, t.currency, t.ours, t.theirs, t.difference, t.at_stake) for t in made.units if t.ours or t.theirs
    ]
    return Table("units", columns, rows)


def _findings(findings: list[Mismatch], most: int | None) -> Table:
    """Show findings, those with the most at stake; those of one account and location that say the same are one row."""
    alike: dict[tuple[str, ...], list[Mismatch]] = {}
    for each in findings:
        alike.setdefault((each.account, each.location, each.check, each.message, each.currency or ""), []).append(each)
    rows = []
    for several in alike.values():
        first = min(several, key=lambda each: each.start)
        place = f" ({first.place}{' and so on' if len(several) > 1 else ''})" if first.place else ""
        what = f"{first.check.replace('_', ' ')}: {first.message}{place}"
        difference = total([each.difference for each in several])
        rows.append((first.account, first.location, first.start or None, len(several), difference, first.currency, what))
    shown = sorted(rows, key=lambda row: -abs(row[4]))[:most]
    columns = columns_of(
        account="text", location="text", start="instant", rows="count", difference="money", currency="text", what="text"
    )
    return Table("findings", columns, sorted(shown, key=lambda row: (row[0], row[1], row[2] or 0)))
