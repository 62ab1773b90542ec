"""What was used and what it cost: `/usage/`, `/burstusage/`, `/dailyburstusage/`, `/ledger/`."""

from collections import defaultdict
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from metering.model.period import SECONDS_PER_DAY, date_text, day_start
from metering.sandbox.server_call import (
    DEFAULT_LIMIT,
    Call,
    Caller,
    Fields,
    Limit,
    Offset,
    Text,
    alternatives,
    instant_of,
    instant_or,
    locked,
    page,
)
from metering.sandbox.server_views import burst_view, ledger_view, usage_view
from metering.sandbox.world_things import LedgerLine

router = APIRouter(prefix="/api/2.0")


@router.get("/usage/", tags=["money"])
@locked
def list_usage(
    call: Caller, limit: Limit = DEFAULT_LIMIT, offset: Offset = 0, fields: Fields = None, poll_time_gt: Text = None,
    poll_time_lt: Text = None,
) -> Response:  # fmt: skip
    """List the provider's own samples, one row an object and cycle; both bounds are strict."""
    world = call.world
    after_s = max(instant_or(poll_time_gt, "poll_time_gt", world.start_s - 1), world.start_s - 1)
    before_s = min(instant_or(poll_time_lt, "poll_time_lt", world.now_s + 1), world.now_s + 1)
    own = [s for s in world.history() if (s.owner, s.location) == (call.account.uuid, call.location)]
    first_s = after_s + 1 + -(after_s + 1) % world.cycle_s
    rows = [(poll_s, s) for poll_s in range(first_s, before_s, world.cycle_s) for s in own if s.exists_at(poll_s)]

    return page(call, rows, lambda row: usage_view(row[1], row[0]), limit, offset, fields)


def _days(request: Request, call: Call) -> dict[str, list[LedgerLine]]:
    """Give the burst lines of the ledger by date, as the filters `date`, `date__gt`, `__gte`, `__lt`, `__lte` pick days.

    A date is its 00:00Z. Without a filter it is the last 30 days.
    """
    now_s = call.world.now_s
    first_s, last_s = now_s - 30 * SECONDS_PER_DAY, now_s
    for name, text in request.query_params.items():
        if name == "date" or name.startswith("date__"):
            given = instant_or(text, name, 0)
            if name in ("date", "date__gte", "date__gt"):
                first_s = given + (name == "date__gt")
            if name in ("date", "date__lte", "date__lt"):
                last_s = given - (name == "date__lt")
    days = defaultdict(list)
    for line in call.world.money.ledger[call.account.uuid, call.location]:
        if line.billing_cycle is not None and first_s <= day_start(line.poll_s) <= last_s:
            days[date_text(line.poll_s)].append(line)
    return days


@router.get("/burstusage/", tags=["money"])
@locked
def list_burst(call: Caller, request: Request, limit: Limit = DEFAULT_LIMIT, offset: Offset = 0, fields: Fields = None) -> Response:
    """Sum burst over days (`date`, `date__gt`, `date__gte`, `date__lt`, `date__lte`); `usage` is the highest."""
    lines = [line for day in _days(request, call).values() for line in day]
    sums = [lines] if lines else []
    return page(call, sums, lambda each: burst_view(each) | {"uuid": call.account.uuid}, limit, offset, fields)


@router.get("/dailyburstusage/", tags=["money"])
@locked
def list_daily_burst(
    call: Caller, request: Request, limit: Limit = DEFAULT_LIMIT, offset: Offset = 0, fields: Fields = None
) -> Response:
    """Sum burst by day; `usage` is the day's highest."""
    days = sorted(_days(request, call).items())
    return page(call, days, lambda day: burst_view(day[1]) | {"date": day[0]}, limit, offset, fields)


@router.get("/ledger/", tags=["money"])
@locked
def list_ledger(
    call: Caller, limit: Limit = DEFAULT_LIMIT, offset: Offset = 0, fields: Fields = None,
    time: Text = None, time_gt: Annotated[str | None, Query(alias="time__gt")] = None,
    time_lt: Annotated[str | None, Query(alias="time__lt")] = None, billing_cycle: Text = None,
) -> Response:  # fmt: skip
    """List the movements of the balance, the latest first."""
    lines = call.world.money.ledger[call.account.uuid, call.location][::-1]
    at_s, after_s, before_s = instant_of(time, "time"), instant_of(time_gt, "time__gt"), instant_of(time_lt, "time__lt")
    if at_s is not None or after_s is not None or before_s is not None:
        lines = [
            line
            for line in lines
            if (at_s is None or line.time_s == at_s)
            and (after_s is None or line.time_s > after_s)
            and (before_s is None or line.time_s < before_s)
        ]
    if billing_cycle is not None:
        wanted = alternatives(billing_cycle)
        lines = [line for line in lines if str(line.billing_cycle) in wanted]
    return page(call, lines, ledger_view, limit, offset, fields)
