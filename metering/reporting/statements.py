"""Statements, one an account and period: a page that prints as an invoice does, JSON, CSV; all of them in one file, or in a folder.

The amounts of the lines are shown rounded so that they add up to what is due, and beside them exact, as they were computed.
"""

import hashlib
import json
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metering import __version__
from metering.durable import ScratchFolder, sync_file, sync_folder
from metering.model.errors import InputError, MisuseError
from metering.model.period import Period, date_text, instant_text
from metering.model.records import Bill, BilledPeriod, ChargeLine, Episode, Statement, UsageRow
from metering.model.tables import Table, json_value, table_of
from metering.model.units import shown_amount
from metering.reporting.files import csv_text
from metering.reporting.pages import environment
from metering.reporting.reports import statement

_FORMATS = (".html", ".json", ".beancount", ".csv", ".ndjson", ".jsonl", ".parquet", ".xlsx")
_PLAIN_NAME = re.compile(r"(?!id-)[a-z0-9][a-z0-9_-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True)
class StatementParts:
    """One statement with everything that belongs to it; `table` holds its lines as shown, and its total as the last row."""

    period: Period
    as_of_s: int
    due: Statement
    table: Table
    lines: list[ChargeLine]
    usage: list[UsageRow]
    episodes: list[Episode]

    @property
    def shown(self) -> list[dict[str, Any]]:
        """The lines as they are shown, by column name."""
        at = self.table.at
        return [dict(zip(at, row, strict=True)) for row in self.table.rows[:-1]]


def statement_format(path: Path) -> str:
    """Tell the format of statements by the name of what is written; without an ending, it is a folder.

    Raises:
        MisuseError: the ending is none that is written.
    """
    form = path.suffix.lower()
    if form not in ("", *_FORMATS):
        raise MisuseError(f"{path} tells no format: end it in {', '.join(_FORMATS)}, or give a new folder's name")
    return form


def statement_parts(bill: Bill) -> list[StatementParts]:
    """Take a bill apart, in the order of its statements; usage and bursts stand where the account's own currency is."""
    table = statement(bill)
    at = table.at
    lines = {(line.charge_id, line.adjusts): line for line in bill.lines}
    usage: defaultdict[str, list[UsageRow]] = defaultdict(list)
    episodes: defaultdict[tuple[str, str | None], list[Episode]] = defaultdict(list)
    for used in bill.usage:
        usage[used.account].append(used)
    for episode in bill.episodes:
        episodes[episode.account, episode.currency].append(episode)
    found: list[StatementParts] = []
    rows: list[tuple[Any, ...]] = []
    for row in table.rows:
        rows.append(row)
        if row[at["charge_id"]] is None:
            due = bill.statements[len(found)]
            is_first = not found or found[-1].due.account != due.account
            found.append(
                StatementParts(
                    period=Period(bill.period.start, bill.period.end),
                    as_of_s=bill.period.as_of,
                    due=due,
                    table=Table(table.name, table.columns, rows),
                    lines=[lines[own[at["charge_id"]], own[at["adjusts"]]] for own in rows[:-1]],
                    usage=usage[due.account] if is_first else [],
                    episodes=episodes[due.account, due.currency],
                )
            )
            rows = []
    return found


def document(parts: StatementParts) -> dict[str, Any]:
    """Give a statement as JSON: what `bill` says of it, and of each line what is shown of its amount."""
    period = BilledPeriod(start=parts.period.start_s, end=parts.period.end_s, as_of=parts.as_of_s)
    return {
        "period": period.document(),
        **parts.due.document(),
        "lines": [
            line.document() | {"shown_amount": json_value("money", shown["shown_amount"])}
            for line, shown in zip(parts.lines, parts.shown, strict=True)
        ],
        "usage": [row.document() for row in parts.usage],
        "episodes": [row.document() for row in parts.episodes],
    }


def json_text(documents: Any) -> str:
    """Write statements as JSON."""
    return json.dumps(documents, ensure_ascii=False, indent=1) + "\n"


def page(statements: list[StatementParts]) -> str:
    """Write statements as one page, each beginning on a sheet of its own when it is printed."""
    title = "Statement" if len(statements) == 1 else "Statements"
    period = f" of {statements[0].period.text}" if statements else ""
    return (
        environment()
        .get_template("statement.html")
        .render(title=title + period, statements=[_shown(each) for each in statements], version=__version__)
    )


def _shown(parts: StatementParts) -> dict[str, Any]:
    """Give what a printed statement shows; amounts due have the coins of their currency."""
    due = parts.due
    lines = [
        row
        | {
            "date": date_text(row["date"]),
            "price": "no price yet" if row["price"] is None else row["price"],
            "per": None if row["price"] is None else f"per {row['unit']}",
            "exact": "–" if row["amount"] is None else shown_amount(row["amount"]),
            "shown": "–" if row["shown_amount"] is None else f"{row['shown_amount']:,f}",
        }
        for row in parts.shown
    ]
    return {
        "due": due,
        "amount": None if due.amount_due is None else f"{due.amount_due:,f}",
        "burst_byte_seconds": sum(line.burst_byte_seconds for line in parts.lines),
        "exact_amount": shown_amount(due.burst_amount),
        "start": instant_text(parts.period.start_s),
        "end": instant_text(parts.period.end_s),
        "as_of": instant_text(parts.as_of_s),
        "period": parts.period.text,
        "lines": lines,
        "has_adjustments": any(row["adjusts"] for row in parts.shown),
        "is_missed": any(row.missing_seconds or row.partial_seconds for row in parts.usage),
        "usage": table_of("usage", UsageRow, parts.usage),
    }


def write_folder(statements: list[StatementParts], folder: Path) -> dict[str, int]:
    """Write each statement into a new folder as .html, .json and .csv; the folder is there with all of them, or not at all.

    Gives the number of files by the folder.

    Raises:
        InputError: the folder cannot be written, or holds something already.
    """
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise InputError(f"{folder} is not empty: name a new folder, so that no statements mix")
        scratch = ScratchFolder(beside=folder)
    except OSError as error:
        raise InputError(f"{folder} cannot be written ({error.strerror}): name another place") from None
    with scratch:
        unfinished = Path(scratch.name) / "unfinished"
        try:
            unfinished.mkdir(mode=0o700)
            for parts in statements:
                name = file_name(parts.due)
                forms = {".html": page([parts]), ".json": json_text(document(parts)), ".csv": csv_text(parts.table)}
                for ending, text in forms.items():
                    place = unfinished / (name + ending)
                    place.write_text(text, encoding="utf-8", newline="")
                    sync_file(place)
            unfinished.replace(folder)
            sync_folder(folder.parent)
        except OSError as error:
            raise InputError(f"{folder} cannot be written ({error.strerror}): nothing of it was") from None
    return {str(folder): len(statements)}


def file_name(due: Statement) -> str:
    """Name a statement's files by its account and currency; what is no plain name, anywhere, is digested into one."""
    digest = hashlib.sha256(due.account.encode()).hexdigest()
    account = due.account if _PLAIN_NAME.fullmatch(due.account) else f"id-{digest[:20]}"
    currency = due.currency if due.currency and re.fullmatch("[A-Z]{3}", due.currency) else "none"
    return f"{account}.{currency}"
