"""The pictures of a period, put together: which chart shows what, how large, and what stands above it."""

from collections import defaultdict
from collections.abc import Mapping
from fractions import Fraction

from metering.billing.money import amount_of
from metering.model.period import SECONDS_PER_DAY, Period
from metering.model.records import ChargeLine, UsageRow
from metering.model.tables import Table
from metering.reporting.charts.draw import ON_PAGE, Rows, Spec, label, specification
from metering.reporting.charts.series import Drawn, burst_days, cost_parts, days_together
from metering.reporting.costs import without_adjustments

Palette = Mapping[str, str]
PLOTS = ("usage", "burst", "cost")
_COLUMN = 600
_MARGIN = 130
# Of the longest words behind a bar.
_WORDS_WIDTH = 150
_PAGE_WIDTH = 450
# So long a period's axis has hours on it, a tick for each day, years on it.
_HOURS_MATTER_S = 3 * SECONDS_PER_DAY
_DAYS_MATTER_S = 20 * SECONDS_PER_DAY
_YEARS_MATTER_S = 366 * SECONDS_PER_DAY
_TIMES = (
    dict.fromkeys(("year", "quarter", "month", "week", "date", "day"), "%-d %b")
    | dict.fromkeys(("hours", "minutes"), "%H:%M")
    | {"seconds": "%H:%M:%S"}
)
_TIMES_OF_YEARS = _TIMES | dict.fromkeys(("year", "quarter", "month"), "%b %Y")
_THEME = ("$schema", "background", "padding", "config")


def _usage_chart(palette: Palette, period: Period, width: int) -> Spec:
    """Give the chart of occupied against entitled over a period, without data."""
    spec = specification("usage", palette) | {"width": width}
    _over(spec, period)
    return spec


def _over(spec: Spec, period: Period) -> None:
    """Let a chart's time be the period, whatever of it the data cover; hours, days and years are written where they matter."""
    x, length_s = spec["encoding"]["x"], period.end_s - period.start_s
    x["scale"]["domain"] = [period.start_s * 1_000, period.end_s * 1_000]
    x["axis"]["format"] = _TIMES if length_s <= _YEARS_MATTER_S else _TIMES_OF_YEARS
    if _HOURS_MATTER_S < length_s <= _DAYS_MATTER_S:
        x["axis"]["tickCount"] = {"interval": "day", "step": 1}


def usage_picture(
    palette: Palette, period: Period, drawn: list[Drawn], names: Mapping[str, str], width: int, *, there_are: int
) -> Spec:
    """Occupied against entitled of some units, one chart a unit, as many beside each other as there is room for.

    `there_are` so many in all; that some are not drawn stands in the picture, which travels alone.
    """
    columns = min(len(drawn), max(1, width // _COLUMN))
    each = _usage_chart(palette, period, max(200, width // columns - _MARGIN))
    theme = {name: each.pop(name) for name in _THEME}
    of = f"the {len(drawn)} that burst most of {there_are:,}" if len(drawn) < there_are else ""
    charts = [
        each
        | {
            "title": f"{label(names.get(unit.usage.account, unit.usage.account))} · {label(unit.usage.location)}",
            "data": {"values": unit.rows},
        }
        for unit in drawn
    ]
    return theme | {"columns": columns, "concat": charts, "title": heading("Backup occupied and entitled", period, of)}


def burst_chart(palette: Palette, period: Period, usage: list[UsageRow], lines: list[ChargeLine], width: int) -> Spec:
    """Burst by day and location: the darker, the more."""
    spec = specification("burst", palette) | {"width": max(200, width - _MARGIN)}
    _over(spec, period)
    if (days := days_together(period)) > 1:
        spec["layer"][1]["encoding"]["opacity"]["title"] = f"burst in {days} days, GiB-months"
    return spec | {"data": {"values": burst_days(period, usage, lines)}}


def cost_charts(palette: Palette, cost: Table, width: int) -> list[Spec]:
    """What subscriptions and burst cost, a chart a currency: amounts of two currencies are on no one axis.

    Adjustments are of other time and may be less than nothing: they are no bars, and told in words.
    """
    at = cost.at["currency"]
    return [
        _cost_chart(palette, rows, max(200, width - _MARGIN)) | {"title": _cost_title(cost, currency)}
        for currency in sorted({row[at] for row in cost.rows if row[at] is not None})
        if (rows := cost_parts(cost, currency))
    ]


def _cost_title(cost: Table, currency: str) -> Spec:
    at = cost.at
    adjusting = [row[at["adjustment_cost"]] for row in cost.rows if row[at["currency"]] == currency]
    if not any(amount is None or amount for amount in adjusting):
        return {"text": label(currency)}
    return {"text": label(currency), "subtitle": without_adjustments(adjusting)}


def _cost_chart(palette: Palette, rows: Rows, width: int) -> Spec:
    spec = specification("cost", palette) | {"width": width, "data": {"values": rows}}
    ends = [Fraction(row["amount"]) for row in rows if "unknown" in row]
    if any(ends):
        # That a cost is not known is written behind the bar, and wants room there; but no bar is cut.
        bars: defaultdict[str, Fraction] = defaultdict(Fraction)
        for row in rows:
            bars[row["place"]] += Fraction(row["amount"]) if "part" in row else 0
        longest = max(max(ends) * width / (width - _WORDS_WIDTH), *bars.values())
        spec["layer"][0]["encoding"]["x"]["scale"] = {"domainMax": {"expr": f"{amount_of(longest):f}"}}
    return spec


def stacked(charts: list[Spec]) -> Spec:
    """Put charts under each other in one picture."""
    theme = {name: charts[0][name] for name in _THEME}
    return theme | {"vconcat": [{name: part for name, part in chart.items() if name not in _THEME} for chart in charts]}


def page_chart(period: Period) -> Spec:
    """Occupied against entitled as a page has it, which explains the colours once for all charts."""
    spec = _usage_chart(ON_PAGE, period, _PAGE_WIDTH)
    spec["encoding"]["color"]["legend"] = None
    return spec


def heading(what: str, period: Period, of: str = "") -> Spec:
    """Head a picture that stands alone: nothing beside it says what it shows, and whom or how many it is of."""
    return {"text": what, "subtitle": " · ".join(filter(None, (f"{period.text} (UTC)", of))), "fontSize": 16, "offset": 12}
