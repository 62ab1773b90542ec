"""An audit: every check of a computed period, as findings; none of them means that nothing is known to be wrong."""

from collections import defaultdict
from decimal import Decimal
from typing import Any

from metering.billing.findings import finding_order
from metering.billing.money import amount_due, total_known
from metering.billing.usage import Computation
from metering.engine.duckdb import Engine
from metering.model.limits import AuditLimits
from metering.model.period import date_text, instant_text
from metering.model.records import Bill, Finding
from metering.model.tables import Table, columns_of
from metering.model.units import shown_gib, shown_gib_months, shown_time
from metering.reporting.checks import CHECKS, LINE_SUMS, QUERY_CHECKS, Check
from metering.reporting.observed import forget_observed, observe

# What the checks read, made from the facts apart from billing, in this order.
EVIDENCE = (
    "audited/audited_series", "audited/audited_accounts", "audited/audited_changes", "audited/audited_runs", "audited/size_changes",
    "audited/drive_limits", "billing/known_prices",
)  # fmt: skip


def audit_findings(engine: Engine, computation: Computation, bill: Bill, limits: AuditLimits) -> list[Finding]:
    """Run every check of a computed period.

    Args:
        engine: holds the tables of `computation`.
        computation: the period.
        bill: its bill, whose own findings are part of the audit.
        limits: what the checks put up with.
    """
    parameters = computation.parameters | limits.model_dump()
    observe(engine, computation)
    for query in ("reports/snapshot_days", *EVIDENCE):
        engine.create(query, parameters)
    found = [*bill.findings, *sums_that_differ(bill)]
    for check in QUERY_CHECKS:
        rows = engine.rows(check.source, parameters)
        found += [finding_of(check, row) for row in rows if check.keep is None or check.keep(row, limits)]
    forget_observed(engine)
    engine.drop("snapshot_days", *(query.rpartition("/")[2] for query in EVIDENCE))
    return sorted(found, key=finding_order)


def finding_of(check: Check, row: dict[str, Any]) -> Finding:
    """Make a finding of a row that a check found, in the check's words."""
    told = check.told.format_map({name: _shown(name, value) for name, value in row.items()})
    count, seconds = row.get("finding_count"), row.get("finding_seconds")
    return Finding(
        check=check.name,
        severity=check.severity,
        account=row.get("account") or None,
        location=row.get("location") or None,
        message=f"{told}: {check.means}; {check.do}",
        count=None if count is None else int(count),
        seconds=None if seconds is None else int(seconds),
    )


def _shown(name: str, value: Any) -> str:
    """Write a value by the unit that its column's name ends in."""
    if name == "date_s":
        return date_text(value)
    if name.endswith("_byte_seconds"):
        return f"{shown_gib_months(int(value))} GiB-months ({value} byte-seconds)"
    if name.endswith("_bytes"):
        return f"{shown_gib(int(value))} GiB ({value} bytes)"
    if name == "finding_seconds":
        return shown_time(int(value))
    return instant_text(value) if name.endswith("_s") else str(value)


def sums_that_differ(bill: Bill) -> list[Finding]:
    """Hold lines against the usage that they are of, and against their statement."""
    burst: defaultdict[tuple[str, str], int] = defaultdict(int)
    charged: defaultdict[tuple[str, str | None], list[Decimal | None]] = defaultdict(list)
    for line in bill.lines:
        charged[line.account, line.currency].append(line.amount)
        if line.kind == "burst":
            burst[line.account, line.location] += line.burst_byte_seconds
    used = {(row.account, row.location): row.burst_byte_seconds for row in bill.usage}
    rows: list[dict[str, Any]] = [
        {
            "account": key[0],
            "location": key[1],
            "lines": f"{burst[key]} byte-seconds of burst",
            "other": f"usage has {used.get(key, 0)}",
        }
        for key in sorted({*burst, *used})
        if burst[key] != used.get(key, 0)
    ]
    for due in bill.statements:
        lines = charged[due.account, due.currency]
        amount = total_known(lines)
        if amount != due.burst_amount:
            rows.append({"account": due.account, "lines": f"{amount:f}", "other": f"the statement says {due.burst_amount:f}"})
        owed = None if None in lines else amount_due(amount, due.currency)
        if owed != due.amount_due:
            rows.append({"account": due.account, "lines": f"{owed} due", "other": f"the statement says {due.amount_due}"})
    stated = {(due.account, due.currency) for due in bill.statements}
    rows += [
        {"account": key[0], "lines": f"{total_known(amounts):f}", "other": "no statement has it"}
        for key, amounts in charged.items()
        if key not in stated
    ]
    return [finding_of(LINE_SUMS, row) for row in rows]


def checks_table() -> Table:
    """Every check that an audit makes, what it means and what to do."""
    columns = columns_of(check="text", severity="text", means="text", do="text")
    return Table("checks", columns, [(check.name, check.severity, check.means, check.do) for check in CHECKS])
