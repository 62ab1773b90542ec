"""`metering advise`: which subscription to buy."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metering.cli.common import (
    AccountOption,
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
from metering.model.units import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from metering.planning.advise import Advised


@with_common_options
def advise(
    common: Common,
    period: Annotated[
        str | None,
        typer.Option("--period", metavar="P", help="The history to learn from; the last full month unless given."),
    ] = None,
    length: Annotated[
        list[str] | None,
        typer.Option("--length", metavar="LENGTH", help="Only this length, such as '1 year'; may be given again."),
    ] = None,
    step: Annotated[str, typer.Option("--step", metavar="BYTES", help="Amounts are multiples of this, such as 100GiB.")] = "1",
    ignore_bought: Annotated[bool, typer.Option("--ignore-bought", help="Advise as if nothing were bought already.")] = False,
    output: Annotated[
        Path | None,
        output_option("FILE", "Write a page with pictures (.html), or the table (.csv, .xlsx, …)."),
    ] = None,
    account: AccountOption = None,
    as_of: AsOfOption = None,
    known_at: KnownAtOption = None,
) -> None:
    """Which subscription would have cost least.

    For each account and location, exactly, by length: a month, and those with a discount up to a year. What is bought already and
    lasts stays. Costs are a month's; p5 and p95 are at the 5th and 95th percentile of growth. Nothing is bought.
    """
    lengths = tuple(length or ())
    with meter(common) as opened:
        named = period or opened.last_full_month()[0]
        with progress(common, "Computing") as show:
            if output is not None and is_page(output):
                count = opened.advice_page(
                    output, named, lengths=lengths, step=step, ignore_bought=ignore_bought, account=account, as_of=as_of,
                    known_at=known_at, progress=show,
                )  # fmt: skip
                message(common, f"{output}: {counted(count, 'account and location', 'accounts and locations')}")
                return
            advised = opened.advise(
                named, lengths=lengths, step=step, ignore_bought=ignore_bought, account=account, as_of=as_of, known_at=known_at,
                progress=show,
            )  # fmt: skip
        if output is not None:
            from metering.reporting.advice import advice_table

            opened.write(output, advice_table(advised))
            message(common, f"{output}: {counted(len(advised.advice), 'row')}")
            return
        names = opened.account_names()
    _print(common, named, advised, names)


def _print(common: Common, period: str, advised: "Advised", names: "Mapping[str, str]") -> None:
    from metering.cli.documents import print_json
    from metering.cli.render import console, print_table, print_titled, said
    from metering.reporting.advice import advice_table, sentence, unadvised_table

    if common.format is Format.JSON:
        rows = [row.document() for row in advised.advice]
        print_json({"period": period, "advice": rows, "unadvised": [row.document() for row in advised.unadvised]})
    elif common.format is Format.CSV:
        print_table(common, advice_table(advised))
    else:
        for each in advised.advice:
            if each.is_best:
                console().print(said(sentence(each, names)), soft_wrap=True)
        for each_not in advised.unadvised:
            who = names.get(each_not.account, each_not.account)
            console().print(said(f"{who} in {each_not.location}: no advice, {each_not.reason}"), soft_wrap=True)
        if common.verbose:
            print_titled(common, "Every length", advice_table(advised), names)
            print_titled(common, "Not advised", unadvised_table(advised), names)
