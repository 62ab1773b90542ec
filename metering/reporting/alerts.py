"""What an alert says: a summary of what a check found, small, exact, and the same as long as what was found is the same.

Its key names what was found, not how much of it there is by now: a burst that goes on is the same news, another one is not. So a
check that runs every five minutes is told of once by whoever heeds the key.
"""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from metering.billing.money import total_if_known
from metering.model.records import Finding
from metering.model.tables import Table, json_value
from metering.model.units import counted

# An alert is read on a telephone; the rest is in the report.
_MOST_ROWS = 50
_MOST_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class Alert:
    """Something to tell: its key, by which a receiver knows that it was told before, and what is told."""

    key: str
    body: dict[str, Any]

    @property
    def text(self) -> str:
        """The body as it is sent and signed."""
        return json.dumps(self.body, ensure_ascii=False, separators=(",", ":"))


def audit_alert(period: str, findings: Sequence[Finding]) -> Alert | None:
    """Tell of the warnings and errors of an audit; None if there is none."""
    serious = [finding for finding in findings if finding.severity != "info"]
    if not serious:
        return None
    counts = Counter(finding.severity for finding in serious)
    said = ", ".join(counted(counts[severity], severity) for severity in ("error", "warning") if counts[severity])
    rows = [_cut(finding.document()) for finding in sorted(serious, key=lambda finding: finding.severity)]
    identities = [(finding.check, finding.account, finding.location) for finding in serious]
    return _alert(
        "audit", period, f"Audit of {period}: {said}", identities, {"findings": rows}, counts=dict(sorted(counts.items()))
    )


def burst_alert(period: str, table: Table) -> Alert | None:
    """Tell of burst, as the report has it by episode or by anything else; None if there is none."""
    if not table.rows:
        return None
    at = table.at
    named = [i for i, column in enumerate(table.columns) if column.kind in ("text", "date", "instant") and column.name != "end"]
    sums: defaultdict[str | None, list[Decimal | None]] = defaultdict(list)
    for row in table.rows:
        sums[row[at["currency"]]].append(row[at["amount"]])
    byte_seconds = sum(row[at["burst_byte_seconds"]] for row in table.rows)
    amounts = [
        {
            "currency": currency,
            "amount": None if (amount := total_if_known(own)) is None else format(amount, "f"),
        }
        for currency, own in sorted(sums.items(), key=lambda item: item[0] or "")
    ]
    what = "episode" if "start" in at else "row"
    return _alert(
        "burst",
        period,
        f"Burst in {period}: {counted(len(table.rows), what)}",
        [tuple(json_value(table.columns[i].kind, row[i]) for i in named) for row in table.rows],
        {f"{what}s": [_cut(row) for row in table.documents()]},
        burst_byte_seconds=str(byte_seconds),
        amounts=amounts,
    )


def _alert(
    kind: str, period: str, summary: str, identities: list[tuple[Any, ...]], rows: dict[str, list[dict[str, Any]]], **told: Any
) -> Alert:
    ordered = sorted({json.dumps(identity, ensure_ascii=False) for identity in identities})
    key = f"{kind}-{hashlib.sha256(json.dumps([kind, period, ordered]).encode()).hexdigest()[:32]}"
    ((name, found),) = rows.items()
    body = {"kind": kind, "key": key, "period": period, "summary": summary, **told, name: found[:_MOST_ROWS]}
    return Alert(key, body | {"left_out": max(0, len(found) - _MOST_ROWS)})


def _cut(row: dict[str, Any]) -> dict[str, Any]:
    """Keep texts from outside to a length that a receiver takes."""
    return {
        name: value[: _MOST_CHARACTERS - 1] + "…" if isinstance(value, str) and len(value) > _MOST_CHARACTERS else value
        for name, value in row.items()
    }
