"""How the world looks in the API: each thing as the JSON object that PROVIDER.md describes."""

from datetime import timedelta
from fractions import Fraction
from typing import Any

from metering.sandbox.world import World
from metering.sandbox.world_money import decimal_text, exact_text, human_interval, in_units
from metering.sandbox.world_things import (
    LOCATIONS,
    RESOURCE,
    Account,
    Drive,
    Job,
    LedgerLine,
    PriceRow,
    Snapshot,
    Subscription,
    iso_time,
    spaced_time,
)

View = dict[str, Any]


def reference(base: str, resource: str, uuid: str) -> View:
    """Refer to an object: its UUID and where it is."""
    return {"uuid": uuid, "resource_uri": f"{base}/{resource}/{uuid}/"}


def snapshot_view(base: str, snapshot: Snapshot, account: Account) -> View:
    """Show a remote snapshot to an account; only its owner sees the grantees, only others see their permissions."""
    is_owner = snapshot.owner == account.uuid
    return {
        "uuid": snapshot.uuid,
        "name": snapshot.name,
        "status": snapshot.status,
        "timestamp": spaced_time(snapshot.created_s, snapshot.micros),
        "last_state_change": spaced_time(snapshot.state_s, snapshot.micros),
        "location": snapshot.location,
        "allocated_size": snapshot.size,
        "drive": reference(base, "drives", snapshot.drive.uuid) if snapshot.drive else None,
        "drive_meta": snapshot.drive_meta,
        "owner": reference(base, "user", snapshot.owner),
        "grantees": [
            {"user": reference(base, "user", uuid), "permissions": list(permissions)}
            for uuid, permissions in snapshot.grantees.items()
        ]
        if is_owner
        else [],
        "permissions": [] if is_owner else list(snapshot.grantees.get(account.uuid, ("LIST",))),
        "meta": snapshot.meta,
        "tags": [reference(base, "tags", tag) for tag in snapshot.tags],
        "resource_uri": f"{base}/remotesnapshots/{snapshot.uuid}/",
    }


def drive_view(base: str, drive: Drive, remote_snapshots: list[str]) -> View:
    """Show a drive with its remote snapshots."""
    return {
        "uuid": drive.uuid,
        "name": drive.name,
        "status": drive.status,
        "media": drive.media,
        "size": drive.size,
        "storage_type": drive.storage_type,
        "allow_multimount": False,
        "affinities": drive.affinities,
        "backup_scheduler": None,
        "grantees": [],
        "permissions": [],
        "jobs": [reference(base, "jobs", job) for job in drive.jobs],
        "licenses": [],
        "meta": drive.meta,
        "mounted_on": [],
        "owner": reference(base, "user", drive.owner),
        "remote_snapshots": [reference(base, "remotesnapshots", uuid) for uuid in remote_snapshots],
        "runtime": {
            "is_snapshotable": drive.status == "unmounted",
            "snapshots_allocated_size": 0,
            "storage_type": drive.storage_type,
        },
        "snapshots": [],
        "tags": [reference(base, "tags", tag) for tag in drive.tags],
        "resource_uri": f"{base}/drives/{drive.uuid}/",
    }


def job_view(base: str, job: Job) -> View:
    """Show a job."""
    return {
        "uuid": job.uuid,
        "operation": job.operation,
        "state": job.state,
        "progress": job.progress,
        "resources": [f"{base}/drives/{uuid}/" for uuid in job.resources],
        "created": job.created,
        "last_modified": job.created,
        "children": [],
        "data": {"progress": job.progress},
        "resource_uri": f"{base}/jobs/{job.uuid}/",
    }


def subscription_view(base: str, subscription: Subscription, now_s: int) -> View:
    """Show a subscription; `period` is its whole length, as the provider writes it: `31 days, 22:04:59`."""
    child = subscription.child
    descendants = []
    while child is not None:
        descendants.append(f"{base}/subscriptions/{child.id}/")
        child = child.child
    return {
        "id": subscription.id,
        "uuid": subscription.uuid,
        "resource": subscription.resource,
        "amount": str(subscription.amount),
        "remaining": str(subscription.amount),
        "start_time": iso_time(subscription.start_s),
        "end_time": iso_time(subscription.end_s),
        "period": str(timedelta(seconds=subscription.end_s - subscription.start_s)),
        "price": exact_text(subscription.price),
        "discount_percent": exact_text(subscription.discount * 100),
        "discount_amount": exact_text(subscription.discount_amount),
        "discounts": [],
        "free_tier": False,
        "status": subscription.status_at(now_s),
        "auto_renew": subscription.auto_renew,
        "descendants": descendants,
        "subscribed_object": None,
        "was_billed": bool(subscription.id),
        "resource_uri": f"{base}/subscriptions/{subscription.id}/" if subscription.id else None,
    }


def price_view(row: PriceRow) -> View:
    """Show a price."""
    price = decimal_text(in_units(Fraction(row.price)))
    return {
        "id": row.id, "resource": row.resource, "currency": row.currency, "level": row.level, "price": price, "unit": row.unit,
        "multiplier": row.multiplier,
    }  # fmt: skip


def ledger_view(line: LedgerLine) -> View:
    """Show a movement of the balance."""
    return {
        "id": str(line.id),
        "time": iso_time(line.time_s),
        "poll_time": iso_time(line.poll_s),
        "billing_cycle": line.billing_cycle,
        "interval": line.interval,
        "human_interval": None if line.interval is None else human_interval(line.interval),
        "amount": decimal_text(line.amount_units),
        "initial": decimal_text(line.initial_units),
        "end": decimal_text(line.end_units),
        "resource_amount": str(line.resource_amount),
        "reason": line.reason,
    }


def usage_view(snapshot: Snapshot, poll_s: int) -> View:
    """Show one of the provider's own samples: a snapshot at the begin of a cycle."""
    return {
        "amount": str(snapshot.size_at(poll_s)), "poll_time": iso_time(poll_s), "resource": RESOURCE, "uuid": snapshot.uuid
    }  # fmt: skip


def burst_view(lines: list[LedgerLine]) -> View:
    """Show the burst of some lines of the ledger: what they cost together, and the highest of them."""
    return {
        "amount": decimal_text(sum(line.amount_units for line in lines)),
        "resource_type": RESOURCE,
        "usage": max(line.resource_amount for line in lines),
    }


def balance_view(world: World, account: Account, location: str) -> View:
    """Show what an account has in a location."""
    return {
        "balance": decimal_text(world.money.balance_units[account.uuid, location]),
        "currency": account.currency,
        "credit_limit": exact_text(account.credit_limit),
    }


def location_view(code: str, endpoint: str) -> View:
    """Show a location and where its API is."""
    place, country = LOCATIONS.get(code, (code, ""))
    return {
        "id": code,
        "display_name": place,
        "country_code": country,
        "api_endpoint": endpoint,
        "resource_uri": f"/api/2.0/locations/{code}/",
    }


def profile_view(account: Account) -> View:
    """Show who is asking."""
    return {
        "uuid": account.uuid,
        "email": account.email,
        "first_name": account.name,
        "last_name": "",
        "company": account.name,
        "currency": account.currency,
        "clone_naming": account.clone_naming,
        "state": "REGULAR",
        "meta": {},
    }
