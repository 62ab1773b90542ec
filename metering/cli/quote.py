"""`metering quote`: what a subscription would cost."""

from typing import TYPE_CHECKING, Annotated

import typer

from metering.cli.common import Common, Format, meter, note_unknown_location, with_common_options

if TYPE_CHECKING:
    from decimal import Decimal

    from metering.planning.quote import Quote


@with_common_options
def quote(
    common: Common,
    amount: Annotated[str | None, typer.Option("--amount", metavar="BYTES", help="How much: 10737418240, 10GiB, 1.5TiB.")] = None,
    location: Annotated[str | None, typer.Option("--location", metavar="L", help="Where, such as ZRH.")] = None,
    start: Annotated[str | None, typer.Option("--start", metavar="T", help="When it starts; now unless given.")] = None,
    end: Annotated[str | None, typer.Option("--end", metavar="T", help="When it ends, exactly.")] = None,
    period: Annotated[
        str | None, typer.Option("--period", metavar="LENGTH", help="How long: '1 month', '2 years', '30 days'.")
    ] = None,
    price: Annotated[str | None, typer.Option("--price", metavar="DECIMAL", help="The price; the store's unless given.")] = None,
    unit: Annotated[str | None, typer.Option("--unit", metavar="UNIT", help="The --price's unit; GB/month unless given.")] = None,
    currency: Annotated[
        str | None, typer.Option("--currency", metavar="CUR", help="The currency; the account's unless given.")
    ] = None,
    account: Annotated[str | None, typer.Option("--account", metavar="ID", help="Who buys.")] = None,
    extend: Annotated[str | None, typer.Option("--extend", metavar="ID", help="Quote what follows this subscription.")] = None,
    times: Annotated[int | None, typer.Option("--times", metavar="N", help="How many in a row: each extends the last.")] = None,
    now: Annotated[
        str | None, typer.Option("--now", metavar="T", help="The time of the purchase; the clock's unless given.")
    ] = None,
) -> None:
    """What a subscription would cost, and when it would end.

    Computed to the last digit; nothing is bought. Say any two of start, end and period, or one of end and period from now. A
    subscription that renews by itself is quoted with its next three renewals.
    """
    with meter(common) as opened:
        quotes = opened.quote(
            amount=amount, location=location, start=start, end=end, period=period, price=price, unit=unit, currency=currency,
            account=account, extend=extend, times=times, now=now,
        )  # fmt: skip
        note_unknown_location(common, opened, location)
    from metering.cli.documents import print_json
    from metering.cli.render import print_steps, print_table
    from metering.model.tables import table_of
    from metering.planning.quote import Quote

    if common.format is Format.JSON:
        print_json([each.document() for each in quotes])
    elif common.format is Format.CSV:
        print_table(common, table_of("quotes", Quote, quotes))
    else:
        for each in quotes:
            print_steps(*_steps(each))


def _steps(quote: "Quote") -> tuple[str, list[tuple[str, str]]]:
    """A quote as its arithmetic, line by line."""
    from metering.model.period import instant_text
    from metering.model.units import shown_amount, shown_gib

    named = f" of {quote.id}" if quote.id else ""
    where = f" in {quote.location}" if quote.location else ""
    currency = f" {quote.currency}" if quote.currency else ""
    title = f"{quote.kind.capitalize()}{named}: {shown_gib(quote.amount_bytes)} GiB ({quote.amount_bytes:,} bytes) of backup{where}"

    def money(amount: "Decimal", fraction: str | None) -> str:
        shown = f"{shown_amount(amount)}{currency}"
        return shown if fraction is None else f"≈ {shown}, exactly {fraction}"

    length = f"{quote.period}, " if quote.period else ""
    price = f"{quote.price}{currency} per {quote.unit}"
    return title, [
        ("entitles from, until (not included)", f"{instant_text(quote.start)}, {instant_text(quote.end)}"),
        ("length that is charged", f"{length}{quote.nominal_seconds:,} s"),
        (
            f"{quote.amount_bytes:,} bytes × {quote.nominal_seconds:,} s × {price} ÷ {quote.multiplier:,}",
            money(quote.gross, quote.gross_fraction),
        ),
        (f"discount of {quote.discount_percent:f} %", money(quote.discount, quote.discount_fraction)),
        ("to be paid", money(quote.net, quote.net_fraction)),
    ]
