"""The reports: usage, burst, snapshots, subscriptions, cost, coverage, statement; each a table of exact values.

Parts add up to wholes: snapshots to accounts, days to the period, lines to the statement.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

from metering.billing.bill import make_bill
from metering.billing.discounts import Settled
from metering.billing.money import AMOUNT_PLACES, from_units, in_units, shown_amounts, spread, total_if_known
from metering.billing.usage import Computation
from metering.engine.duckdb import Engine
from metering.model.errors import MisuseError
from metering.model.period import SECONDS_PER_DAY, day_start
from metering.model.records import Bill, ChargeLine, Episode
from metering.model.tables import Column, Kind, Table, by_key, columns_of, table_of
from metering.reporting.costs import Adjustments, bought_in_period, costs, subscriptions, without_adjustments
from metering.reporting.observed import observe

By = tuple[str, ...]

_BUCKETS = {"hour": 3_600, "day": SECONDS_PER_DAY}
# Longer than any period, so that all of it falls into one bucket.
_NO_BUCKET = 2**40
_USAGE = (
    "occupied_byte_seconds", "entitled_byte_seconds", "burst_byte_seconds", "unused_byte_seconds", "peak_occupied_bytes",
    "measured_seconds", "held_seconds", "partial_seconds", "missing_seconds",
)  # fmt: skip

BY: dict[str, tuple[str, ...]] = {
    "usage": ("account", "location", "day", "hour"),
    "burst": ("account", "location", "day", "hour", "episode"),
    "snapshots": ("account", "location", "day", "drive", "snapshot"),
    "subscriptions": ("account", "location"),
    "cost": ("account", "location"),
    "coverage": ("account", "location", "day", "hour", "interval"),
    "statement": ("line",),
}
# What tells of subscriptions, whether or not anything is occupied.
OF_BOUGHT = ("subscriptions", "cost")
DEFAULT_BY: dict[str, By] = {
    "usage": ("account", "location"),
    "burst": ("episode",),
    "snapshots": ("snapshot",),
    "subscriptions": (),
    "cost": ("account", "location"),
    "coverage": ("account", "location"),
    "statement": ("line",),
}


def parse_by(report: str, by: str | None) -> By:
    """Read `--by account,day`: the columns to sum by, in the order of the report.

    Raises:
        MisuseError: the report cannot be summed by that.
    """
    if by is None:
        return DEFAULT_BY[report]
    wanted = {name.strip() for name in by.split(",") if name.strip()}
    if unknown := sorted(wanted - set(BY[report])):
        raise MisuseError(f"{report} cannot be reported by {unknown[0]!r}: choose from {', '.join(BY[report])}")
    if (alone := sorted(wanted & {"episode", "interval", "line"})) and len(wanted) > 1:
        raise MisuseError(f"{alone[0]!r} stands alone in --by: it already names account and location")
    if {"day", "hour"} <= wanted:
        raise MisuseError("--by takes day or hour, not both: an hour names its day")
    return tuple(name for name in BY[report] if name in wanted)


def needs_steps(report: str, by: By) -> bool:
    """Tell whether a report looks into days of which a bill needs no more than their kept sums: by the hour, or at one instant."""
    return bool({"hour", "interval"} & set(by)) or (report == "usage" and not _is_by_unit(by))


def make_report(
    report: str,
    engine: Engine,
    computation: Computation,
    by: By,
    account: str | None,
    *,
    locations: frozenset[str],
    discounts: Settled,
    adjustments: Adjustments,
) -> Table:
    """Make a report of a computed period.

    Args:
        report: one of `BY`.
        engine: holds the computation's tables; its steps whole where the report `needs_steps`.
        computation: the period.
        by: as `parse_by` gives it.
        account: only this account's rows; sums are then over this account alone.
        locations: the codes that are known.
        discounts: what the settings say of discounts.
        adjustments: gives those of the bill, of the account where one is given; asked last, and only where they are reported.
    """
    if account is not None:
        _keep_account(engine, account)
    makers: dict[str, Callable[[], Table]] = {
        "usage": lambda: usage(engine, by),
        "burst": lambda: burst(engine, computation, make_bill(engine, computation, locations), by),
        "snapshots": lambda: snapshots(engine, computation, by, account),
        "subscriptions": lambda: subscriptions(bought_in_period(engine, computation, discounts, account), by),
        "cost": lambda: costs(engine, bought_in_period(engine, computation, discounts, account), computation, by, adjustments),
        "coverage": lambda: coverage(engine, by),
        "statement": lambda: statement(make_bill(engine, computation, locations)),
    }
    return makers[report]()


def _keep_account(engine: Engine, account: str) -> None:
    """Narrow the steps, and the days that stand for steps, to one account; an account without any is an empty report."""
    for table in ("usage_steps", "unit_days"):
        engine.sql(f"delete from {table} where account <> $account", {"account": account})


def usage(engine: Engine, by: By) -> Table:
    """Occupied, entitled, burst and unused byte-seconds, the peak, and the seconds in each state."""
    summed = _summed(engine, by)
    if not _is_by_unit(by):
        # Not all peak at once: where a row stands for several units, its peak is looked for in their steps.
        parameters = _asked(by) | {"bucket_s": next((_BUCKETS[name] for name in by if name in _BUCKETS), _NO_BUCKET)}
        peaks = {_place(row): row["peak_occupied_bytes"] for row in engine.rows("reports/peaks_by", parameters)}
        summed = [row | {"peak_occupied_bytes": peaks.get(_place(row), 0)} for row in summed]
    rows = [(*(row[name] for name in by), *(int(row[name]) for name in _USAGE)) for row in summed]
    return Table("usage", (*_by_columns(by), *_columns(_USAGE)), rows)


def _summed(engine: Engine, by: By) -> list[dict[str, Any]]:
    """Sum usage up; each row has the day or hour that it is of under both names."""
    if "hour" in by:
        rows = engine.rows("reports/usage_by_hour", _asked(by))
    else:
        rows = engine.rows("reports/usage_by", _asked(by) | {"by_day": "day" in by})
    return [row | {"day": row["bucket_starts_at_s"], "hour": row["bucket_starts_at_s"]} for row in rows]


def _asked(by: By) -> dict[str, Any]:
    return {"by_account": "account" in by, "by_location": "location" in by}


def _is_by_unit(by: By) -> bool:
    return {"account", "location"} <= set(by)


def _place(row: dict[str, Any]) -> tuple[str, str, int]:
    return row["account"], row["location"], row["bucket_starts_at_s"]


def coverage(engine: Engine, by: By) -> Table:
    """How well each second is known: measured, held, partial, missing, and in no state; or each interval that is not measured."""
    if by == ("interval",):
        rows = [
            (
                row["account"],
                row["location"],
                row["state"],
                row["starts_at_s"],
                row["ends_at_s"],
                row["ends_at_s"] - row["starts_at_s"],
            )
            for row in engine.rows("reports/unobserved_intervals")
        ]
        kinds: dict[str, Kind] = {"account": "text", "location": "text", "state": "text", "start": "instant", "end": "instant"}
        return Table("coverage", columns_of(**kinds, interval_seconds="seconds"), rows)
    states = ("measured_seconds", "held_seconds", "partial_seconds", "missing_seconds")
    rows = []
    for row in _summed(engine, by):
        seconds = [int(row[name]) for name in states]
        observed = sum(seconds)
        thousandths = 100_000 * seconds[0] // observed if observed else 0  # of a percent
        share = f"{thousandths // 1_000}.{thousandths % 1_000:03d}"
        rows.append((*(row[name] for name in by), *seconds, share))
    columns = (*_by_columns(by), *_columns(states), Column("measured_percent", "text"))
    return Table("coverage", columns, rows)


def burst(engine: Engine, computation: Computation, bill: Bill, by: By) -> Table:
    """Burst episodes; or charge lines summed by account, location, day or hour, always apart by currency.

    Hours share their line's amount out by largest remainder in the 20th decimal, so that they add up to it.
    """
    if by == ("episode",):
        return table_of("burst", Episode, bill.episodes)
    parts = _burst_hours(engine, computation, bill.lines) if "hour" in by else [(line, line.date, line) for line in bill.lines]
    groups: defaultdict[tuple[Any, ...], list[ChargeLine]] = defaultdict(list)
    for line, time_s, measures in parts:
        values = {"account": line.account, "location": line.location, "day": time_s, "hour": time_s}
        groups[*(values[name] for name in by), line.currency].append(measures)
    rows = [
        (
            *key, sum(each.burst_byte_seconds for each in members), sum(each.burst_seconds for each in members),
            max(each.peak_burst_bytes for each in members), total_if_known([each.amount for each in members]),
        )
        for key, members in sorted(groups.items(), key=by_key)
    ]  # fmt: skip
    columns = columns_of(
        currency="text", burst_byte_seconds="byte_seconds", burst_seconds="seconds", peak_burst_bytes="bytes", amount="money"
    )
    return Table("burst", (*_by_columns(by), *columns), rows)


def adjustments_told(lines: Sequence[ChargeLine], period: str) -> list[str]:
    """Say of a report of burst which adjustments the bill has besides: they are of closed periods, not of burst in this one."""
    sums: defaultdict[str, list[Decimal | None]] = defaultdict(list)
    for line in lines:
        sums[line.currency or "an unknown currency"].append(line.amount)
    return [
        f"{without_adjustments(amounts)} {currency}, which `metering bill {period}` has"
        for currency, amounts in sorted(sums.items())
    ]


def _burst_hours(engine: Engine, computation: Computation, lines: Sequence[ChargeLine]) -> list[tuple[ChargeLine, int, ChargeLine]]:
    """Cut charge lines into their hours."""
    hours: defaultdict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for row in engine.rows("reports/burst_hours"):
        rate = computation.rates.rates[row["rate_key"]]
        price = rate.price.per_byte_second if rate.price else None
        day_s = day_start(row["hour_s"])
        hours[row["account"], row["location"], day_s, rate.level, price, rate.price.unit if rate.price else None].append(row)
    found = []
    for line in lines:
        price = Fraction(line.price) / line.multiplier if line.price is not None and line.multiplier else None
        rows = hours[line.account, line.location, line.date, line.level, price, line.unit]
        amounts: list[Decimal | None] = [None] * len(rows)
        if line.amount is not None and price is not None:
            weights = [int(row["burst_byte_seconds"]) * price * 10**AMOUNT_PLACES for row in rows]
            shares = spread(in_units(line.amount, AMOUNT_PLACES), weights)
            amounts = [from_units(share, AMOUNT_PLACES) for share in shares]
        for row, amount in zip(rows, amounts, strict=True):
            measures = {name: int(row[name]) for name in ("burst_byte_seconds", "burst_seconds", "peak_burst_bytes")}
            found.append((line, row["hour_s"], line.model_copy(update=measures | {"amount": amount})))
    return found


def snapshots(engine: Engine, computation: Computation, by: By, account: str | None) -> Table:
    """What each snapshot occupied, or snapshots summed by account, location, day or drive."""
    observe(engine, computation, account)
    days = engine.rows("reports/snapshot_days", computation.parameters)
    is_each = "snapshot" in by
    names = tuple(name for name in ("account", "location", "drive", "snapshot", "day") if name in by or (is_each and name != "day"))
    groups: defaultdict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for row in days:
        # A snapshot keeps the drive that its last sample names, so that it is one row.
        key = (*(None if is_each and name == "drive" else row["day_s" if name == "day" else name] for name in names),)
        groups[key].append(row)
    rows = []
    for key, members in sorted(groups.items(), key=by_key):
        last = max(members, key=lambda row: row["last_poll_s"])
        shown = tuple(last["drive"] if is_each and name == "drive" else part for name, part in zip(names, key, strict=True))
        byte_seconds = sum(int(row["occupied_byte_seconds"]) for row in members)
        if is_each:
            rows.append(
                (
                    *shown, last["name"], last["status"], min(row["first_poll_s"] for row in members), last["last_poll_s"],
                    byte_seconds, sum(int(row["observed_seconds"]) for row in members),
                    max(row["peak_occupied_bytes"] for row in members), last["last_occupied_bytes"],
                )
            )  # fmt: skip
        else:
            count = len({(row["account"], row["location"], row["snapshot"]) for row in members})
            rows.append((*shown, count, byte_seconds))
    if is_each:
        measures = columns_of(
            name="text", status="text", first_poll="instant", last_poll="instant", occupied_byte_seconds="byte_seconds",
            observed_seconds="seconds", peak_occupied_bytes="bytes", last_occupied_bytes="bytes",
        )  # fmt: skip
    else:
        measures = columns_of(snapshot_count="count", occupied_byte_seconds="byte_seconds")
    return Table("snapshots", (*_by_columns(names), *measures), rows)


def statement(bill: Bill) -> Table:
    """Each statement's lines and its total; `shown_amount` is rounded so that the lines add up to what is due.

    A statement's own lines come first, then what it adjusts of closed periods.
    """
    rows: list[tuple[Any, ...]] = []
    own: defaultdict[tuple[str, str | None], list[ChargeLine]] = defaultdict(list)
    for line in sorted(bill.lines, key=lambda line: line.adjusts or ""):
        own[line.account, line.currency].append(line)
    for due in bill.statements:
        lines = own[due.account, due.currency]
        priced = [line.amount for line in lines if line.amount is not None]
        is_priced = due.currency is not None and len(priced) == len(lines)
        shown: Sequence[Decimal | None] = shown_amounts(priced, due.currency or "") if is_priced else [None] * len(lines)
        rows += [
            (
                due.account, due.name, line.kind, line.charge_id, line.location, line.date, line.level, line.price,
                line.unit, line.burst_byte_seconds, line.burst_seconds, line.peak_burst_bytes, due.currency, line.amount, amount,
                line.adjusts,
            )
            for line, amount in zip(lines, shown, strict=True)
        ]  # fmt: skip
        rows.append(
            (
                due.account, due.name, f"total ({due.state})", None, None, None, None, None, None,
                sum(line.burst_byte_seconds for line in lines), sum(line.burst_seconds for line in lines), None, due.currency,
                due.burst_amount, due.amount_due, None,
            )
        )  # fmt: skip
    columns = columns_of(
        account="text", name="text", kind="text", charge_id="text", location="text", date="date", level="count",
        price="text", unit="text", burst_byte_seconds="byte_seconds", burst_seconds="seconds", peak_burst_bytes="bytes",
        currency="text", amount="money", shown_amount="money", adjusts="text",
    )  # fmt: skip
    return Table("statement", columns, rows)


def _by_columns(by: Iterable[str]) -> tuple[Column, ...]:
    kinds: dict[str, Kind] = {"day": "date", "hour": "instant"}
    return tuple(Column(name, kinds.get(name, "text")) for name in by)


def _columns(names: Sequence[str]) -> tuple[Column, ...]:
    return tuple(
        Column(name, "byte_seconds" if name.endswith("_byte_seconds") else "bytes" if name.endswith("_bytes") else "seconds")
        for name in names
    )
