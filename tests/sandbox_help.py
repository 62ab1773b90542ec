"""A small world and clients of it, for the tests that talk to the sandbox."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from metering.sandbox import Running, Timing, World, running
from metering.sandbox.world_things import Account, Drive, Snapshot

START_S = 1_790_812_800  # 2026-10-01T00:00:00Z
MIB = 2**20


def small_world(**options) -> World:
    """Two accounts, prices of three levels in two currencies, nothing else; blocks of 1 MiB."""
    world = World(seed=7, start_s=START_S, block_bytes=MIB, **options)
    world.add_account("ann@example.com", "ann's secret", currency="CHF", name="Ann AG")
    world.add_account("ben@example.com", "ben's secret", currency="USD", name="Ben Inc")
    for currency in ("CHF", "USD"):
        for level, price in enumerate(("0.105", "0.28", "0.30")):
            world.money.set_price(price, currency, level, START_S)
    return world


def account_of(world: World, email: str) -> Account:
    account = world.account_by_email(email)
    assert account is not None
    return account


def ready_drive(
    world: World, email: str = "ann@example.com", origin: str = "ZRH", *, blocks: int = 64, name: str = "disk"
) -> Drive:
    drive = world.create_drive(account_of(world, email), origin, name=name, size=blocks * MIB)
    world.advance(world.timing.drive_s)
    return drive


def taken(world: World, drive: Drive, **wanted) -> Snapshot:
    """Take a snapshot and wait until it is available."""
    account = world.accounts[drive.owner]
    (snapshot,) = world.create_snapshots(account, drive.origin, [{"drive": drive.uuid, **wanted}])
    world.advance(world.timing.creating_s + world.timing.transferring_s)
    return snapshot


def with_snapshots(world: World, count: int, email: str = "ann@example.com", origin: str = "ZRH") -> list[Snapshot]:
    """Take a snapshot of each of `count` drives, every one with a mebibyte more than the one before."""
    snapshots = []
    for number in range(count):
        drive = ready_drive(world, email, origin, name=f"disk {number}")
        snapshots.append(taken(world, drive))
        world.write(drive, range(number + 1))
    return snapshots


@contextmanager
def client_of(sandbox: Running, email: str = "ann@example.com", location: str = "ZRH", **options) -> Iterator[httpx.Client]:
    name = email.partition("@")[0]
    with httpx.Client(
        base_url=sandbox.endpoint(location), auth=(email, f"{name}'s secret"), trust_env=False, timeout=30, **options
    ) as client:
        yield client


__all__ = [
    "MIB", "START_S", "Running", "Timing", "World", "account_of", "client_of", "ready_drive", "running", "small_world", "taken",
    "with_snapshots",
]  # fmt: skip
