"""`/{resource}/schema/`: what may be done with a resource, its fields, its filters."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from metering.sandbox.refusal import not_there
from metering.sandbox.server_call import DEFAULT_LIMIT, Caller, reply

router = APIRouter(prefix="/api/2.0")

# resource: methods of the list, methods of one, fields as `name type flags help` (w: writable, r: required, n: nullable), filters.
_SNAPSHOT = """
uuid string . UUID of the remote snapshot
name string w Human readable name of the remote snapshot
status string . creating, transferring, available or deleting
timestamp string . When it was taken
last_state_change string . When its status changed last
location string wr Where it is stored and billed
allocated_size integer . Bytes that it occupies
drive related wrn Drive that it was taken of; null once the drive is gone
drive_meta dict . What the drive was: name, media, size, storage_type, src_uuid
owner related . Who pays for it
grantees list . With whom it is shared
permissions list . What one who is not the owner may do
meta dict w Data of the user: keys of at most 32 characters, values of text
tags related w Tags
resource_uri string . Where it is
"""
_DRIVE = """
uuid string . UUID of the drive
name string wr Human readable name of the drive
status string . creating, unmounted, cloning_dst or deleting
media string w disk or cdrom
size integer wr Bytes that it can hold
storage_type string . Kind of storage
affinities list w Affinities
jobs related . What is going on with it
meta dict w Data of the user
tags related w Tags
owner related . Owner of the drive
remote_snapshots related . Its remote snapshots
resource_uri string . Where it is
"""
_SUBSCRIPTION = """
id string . Number of the subscription
uuid string . UUID of the subscription
resource string wr What is subscribed to
amount string wr How much of it
remaining string . How much of it is left
start_time datetime w When it begins
end_time datetime wn When it ends
period string wn How long it is
price decimal . What it costs
discount_percent decimal n What its length saves
discount_amount decimal n What its length saves, as money
status string . active, inactive or expired
auto_renew boolean w Whether it extends itself
descendants related . What extends it
subscribed_object string n What it is for, where it is for one thing
was_billed boolean . Whether it was paid
free_tier boolean . Whether it is free
resource_uri string . Where it is
"""
_RESOURCES: dict[str, tuple[str, str, str, tuple[str, ...]]] = {
    "remotesnapshots": ("get post delete", "get put delete post", _SNAPSHOT, ("drive", "uuid", "name", "name__contains", "tag")),
    "drives": ("get post", "get delete", _DRIVE, ("uuid", "name", "name__contains")),
    "jobs": ("get", "get", "uuid string . UUID of the job\nstate string . started or success\nprogress integer . Per cent", ()),
    "subscriptions": ("get post", "get post", _SUBSCRIPTION, ("status", "resource")),
    "groupedsubscriptions": ("get", "", _SUBSCRIPTION, ()),
    "subscriptioncalculator": ("post", "", _SUBSCRIPTION, ()),
    "pricing": (
        "get", "",
        "id string . Number\nresource string . Resource\ncurrency string . Currency\nlevel integer . 0 is the subscription price\n"
        "price decimal . Price of a unit\nunit string . Unit\nmultiplier integer . What a unit is in bytes and seconds", (),
    ),
    "discount": ("get", "", "period string . Length\nvalue decimal . What it saves", ()),
    "balance": ("get", "", "balance decimal . What is there\ncurrency string . Currency\ncredit_limit decimal . Overdraft", ()),
    "currentusage": ("get", "", "balance dict . Balance\nusage dict . burst, subscribed and using by resource", ()),
    "usage": (
        "get", "",
        "amount string . How much\npoll_time datetime . When\nresource string . Of what\nuuid string . By which object",
        ("poll_time_gt", "poll_time_lt"),
    ),
    "burstusage": (
        "get", "", "uuid string . Of whom\namount decimal . Cost\nresource_type string . Of what\nusage integer . The highest",
        ("date", "date__gt", "date__gte", "date__lt", "date__lte"),
    ),
    "dailyburstusage": (
        "get", "", "date string . When\namount decimal . Cost\nresource_type string . Of what\nusage integer . The highest",
        ("date", "date__gt", "date__gte", "date__lt", "date__lte"),
    ),
    "ledger": (
        "get", "",
        "id string . Number\ntime datetime . When it was written\npoll_time datetime . When it was measured\n"
        "billing_cycle integer n Number of the cycle\namount decimal . A debit is positive\ninitial decimal . Balance before\n"
        "end decimal . Balance after\ninterval integer n Seconds\nhuman_interval string n Seconds in words\n"
        "resource_amount string . How much\nreason string . What for", ("time", "time__gt", "time__lt", "billing_cycle"),
    ),
    "locations": (
        "get", "", "id string . Code\ndisplay_name string . Name\ncountry_code string . Country\napi_endpoint string . Its API", (),
    ),
    "profile": ("get put", "", "uuid string . Who\nemail string . E-mail\nclone_naming string w How clones are named", ()),
}  # fmt: skip


def schema(resource: str) -> dict[str, Any]:
    """Describe a resource."""
    of_list, of_one, fields, filters = _RESOURCES[resource]
    described = {}
    for line in fields.strip().splitlines():
        name, kind, flags, text = line.split(" ", 3)
        described[name] = {
            "type": kind, "readonly": "w" not in flags, "required": "r" in flags, "nullable": "n" in flags, "help_text": text,
        }  # fmt: skip
    return {
        "allowed_list_http_methods": of_list.split(),
        "allowed_detail_http_methods": of_one.split(),
        "default_format": "application/json",
        "default_limit": DEFAULT_LIMIT,
        "fields": described,
        "filtering": dict.fromkeys(filters, "exact"),
    }


@router.get("/{resource}/schema/", tags=["schema"])
async def get_schema(_call: Caller, resource: str) -> Response:
    """Describe a resource: allowed methods, fields, filters."""
    if resource not in _RESOURCES:
        raise not_there("resource", resource)
    return reply(schema(resource))
