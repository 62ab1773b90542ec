"""The money side of the API: subscriptions, pricing, discounts, balance, current usage; and locations and the profile."""

from fractions import Fraction
from typing import Annotated

from fastapi import APIRouter, Body, Query, Request
from fastapi.responses import Response

from metering.sandbox.refusal import not_valid
from metering.sandbox.server_bodies import Extension, NewSubscription, NewSubscriptions, ProfileChanges, SubscriptionOrSubscriptions
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
    locked,
    page,
    picked,
    reply,
)
from metering.sandbox.server_views import (
    View,
    balance_view,
    location_view,
    price_view,
    profile_view,
    subscription_view,
)
from metering.sandbox.world_money import DISCOUNTS, MAX_ORDERS, Order, decimal_text, exact_text, nearest
from metering.sandbox.world_naming import STRATEGIES
from metering.sandbox.world_things import RESOURCE, Subscription, iso_time

router = APIRouter(prefix="/api/2.0")

STATUSES = ("active", "inactive", "expired", "all", "notexpired")
_MAX_AMOUNT = 2**63


def _order(wish: NewSubscription) -> Order:
    amount = int(wish.amount)
    if not 0 < amount < _MAX_AMOUNT:
        raise not_valid("amount is from 1 to 2⁶³ − 1 bytes", "amount")
    return Order(
        amount,
        wish.resource,
        start_s=instant_of(wish.start_time, "start_time"),
        end_s=instant_of(wish.end_time, "end_time"),
        period=wish.period or None,
        auto_renew=wish.auto_renew,
    )


def _orders(body: SubscriptionOrSubscriptions) -> list[Order]:
    wanted = body.objects if isinstance(body, NewSubscriptions) else [body]
    if len(wanted) > MAX_ORDERS:
        raise not_valid(f"at most {MAX_ORDERS} subscriptions can be bought in one request", "objects")
    return [_order(each) for each in wanted]


def _sold(call: Call, subscriptions: list[Subscription], status: int) -> Response:
    price = exact_text(sum((s.price for s in subscriptions), Fraction(0)))
    return reply({"objects": [_subscription(call, s) for s in subscriptions], "price": price}, status)


def _subscription(call: Call, subscription: Subscription) -> View:
    return subscription_view(call.base, subscription, call.world.now_s)


@router.get("/subscriptions/", tags=["subscriptions"])
@locked
def list_subscriptions(
    call: Caller, limit: Limit = DEFAULT_LIMIT, offset: Offset = 0, fields: Fields = None,
    status: Annotated[str, Query(description=" ".join(STATUSES))] = "all", resource: Text = None,
) -> Response:  # fmt: skip
    """List the user's subscriptions."""
    found = call.world.money.bought(call.account.uuid, call.location)
    if status not in STATUSES:
        raise not_valid(f"status is one of {', '.join(STATUSES)}", "status")
    if status != "all":
        now_s = call.world.now_s
        found = [s for s in found if s.status_at(now_s) == status or (status == "notexpired" and s.status_at(now_s) != "expired")]
    if resource is not None:
        found = [s for s in found if s.resource in alternatives(resource)]
    price = exact_text(sum((s.price for s in found), Fraction(0)))
    return page(call, found, lambda s: _subscription(call, s), limit, offset, fields, price=price)


@router.post("/subscriptions/", tags=["subscriptions"], status_code=201)
@locked
def buy_subscriptions(call: Caller, body: SubscriptionOrSubscriptions) -> Response:
    """Buy subscriptions, all or none: one object, or several as `objects`."""
    bought = call.world.money.buy(call.account, call.location, _orders(body), call.world.now_s)
    return _sold(call, bought, 201)


@router.post("/subscriptioncalculator/", tags=["subscriptions"])
@locked
def calculate_subscriptions(call: Caller, body: SubscriptionOrSubscriptions) -> Response:
    """Quote subscriptions; nothing is bought."""
    money, now_s = call.world.money, call.world.now_s
    return _sold(call, [money.quote(call.account, call.location, order, now_s) for order in _orders(body)], 200)


@router.get("/subscriptions/{identifier}/", tags=["subscriptions"])
@locked
def get_subscription(call: Caller, identifier: str, fields: Fields = None) -> Response:
    """Get a subscription."""
    return reply(picked(_subscription(call, call.world.money.subscription(call.account, call.location, identifier)), fields))


@router.post("/subscriptions/{identifier}/action/", tags=["subscriptions"])
@locked
def act_on_subscription(
    call: Caller,
    identifier: str,
    do: Annotated[str, Query(description="`extend` or `auto_renew`.")],
    body: Annotated[Extension | None, Body()] = None,
) -> Response:
    """Extend a subscription, or set whether it extends itself (the other way round unless said)."""
    money = call.world.money
    subscription = money.subscription(call.account, call.location, identifier)
    wish = body or Extension()
    if do == "auto_renew":
        subscription.auto_renew = (not subscription.auto_renew) if wish.auto_renew is None else wish.auto_renew
        return reply(_subscription(call, subscription))
    if do != "extend":
        raise not_valid(f"{do!r} is no action of subscriptions; `extend` and `auto_renew` are", "do")
    order = Order(subscription.amount, subscription.resource, None, instant_of(wish.end_time, "end_time"), wish.period or None)
    return reply(_subscription(call, money.extend(subscription, call.account, order, call.world.now_s)))


@router.get("/groupedsubscriptions/", tags=["subscriptions"])
@locked
def list_chains(call: Caller, limit: Limit = DEFAULT_LIMIT, offset: Offset = 0, fields: Fields = None) -> Response:
    """List each chain of extensions once: the first subscription, ending when the last one does."""
    firsts = [s for s in call.world.money.bought(call.account.uuid, call.location) if s.parent is None]

    def show(first: Subscription) -> View:
        last = first
        while last.child is not None:
            last = last.child
        return _subscription(call, first) | {"end_time": iso_time(last.end_s)}

    return page(call, firsts, show, limit, offset, fields)


@router.get("/pricing/", tags=["money"])
@locked
def list_prices(call: Caller, limit: Limit = DEFAULT_LIMIT, offset: Offset = 0, fields: Fields = None) -> Response:
    """List the prices in force, and the burst levels: now, and when they are set anew."""
    world = call.world
    money, now_s = world.money, world.now_s
    next_s = now_s - now_s % world.cycle_s + world.cycle_s
    rows = money.prices_at(call.location, now_s)
    resources = sorted({row.resource for row in rows} | {RESOURCE})
    current = dict.fromkeys(resources, 1) | {RESOURCE: money.level_at(call.location, now_s)}
    coming = dict.fromkeys(resources, 1) | {RESOURCE: money.level_at(call.location, next_s)}
    return page(call, rows, price_view, limit, offset, fields, current=current, next=coming)


@router.get("/discount/", tags=["money"])
@locked
def list_discounts(call: Caller, limit: Limit = DEFAULT_LIMIT, offset: Offset = 0, fields: Fields = None) -> Response:
    """List what long subscriptions save."""

    def show(discount: tuple[int, Fraction]) -> View:
        months, saved = discount
        years, rest = divmod(months, 12)
        period = f"{months} months" if rest else f"{years} year{'' if years == 1 else 's'}"
        return {"period": period, "value": decimal_text(nearest(saved * 10**10), 10)}

    return page(call, DISCOUNTS[::-1], show, limit, offset, fields)


@router.get("/balance/", tags=["money"])
@locked
def get_balance(call: Caller) -> Response:
    """Get what the user has, and in which currency."""
    return reply(balance_view(call.world, call.account, call.location))


@router.get("/currentusage/", tags=["money"])
@locked
def get_current_usage(call: Caller) -> Response:
    """Get what is used, subscribed and burst now."""
    world, book = call.world, (call.account.uuid, call.location)
    using, subscribed = world.occupied[book], world.money.entitled(*book, world.now_s)
    usage = {RESOURCE: {"burst": max(0, using - subscribed), "subscribed": subscribed, "using": using}}
    return reply({"balance": balance_view(world, call.account, call.location), "usage": usage})


@router.get("/locations/", tags=["account"])
@locked
def list_locations(
    call: Caller, request: Request, limit: Limit = DEFAULT_LIMIT, offset: Offset = 0, fields: Fields = None
) -> Response:
    """List the locations, and where the API of each one is."""
    host = f"{request.url.scheme}://{request.url.netloc}"
    return page(call, call.world.locations, lambda code: location_view(code, f"{host}/{code}/api/2.0/"), limit, offset, fields)


@router.get("/profile/", tags=["account"])
@locked
def get_profile(call: Caller) -> Response:
    """Get who is asking."""
    return reply(profile_view(call.account))


@router.put("/profile/", tags=["account"])
@locked
def edit_profile(call: Caller, body: ProfileChanges) -> Response:
    """Set how clones are named."""
    if body.clone_naming is not None:
        if body.clone_naming not in STRATEGIES:
            raise not_valid(f"clone_naming is one of {', '.join(STRATEGIES)}", "clone_naming")
        call.account.clone_naming = body.clone_naming
    return reply(profile_view(call.account))
