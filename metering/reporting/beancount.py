"""Statements as plain-text double entry: each is one transaction of what is owed against what was earned, line by line.

A file stands for itself and can be included in a ledger that opens accounts by itself too, for any number of months: the plugin
`auto_accounts` opens what is used. Drafts are flagged `!`, closed statements `*`; of what is parked there is a remark only.
"""

import hashlib
import re
from collections.abc import Iterable
from typing import Any

from metering import __version__
from metering.model.period import date_text, instant_text
from metering.model.tables import printable
from metering.reporting.statements import StatementParts

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_COMPONENT = re.compile(r"(?!H-)[A-Z0-9][A-Z0-9-]{0,40}", re.ASCII)


def ledger(statements: Iterable[StatementParts]) -> str:
    """Write statements as a beancount file; amounts are those that are shown, so that each transaction balances to the coin."""
    parts = list(statements)
    lines = [f"; Backup burst, made by metering {__version__}"]
    if parts:
        first = parts[0]
        lines[0] += f": {first.period.text} (UTC), as of {instant_text(first.as_of_s)}"
    lines += ["", 'plugin "beancount.plugins.auto_accounts"', ""]
    for each in parts:
        lines += [*_transaction(each), ""]
    return "\n".join(lines)


def _transaction(parts: StatementParts) -> list[str]:
    due = parts.due
    who = f"{printable(due.name or due.account)}, account {printable(due.account)}"
    if due.amount_due is None:
        return [f"; parked, and not booked: {who}: a burst has no price yet"]
    if not parts.lines:
        return [f"; nothing due: {who}"]
    flag = "*" if due.state == "closed" else "!"
    period = parts.period
    told: dict[str, Any] = {
        "account": due.account, "period": period.text, "state": due.state, "burst_amount": format(due.burst_amount, "f"),
        "as_of": instant_text(parts.as_of_s),
    }  # fmt: skip
    return [
        f"{date_text(period.end_s - 1)} {flag} {_text(due.name or due.account)} {_text(f'Backup burst, {period.text}')}",
        *_metadata(told, 2),
        f"  {receivable(due.account)}  {due.amount_due:f} {due.currency}",
        *(text for row in parts.shown for text in _posting(row)),
    ]


def _posting(row: dict[str, Any]) -> list[str]:
    told = {
        "charge": row["charge_id"], "date": date_text(row["date"]), "location": row["location"],
        "burst_byte_seconds": str(row["burst_byte_seconds"]), "price": f"{row['price']} per {row['unit']}",
        "amount": format(row["amount"], "f"),
    } | ({"adjusts": row["adjusts"]} if row["adjusts"] else {})  # fmt: skip
    # Not `-`, which rounds to the digits of the process's decimal context.
    earned = row["shown_amount"].copy_negate() if row["shown_amount"] else row["shown_amount"]
    return [f"  {income(row['location'], row['kind'])}  {earned:f} {row['currency']}", *_metadata(told, 4)]


def receivable(account: str) -> str:
    """Name the account in which somebody owes."""
    return f"Assets:Receivable:Backup:{account.upper() if _UUID.fullmatch(account) else _digest(account)}"


def income(location: str, kind: str) -> str:
    """Name the account in which burst of a location is earned; what adjusts closed periods is kept apart."""
    branch = "Adjustments" if kind == "adjustment" else "Burst"
    return f"Income:Backup:{branch}:{location if _COMPONENT.fullmatch(location) else _digest(location)}"


def _digest(text: str) -> str:
    return "H-" + hashlib.sha256(text.encode()).hexdigest()[:20].upper()


def _metadata(told: dict[str, str], indent: int) -> list[str]:
    return [f"{' ' * indent}{name}: {_text(value)}" for name, value in told.items()]


def _text(text: str) -> str:
    escaped = printable(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
