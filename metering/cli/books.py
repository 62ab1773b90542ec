"""`metering close` and `metering verify`: freeze statements, and find whatever was changed since."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from metering.cli.bill import show_bill
from metering.cli.common import (
    EXIT_FAILED,
    Common,
    Format,
    PeriodArgument,
    message,
    meter,
    print_error,
    progress,
    with_common_options,
)
from metering.model.units import counted

if TYPE_CHECKING:
    from metering.books.closing import Closed, RefusedError
    from metering.books.verification import Verification


@with_common_options
def close(
    common: Common,
    period: PeriodArgument,
    reason: Annotated[
        str | None,
        typer.Option("--reason", metavar="TEXT", help="Close it though burst is unpriced or time is missing; the reason is kept."),
    ] = None,
    by: Annotated[
        str | None, typer.Option("--by", metavar="NAME", help="Who closes it; the user unless given. [env: METERING_BY]")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be frozen; write nothing.")] = False,
) -> None:
    """Freeze every statement of a period, and print what is frozen.

    Refuses while burst is unpriced, or more time is missing than is tolerated, and lists which. What is closed never changes:
    facts that come later are adjustments of the next open period. Closing again changes nothing.
    """
    from metering.books.closing import RefusedError

    with meter(common) as opened:
        try:
            with progress(common, "Closing") as show:
                closed = opened.close(period, reason=reason, by=by, dry_run=dry_run, progress=show)
        except RefusedError as error:
            _show_refusal(common, error, opened.account_names() if common.format is Format.TABLE else {})
            raise
        _tell(common, closed)
    show_bill(common, closed.bill)


@with_common_options
def verify(
    common: Common,
    period: Annotated[str | None, typer.Argument(metavar="P", help="Recompute only this period's statements.")] = None,
    head: Annotated[
        str | None, typer.Option("--head", metavar="HASH", help="The hash of a closing that was kept elsewhere: it must be there.")
    ] = None,
) -> None:
    """Recompute what is closed, and name whatever was changed.

    Every closed statement as of the ingest it saw, the hash chain, every fact since it came, and the head file beside the store.
    """
    with meter(common) as opened, progress(common, "Verifying") as show:
        found = opened.verify(period, head=head, progress=show)
    _show_verification(common, found)
    for note in found.notes:
        message(common, f"note: {note}")
    if found.differences:
        more = f", and {len(found.differences) - 1} more" if len(found.differences) > 1 else ""
        print_error(f"{found.differences[0].message}{more}: the books are not as they were closed")
        raise typer.Exit(EXIT_FAILED)
    if found.closings:
        statements = counted(sum(row.statement_count for row in found.closings), "statement")
        closings = counted(len(found.closings), "closing")
        message(common, f"the books are as they were closed: {closings}, {statements} recomputed, and every fact is as it came")
    else:
        message(common, "nothing is closed yet; every fact is as it came")


def _tell(common: Common, closed: "Closed") -> None:
    if closed.closing is None:
        message(common, "nothing was written: this is what would be frozen")
    elif closed.is_new:
        message(common, f"{closed.closing.told}; keep its hash elsewhere too: {closed.closing.hash}")
    else:
        message(common, f"{closed.closing.told} already; nothing was written")


def _show_refusal(common: Common, error: "RefusedError", names: dict[str, str]) -> None:
    from metering.cli.documents import print_json
    from metering.cli.render import print_table
    from metering.model.tables import Table, columns_of

    if common.format is Format.JSON:
        print_json([finding.model_dump(mode="json", exclude_none=True) for finding in error.findings])
        return
    columns = columns_of(check="text", account="text", location="text", missing_seconds="seconds", share="text", message="text")
    rows = [(f.check, f.account, f.location, f.seconds, (f.model_extra or {}).get("share"), f.message) for f in error.findings]
    print_table(common, Table("refusals", columns, rows), names)


def _show_verification(common: Common, found: "Verification") -> None:
    from metering.books.verification import name_of
    from metering.cli.documents import print_json
    from metering.cli.render import print_table
    from metering.model.tables import Table, columns_of

    columns = columns_of(
        closing="count", period="text", known_at_ingest="count", closed_at="text", closed_by="text", reason="text",
        statements="count", differences="count", hash="text",
    )  # fmt: skip
    rows: list[tuple[Any, ...]] = []
    for row in found.closings:
        c = row.closing
        rows.append(
            (
                c.closing_seq, name_of(c), c.known_seq, c.closed_at, c.closed_by, c.reason, row.statement_count,
                row.difference_count, c.hash,
            )
        )  # fmt: skip
    closings = Table("closings", columns, rows)
    columns = columns_of(what="text", closing="count", account="text", table="text", ingest="count", message="text")
    differing = [(d.what, d.closing_seq, d.account, d.table_name, d.ingest_seq, d.message) for d in found.differences]
    differences = Table("differences", columns, differing)
    if common.format is Format.JSON:
        print_json({"closings": closings.documents(), "differences": differences.documents(), "notes": found.notes})
        return
    if common.format is Format.CSV:
        # Two tables in one CSV would be none, and none at all has no header to count on.
        print_table(common, differences if differing else closings)
        return
    if rows:
        print_table(common, closings)
    if differing:
        print_table(common, differences)
