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
    message,
    meter,
    progress,
    with_common_options,
)

if TYPE_CHECKING:
    from metering.model.explanation import Explanation


@with_common_options
def explain(
    common: Common,
    charge_id: Annotated[str, typer.Argument(metavar="CHARGE_ID", help="A charge, as bills and statements name it.")],
    period: Annotated[
        str | None,
        typer.Option("--period", metavar="P", help="The billed period, where it is cut inside the charge's date; else that date."),
    ] = None,
    as_of: AsOfOption = None,
    known_at: KnownAtOption = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE.html", help="Write a page that needs nothing else.")
    ] = None,
) -> None:
    """One charge, so that it can be redone on paper.

    Its intervals, polls, snapshots, subscriptions, price and arithmetic. The amount is recomputed from the samples, apart
    from billing; should the two differ, the exit code is 3. -v lists every poll.
    """
    if output is not None and output.suffix.lower() not in (".html", ".htm"):
        raise typer.BadParameter(f"{output} is no page: end it in .html", param_hint="-o")
    with meter(common) as opened:
        with progress(common, "Computing") as show:
            explained = opened.explain(charge_id, period=period, as_of=as_of, known_at=known_at, progress=show)
        if output is not None:
            from metering.reporting.files import write_text  # noqa: PLC0415
            from metering.reporting.pages import explanation_page  # noqa: PLC0415

            write_text(explanation_page(explained), output)
            message(common, f"{output}: charge {charge_id}")
    if output is None:
        _print(common, explained)
    if not explained.recomputed.agrees:
        raise typer.Exit(EXIT_FOUND)


def _print(common: Common, explained: "Explanation") -> None:
    # `--help` must not wait for these.
    from metering.cli.render import print_json, print_steps, print_table, print_titled  # noqa: PLC0415
    from metering.reporting.explained import arithmetic_lines, heading, interval_table, tables, verdict  # noqa: PLC0415

    if common.format is Format.JSON:
        print_json(explained.model_dump(mode="json"))
    elif common.format is Format.CSV:
        print_table(common, interval_table(explained))
    else:
        print_steps(heading(explained), [*arithmetic_lines(explained), (verdict(explained), "")])
        for title, table in tables(explained, every_poll=common.verbose):
            print_titled(common, title, table)
