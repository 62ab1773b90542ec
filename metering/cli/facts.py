"""`metering ingest`: facts into the store."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from metering.cli.common import Common, Format, message, meter, progress, with_common_options
from metering.model.units import counted

if TYPE_CHECKING:
    from metering.ingest.ingest import IngestOutcome

_SHOWN_REJECTIONS = 10
_OUTCOMES = ("accepted", "duplicate", "conflicting", "rejected", "ignored")


@with_common_options
def ingest(
    common: Common,
    paths: Annotated[list[Path], typer.Argument(metavar="PATH", help="Facts directories and files, read together.")],
    strict: Annotated[bool, typer.Option("--strict", help="Take nothing if any row is rejected or any poll conflicts.")] = False,
    supersede: Annotated[
        bool, typer.Option("--supersede", help="Where a poll or fact is known with other content, the new one replaces it.")
    ] = False,
) -> None:
    """Take facts into the store, and count what became of them.

    Prints what was accepted, duplicate, conflicting and rejected. Each poll is taken whole or not at all, the batch in one
    transaction; the same facts again add nothing.
    """
    with meter(common) as opened, progress(common, "Ingesting") as show:
        outcome = opened.ingest(paths, strict=strict, supersede=supersede, progress=show)
        where = opened.settings.store
    tell(common, outcome)
    if common.format is Format.JSON:
        from metering.cli.documents import print_json

        print_json(document(outcome))
    else:
        from metering.cli.render import print_table

        print_table(common, outcome_table(outcome))
    if outcome.ingest_seq is None:
        message(common, f"nothing new: {where} is as it was")


def tell(common: Common, outcome: "IngestOutcome") -> None:
    """Say on stderr what was passed over and what was rejected."""
    for note in outcome.notes:
        message(common, f"note: {note}")
    shown = outcome.rejections if common.verbose else outcome.rejections[:_SHOWN_REJECTIONS]
    for rejection in shown:
        message(common, f"rejected: {rejection.text}")
    if hidden := len(outcome.rejections) - len(shown):
        message(common, f"rejected: {counted(hidden, 'more row')} (-v shows all; the store keeps them)")
    if known := outcome.polls.conflicting - outcome.contradicting:
        message(
            common,
            f"conflicting: {counted(known, 'poll')} that came with two different contents: the first stays; "
            "--supersede replaces it",
        )
    if outcome.contradicting:
        message(
            common,
            f"conflicting: {counted(outcome.contradicting, 'poll')} of which this command brings two different contents: neither "
            "is taken; leave one of them out",
        )


def outcome_table(outcome: "IngestOutcome") -> Any:
    """Give an ingest's outcome as a table: one row a table, and one for the polls."""
    from metering.model.tables import Table, columns_of

    rows = [*outcome.tables.items()]
    if "samples" in outcome.tables:
        rows.insert(0, ("polls", outcome.polls))
    columns = columns_of(table="text", accepted="count", duplicate="count", conflicting="count", rejected="count", ignored="count")
    return Table("ingest", columns, [(name, *(getattr(counts, word) for word in _OUTCOMES)) for name, counts in rows])


def document(outcome: "IngestOutcome") -> dict[str, Any]:
    """Give an ingest's outcome as JSON."""
    return {
        "ingest_seq": outcome.ingest_seq,
        "files": len(outcome.file_names),
        "tables": {row["table"]: {word: row[word] for word in _OUTCOMES} for row in outcome_table(outcome).documents()},
        "rejections": [
            {
                "table": rejection.table, "file": rejection.file, "line": rejection.line, "field": rejection.field,
                "value": rejection.value, "reason": rejection.reason,
            }
            for rejection in outcome.rejections
        ],
        "notes": outcome.notes,
    }  # fmt: skip
