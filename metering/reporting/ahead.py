"""Forecasts as sentences and tables."""

from collections.abc import Mapping

from metering.model.period import date_text
from metering.model.tables import Table, table_of
from metering.planning.outlook import DayAhead, Forecast, Outlook, RunsOut
from metering.reporting.advice import shown


def outlook_sentence(outlook: Outlook, names: Mapping[str, str], end_s: int) -> str:
    """Say when burst begins and what the month will cost, and how far to believe it; `names` is as in advice.

    Burst is looked for before `end_s`, the end of the days ahead; the month may be longer, and its cost is of all of it.
    """
    told = f"{names.get(outlook.account, outlook.account)} in {outlook.location}: {_begins(outlook, date_text(end_s))}"
    cost, currency = outlook.burst_cost_month, outlook.currency
    if cost is not None and currency is not None:
        between = [
            shown(each, currency) for each in (outlook.burst_cost_month_p5, outlook.burst_cost_month_p95) if each is not None
        ]
        told += f"; burst of {outlook.month} about {shown(cost, currency)} {currency} ({' to '.join(between)})"
    if outlook.error_percent is None:
        return f"{told}; too short a history to test the method on"
    return f"{told}; on the last {outlook.backtest_days} days the method was off by {outlook.error_percent:f} %"


def _begins(outlook: Outlook, end: str) -> str:
    early, begins, late = (
        None if each is None else date_text(each)
        for each in (outlook.burst_begins_early, outlook.burst_begins, outlook.burst_begins_late)
    )
    if begins is None:
        return f"no burst is likely before {end}" + (f", but it may begin on {early}" if early else "")
    if early == late:
        return f"burst from {begins} on"
    latest = "if at all" if late is None else f"{late} at the latest"
    if early == begins:
        return f"burst is likely and may begin on {begins}, {latest}"
    return f"burst is likely from {begins} on, {early} at the earliest, {latest}"


def days_table(found: Forecast) -> Table:
    """Give the days ahead as a table."""
    return table_of("forecast", DayAhead, found.days)


def outlook_table(found: Forecast) -> Table:
    """Give what each account and location has to expect."""
    return table_of("outlooks", Outlook, found.outlooks)


def runs_out_table(found: Forecast) -> Table:
    """Give the subscriptions that run out."""
    return table_of("runs_out", RunsOut, found.runs_out)
