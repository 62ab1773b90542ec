"""`metering explain`: one charge, down to the samples."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metering.cli.common import (
    EXIT_FOUND,
    AsOfOption,
    Common,
    Format,
    KnownAtOption,
    is_page,
    message,
    meter,
    output_option,
    progress,
    with_common_options,
)

if TYPE_CHECKING:
    from metering.model.explanation import ExplainedAdjustment, Explanation


@with_common_options
def explain(
    common: Common,
    charge_id: Annotated[str, typer.Argument(metavar="CHARGE_ID", help="A charge, as bills and statements name it.")],
    period: Annotated[
        str | None,
        typer.Option("--period", metavar="P", help="The billed period, where the charge's date does not tell it."),
    ] = None,
    as_of: AsOfOption = None,
    known_at: KnownAtOption = None,
    output: Annotated[Path | None, output_option("FILE.html", "Write a page that needs nothing else.")] = None,
) -> None:
    """One charge, so that it can be redone on paper.

    Its intervals, polls, snapshots, subscriptions, price and arithmetic; of an adjustment, what the closed line is now, what was
    billed so far, and the facts that came between. The amount is recomputed from the samples, apart from billing; should the two
    differ, the exit code is 3. -v lists every poll.
    """
    if output is not None and not is_page(output):
        raise typer.BadParameter(f"{output} is no page: end it in .html", param_hint="-o")
    with meter(common) as opened:
        with progress(common, "Computing") as show:
            explained = opened.explain(charge_id, period=period, as_of=as_of, known_at=known_at, progress=show)
        if output is not None:
            from metering.model.explanation import Explanation
            from metering.reporting.files import write_text
            from metering.reporting.pages import adjustment_page, explanation_page

            page = explanation_page(explained) if isinstance(explained, Explanation) else adjustment_page(explained)
            write_text(page, output)
            message(common, f"{output}: charge {charge_id}")
    if output is None:
        _print(common, explained)
    if not explained.recomputed.agrees:
        raise typer.Exit(EXIT_FOUND)


def _print(common: Common, shown: "Explanation | ExplainedAdjustment") -> None:
    from metering.cli.documents import print_json
    from metering.cli.render import print_steps, print_table, print_titled
    from metering.model.explanation import Explanation
    from metering.reporting.explain import adjustment_tables, line_tables

    if common.format is Format.JSON:
        print_json(shown.document())
        return
    if isinstance(shown, Explanation):
        title, said = line_tables.heading(shown), line_tables.verdict(shown)
        steps = [*line_tables.arithmetic_lines(shown), *((remark, "") for remark in line_tables.remarks(shown))]
        tables, own = line_tables.tables(shown, every_poll=common.verbose), line_tables.interval_table(shown)
    else:
        title, steps = adjustment_tables.heading(shown), adjustment_tables.arithmetic_lines(shown)
        said, own = adjustment_tables.verdict(shown), adjustment_tables.changes_table(shown)
        tables = adjustment_tables.tables(shown, every_poll=common.verbose)
    if common.format is Format.CSV:
        print_table(common, own)
        return
    print_steps(title, [*steps, (said, "")])
    for name, table in tables:
        print_titled(common, name, table)
