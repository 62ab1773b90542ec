"""Advice as sentences, a table, and a page with pictures of cost against amount."""

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction

from markupsafe import Markup

from metering.billing.money import round_ratio
from metering.model.currency import minor_places
from metering.model.tables import Table, table_of
from metering.model.units import GIB_BYTES, counted, shown_amount, shown_gib
from metering.planning.advise import Advice, Advised, Curve, Unadvised
from metering.reporting.charts import draw
from metering.reporting.pages import called_by_name, columns, environment

# More pictures are none that anybody reads; the table has all.
MOST_DRAWN = 60
_TITLE = "What to buy"
_SHOWN = (
    "account", "location", "length", "amount_bytes", "bought_already_bytes", "currency", "discount_percent", "subscription_cost",
    "burst_cost", "month_cost", "month_cost_now", "saving", "month_cost_p5", "month_cost_p95",
)  # fmt: skip


def sentence(advice: Advice, names: Mapping[str, str]) -> str:
    """Say what to buy and what that saves, in one sentence; `names` says what to call each account, where it has a name."""
    where = f"{names.get(advice.account, advice.account)} in {advice.location}"
    now, best, worst = advice.month_cost_now, advice.month_cost, advice.month_cost_p95
    if not advice.amount_bytes:
        cost = "" if now is None else f": {shown(now, advice.currency)} {advice.currency} a month as it is"
        return f"{where}: buy nothing{cost}"
    told = f"{where}: buy {shown_gib(advice.amount_bytes)} GiB for {advice.length}"
    if best is None or now is None:
        return f"{told}: saves {shown(advice.saving, advice.currency)} {advice.currency} a month"
    told += f": {shown(best, advice.currency)} {advice.currency} a month instead of {shown(now, advice.currency)}"
    if worst is None or advice.month_cost_now_p95 is None:
        return told
    instead = shown(advice.month_cost_now_p95, advice.currency)
    return f"{told}; at the 95th percentile of growth {shown(worst, advice.currency)} instead of {instead}"


def shown(amount: Decimal, currency: str) -> str:
    """Round an amount to what people pay, for the eye."""
    return shown_amount(round_ratio(Fraction(amount), minor_places(currency) or 0, "half-up"))


def advice_table(advised: Advised) -> Table:
    """Give the advice as a table."""
    return table_of("advice", Advice, advised.advice)


def unadvised_table(advised: Advised) -> Table:
    """Give what could not be advised, and why."""
    return table_of("unadvised", Unadvised, advised.unadvised)


def advice_page(advised: Advised, period: str, names: Mapping[str, str]) -> str:
    """Write advice as one HTML page: a sentence, a picture and the lengths of each account and location."""
    best = {(each.account, each.location): each for each in advised.advice if each.is_best}
    drawn = sorted(advised.curves, key=lambda curve: -best[curve.account, curve.location].saving)[:MOST_DRAWN]
    drawers = {currency: _drawer(currency) for currency in {curve.currency for curve in drawn}}
    parts = []
    for curve in drawn:
        # Where nothing was used above what is bought there is one amount to think of, and nothing to draw.
        has_curve = len(curve.points) > 1
        picture = Markup(drawers[curve.currency].svg(_points(curve))) if has_curve else None  # noqa: S704 -- drawn by us, of figures
        parts.append((sentence(best[curve.account, curve.location], names), picture))
    left_out = len(advised.curves) - len(drawn)
    left_out_told = counted(left_out, "account and location", "accounts and locations")
    return (
        environment()
        .get_template("advice.html")
        .render(
            title=f"{_TITLE}, by what was used in {period}",
            parts=parts,
            left_out=f"{left_out_told} that would save less: in the table only" if left_out else "",
            table=called_by_name(columns(advice_table(advised), *_SHOWN), names),
            unadvised=called_by_name(unadvised_table(advised), names),
        )
    )


def _drawer(currency: str) -> draw.Drawer:
    """Give what draws curves of one currency, which stands at the axis."""
    specification = draw.specification("advice", draw.ON_PAGE)
    specification["encoding"]["y"]["title"] += f", {draw.label(currency)}"
    return draw.Drawer(specification)


def _points(curve: Curve) -> draw.Rows:
    return [
        {
            "amount": f"{round_ratio(Fraction(amount, GIB_BYTES), 3, 'half-even'):f}",
            "cost": f"{cost:f}",
            "best": amount == curve.best_bytes,
            "currency": curve.currency,
        }
        for amount, cost in curve.points
    ]
