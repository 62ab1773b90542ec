"""What charts show, as rows for them: levels over time by unit, burst by day and location, what subscriptions and burst cost.

SQL sums up what a picture has pixels for; a row holds exact integers and texts, and instants in milliseconds, as charts take them.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from metering.billing.money import total_known
from metering.engine.duckdb import Engine
from metering.model.period import SECONDS_PER_DAY, Period, day_start
from metering.model.records import ChargeLine, UsageRow
from metering.model.tables import Table
from metering.model.units import GIB_BYTES
from metering.reporting.charts.draw import Rows, label

# About as many points as a chart has pixels, and the buckets of time that give so many.
_MOST_BUCKETS = 800
_BUCKETS_S = (300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, SECONDS_PER_DAY, 7 * SECONDS_PER_DAY)
# What lasted less than a pixel is drawn a pixel wide, for it did happen.
_PIXELS = 450
_MOST_DAYS = 400
_MOST_ROWS = 40
OTHERS = "all others"
_COSTS = ("subscription_cost", "burst_cost")

# A level over `[start, end)`, and the level that it is shaded from.
Part = tuple[int, int, int, int | None]


@dataclass(frozen=True, slots=True)
class Drawn:
    """A unit that is drawn, and its rows."""

    usage: UsageRow
    rows: Rows


def bucket_seconds(period: Period) -> int:
    """Give the shortest bucket with which a period has no more of them than a chart has room for."""
    length_s = period.end_s - period.start_s
    return next((bucket for bucket in _BUCKETS_S if length_s <= bucket * _MOST_BUCKETS), length_s // _MOST_BUCKETS + 1)


def ranked(usage: Iterable[UsageRow]) -> list[UsageRow]:
    """Put first what burst most, and among equals what occupied most."""
    return sorted(usage, key=lambda row: (-row.burst_byte_seconds, -row.occupied_byte_seconds, row.account, row.location))


def levels(engine: Engine, period: Period, usage: Sequence[UsageRow]) -> list[Drawn]:
    """Give occupied, entitled, burst and what was not observed over time for some units of a computed period."""
    keys = {(row["account"], row["location"]): row["unit_key"] for row in engine.table("units")}
    engine.load("drawn_units", {"unit_key": "bigint"}, ([keys[row.account, row.location]] for row in usage))
    buckets: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
    for bucket in engine.rows("reports/drawn_buckets", {"bucket_s": bucket_seconds(period)}):
        buckets[bucket["unit_key"]].append(bucket)
    engine.drop("drawn_units")
    least_s = -(-(period.end_s - period.start_s) // _PIXELS)
    return [Drawn(row, _unit_rows(buckets[keys[row.account, row.location]], least_s)) for row in usage]


def _unit_rows(buckets: list[dict[str, Any]], least_s: int) -> Rows:
    if not buckets:
        return []
    entitled: list[Part] = []
    occupied: list[Part] = []
    burst: list[Part] = []
    gaps: list[tuple[str, int, int]] = []
    for bucket in buckets:
        start_s, end_s = bucket["starts_at_s"], bucket["ends_at_s"]
        is_seen = bucket["peak_occupied_bytes"] is not None
        level, bought = int(bucket["peak_occupied_bytes"] or 0), int(bucket["entitled_bytes"])
        entitled.append((start_s, end_s, bought, None))
        if is_seen:
            occupied.append((start_s, end_s, level, None))
        if is_seen and level > bought:
            burst.append((start_s, end_s, level, bought))
        gaps += [
            (what, bucket[f"{what}_starts_at_s"], bucket[f"{what}_ends_at_s"])
            for what in ("missing", "partial")
            if bucket[f"{what}_starts_at_s"] is not None
        ]
    top = max((level for part in (entitled, occupied) for _, _, level, _ in part), default=0)
    # Room above the highest line, and an axis where there is nothing at all.
    room = {"what": "room", "bytes": max(top + top // 20, GIB_BYTES), "above": None, "from": buckets[0]["starts_at_s"] * 1_000}
    return [room, *_joined(gaps, least_s), *_steps("burst", burst), *_steps("entitled", entitled), *_steps("occupied", occupied)]


def _joined(gaps: list[tuple[str, int, int]], least_s: int) -> Rows:
    """Make one of intervals that touch, which hatches would show as two; what is less than a pixel wide gets one."""
    joined: dict[str, list[list[int]]] = {"missing": [], "partial": []}
    for what, start_s, end_s in gaps:
        own = joined[what]
        if own and own[-1][1] >= start_s:
            own[-1][1] = max(own[-1][1], end_s)
        else:
            own.append([start_s, end_s])
    return [
        {"what": what, "from": start_s * 1_000, "to": max(end_s, start_s + least_s) * 1_000}
        for what, own in joined.items()
        for start_s, end_s in own
    ]


def _steps(what: str, parts: list[Part]) -> Rows:
    """Give a line of steps: both ends of each level, and nothing where it breaks."""
    rows: Rows = []
    end_s: int | None = None
    for start_s, stop_s, level, above in parts:
        told = {"what": what, "bytes": level, "above": above}
        if end_s == start_s and rows[-1]["bytes"] == level and rows[-1]["above"] == above:
            rows[-1] = told | {"from": stop_s * 1_000}
        else:
            if end_s is not None and end_s != start_s:
                rows.append({"what": what, "bytes": None, "above": None, "from": end_s * 1_000})
            rows += [told | {"from": start_s * 1_000}, told | {"from": stop_s * 1_000}]
        end_s = stop_s
    return rows


def days_together(period: Period) -> int:
    """Give how many days of a period are drawn as one: one, unless there are more than a chart has room for."""
    return -(-(period.end_s - day_start(period.start_s)) // (_MOST_DAYS * SECONDS_PER_DAY))


def burst_days(period: Period, usage: Iterable[UsageRow], lines: Iterable[ChargeLine]) -> Rows:
    """Give the burst of each location and day, zero included; of long periods, of so many days together."""
    locations = sorted({row.location for row in usage})
    shown = locations if len(locations) <= _MOST_ROWS else locations[: _MOST_ROWS - 1]
    first_s = day_start(period.start_s)
    width_s = days_together(period) * SECONDS_PER_DAY
    sums: defaultdict[tuple[str, int], int] = defaultdict(int)
    for line in lines:
        if line.kind == "burst":
            day_s = line.date - (line.date - first_s) % width_s
            sums[line.location if line.location in shown else OTHERS, day_s] += line.burst_byte_seconds
    names = [*shown, *([OTHERS] if len(shown) < len(locations) else [])]
    return [
        {
            "location": label(name),
            "from": max(day_s, period.start_s) * 1_000,
            "to": min(day_s + width_s, period.end_s) * 1_000,
            "byte_seconds": sums[name, day_s],
        }
        for name in names
        for day_s in range(first_s, period.end_s, width_s)
    ]


def cost_parts(cost: Table, currency: str) -> Rows:
    """Give what subscriptions and burst cost in one currency, by the place that the table's rows begin with; dearest first.

    A cost that is not known has no bar; it is said behind those of its place.
    """
    at, place = cost.at, cost.columns[0].name
    rows = [dict(zip(at, row, strict=True)) for row in cost.rows if row[at["currency"]] == currency]
    rows.sort(key=lambda row: (-_known(row), str(row[place])))
    return [part for row in rows[:_MOST_ROWS] for part in _place_parts(label(row[place]), row)]


def _known(row: dict[str, Any]) -> Decimal:
    return total_known(row[part] for part in _COSTS)


def _place_parts(place: str, row: dict[str, Any]) -> Rows:
    known: Rows = [
        {"place": place, "part": part.removesuffix("_cost"), "amount": format(row[part], "f")} for part in _COSTS if row[part]
    ]
    lacking = [part.removesuffix("_cost") for part in _COSTS if row[part] is None]
    if not lacking:
        return known
    what = lacking[0] if len(lacking) == 1 else "cost"
    return [*known, {"place": place, "amount": format(_known(row), "f"), "unknown": f"{what} not known"}]
