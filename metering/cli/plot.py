"""`metering plot`: pictures of a period, as files."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from metering.cli.common import (
    AccountOption,
    AsOfOption,
    Common,
    KnownAtOption,
    PeriodOption,
    message,
    meter,
    output_option,
    progress,
    with_common_options,
)


class Plot(StrEnum):
    """The pictures there are."""

    USAGE = "usage"
    BURST = "burst"
    COST = "cost"


@with_common_options
def plot(
    common: Common,
    name: Annotated[Plot, typer.Argument(metavar="PLOT", help="usage, burst or cost.")],
    period: PeriodOption,
    output: Annotated[Path, output_option("FILE", "The picture, .png or .svg.")],
    account: AccountOption = None,
    location: Annotated[str | None, typer.Option("--location", metavar="CODE", help="Only this location.")] = None,
    width: Annotated[int, typer.Option("--width", metavar="N", min=300, max=4_000, help="About how wide it is, in pixels.")] = 1200,
    dark: Annotated[bool, typer.Option("--dark", help="Bright on dark.")] = False,
    as_of: AsOfOption = None,
    known_at: KnownAtOption = None,
) -> None:
    """Pictures of a period.

    usage: what was occupied against what was entitled over time, burst shaded, missing time hatched; those that burst most, if
    there are too many. burst: by day and location. cost: what subscriptions and burst cost, by location.
    """
    with meter(common) as opened, progress(common, "Drawing") as show:
        shown, there_are = opened.plot(
            name.value, output, period=period, account=account, location=location, width=width, dark=dark, as_of=as_of,
            known_at=known_at, progress=show,
        )  # fmt: skip
    rest = "" if shown == there_are else f": the {shown} that burst most of {there_are:,}; --account or --location chooses others"
    message(common, f"wrote {output}{rest}")
