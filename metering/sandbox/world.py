"""The emulated provider: a world of accounts, drives, remote snapshots and money on a virtual clock.

Nothing here knows of HTTP, and nothing of the pipeline: the server shows the world, the tests step it, and `world_bill` reads
its bill off its history. What happens, happens at a whole second; between two calls of `advance` the clock stands.
"""

import functools
import random
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import Any

from metering.sandbox.refusal import not_allowed, not_there, not_valid
from metering.sandbox.world_blocks import Blocks
from metering.sandbox.world_clock import Clockwork
from metering.sandbox.world_money import Money, in_units
from metering.sandbox.world_naming import clone_name
from metering.sandbox.world_things import CYCLE_S, LOCATIONS, Account, Drive, Job, Snapshot, Timing, checked_meta, spaced_time

_BUSY = ("creating", "transferring")
_NOT_CLONED = (*_BUSY, "deleting")
MIN_DRIVE_BYTES = 2**20
MAX_DRIVE_BYTES = 2**50

Life = Callable[["World", int], None]


class World(Clockwork):
    """A provider with state.

    Args:
        seed: all that is random follows from it.
        start_s: the virtual instant at which it begins.
        locations: the codes it has, each under an API of its own.
        timing: how long things take.
        cycle_s: how often the provider looks and bills.
        block_bytes: the grain of copy-on-write.
        list_stored: whether a location's API lists also the snapshots that other locations' APIs stored there.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        start_s: int = 1_790_812_800,
        locations: Iterable[str] = LOCATIONS,
        timing: Timing | None = None,
        cycle_s: int = CYCLE_S,
        block_bytes: int = 4 * 2**20,
        list_stored: bool = False,
    ) -> None:
        super().__init__(start_s, cycle_s)
        self.seed = seed
        self.random = random.Random(seed)  # noqa: S311 -- a seeded world, no secret
        self.locations = tuple(locations)
        self.timing = timing or Timing()
        self.block_bytes = block_bytes
        self.list_stored = list_stored
        self.money = Money(self.new_uuid)
        self.accounts: dict[str, Account] = {}
        self._by_email: dict[str, Account] = {}
        self.drives: dict[str, Drive] = {}
        self.jobs: dict[str, Job] = {}
        self.snapshots: dict[str, Snapshot] = {}
        self.gone: list[Snapshot] = []
        self.occupied: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.lives: list[Life] = []
        self._listed: defaultdict[tuple[str, str], dict[str, Snapshot]] = defaultdict(dict)
        self._numbered: defaultdict[Blocks, dict[int, Snapshot]] = defaultdict(dict)

    def _cycle(self) -> None:
        """Live for a cycle, then look: renewals first, so that a chain has no gap."""
        self.money.renew(self.accounts, self.now_s)
        for life in self.lives:
            life(self, self.now_s)
        self.money.bill_cycle(self.accounts, self.occupied, self.now_s, self.cycle_s)

    def new_uuid(self) -> str:
        """Make a UUID that follows from the seed."""
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    # Accounts

    def add_account(
        self,
        email: str,
        password: str,
        *,
        currency: str = "CHF",
        name: str = "",
        funds: Fraction = Fraction(100_000),
        credit_limit: Fraction = Fraction(0),
    ) -> Account:
        """Open an account, with the same funds in every location."""
        account = Account(self.new_uuid(), email, password, currency, name or email, credit_limit)
        self.accounts[account.uuid] = account
        self._by_email[email] = account
        for location in self.locations if funds else ():
            self.money.move((account.uuid, location), self.now_s, -in_units(funds), "Payment through bank transfer")
        return account

    def account_by_email(self, email: str) -> Account | None:
        """Find an account by what it logs in with."""
        return self._by_email.get(email)

    # Drives

    def create_drive(
        self,
        account: Account,
        origin: str,
        *,
        name: str,
        size: int,
        media: str = "disk",
        meta: dict[str, str] | None = None,
        tags: Sequence[str] = (),
        affinities: Sequence[str] = (),
        status: str = "creating",
    ) -> Drive:
        """Create a drive; it is `unmounted` when it is ready."""
        if media not in ("disk", "cdrom"):
            raise not_valid("media is disk or cdrom", "media")
        if not MIN_DRIVE_BYTES <= size <= MAX_DRIVE_BYTES:
            raise not_valid(f"size is from {MIN_DRIVE_BYTES} to {MAX_DRIVE_BYTES} bytes", "size")
        drive = Drive(
            self.new_uuid(), account.uuid, origin, name, media, size, status, self.now_s, Blocks(size, self.block_bytes),
            meta=checked_meta(meta or {}), tags=list(tags), affinities=list(affinities),
        )  # fmt: skip
        self.drives[drive.uuid] = drive
        if status == "creating":
            self.after(self.timing.drive_s, lambda: self._ready(drive))
        return drive

    def drive(self, account: Account, origin: str, identifier: str) -> Drive:
        """Find one of an account's drives."""
        found = self.drives.get(identifier)
        if found is None or (found.owner, found.origin) != (account.uuid, origin):
            raise not_there("drive", identifier)
        return found

    def drives_of(self, account: Account, origin: str) -> list[Drive]:
        """List an account's drives in a location, oldest first."""
        return [drive for drive in self.drives.values() if (drive.owner, drive.origin) == (account.uuid, origin)]

    def delete_drive(self, drive: Drive) -> None:
        """Delete a drive; its remote snapshots stay."""
        if drive.status in ("creating", "cloning_dst"):
            raise not_allowed(f"the drive is {drive.status}")
        if drive.status != "deleting":
            drive.status = "deleting"
            self.after(self.timing.deleting_s, lambda: self._forget_drive(drive))

    def write(self, drive: Drive, blocks: Iterable[int]) -> None:
        """Overwrite blocks of a drive with new data."""
        grown = drive.blocks.write(blocks)
        if grown is not None:
            self._resize(self._numbered[drive.blocks][grown])

    def _ready(self, drive: Drive) -> None:
        drive.status = "unmounted"

    def _forget_drive(self, drive: Drive) -> None:
        del self.drives[drive.uuid]
        for snapshot in self._numbered[drive.blocks].values():
            snapshot.drive = None

    # Snapshots

    def listing(self, account: Account, endpoint: str) -> list[Snapshot]:
        """List what an account may see at an endpoint, its own and what is shared with it, oldest first."""
        return sorted(self._listed[endpoint, account.uuid].values(), key=lambda snapshot: (snapshot.created_s, snapshot.uuid))

    def snapshot(self, account: Account, endpoint: str, identifier: str) -> Snapshot:
        """Find a snapshot that an account may see at an endpoint."""
        found = self._listed[endpoint, account.uuid].get(identifier)
        if found is None:
            raise not_there("remote snapshot", identifier)
        return found

    def create_snapshots(self, account: Account, origin: str, wanted: Sequence[dict[str, Any]]) -> list[Snapshot]:
        """Take remote snapshots, all or none: each of `drive`, with `location`, `name`, `meta` and `tags` as wished."""
        drives = [self._snapshotable(account, origin, each) for each in wanted]
        twice = next((drive for i, drive in enumerate(drives) if drive in drives[:i]), None)
        if twice is not None:
            raise not_allowed(f"the drive {twice.uuid} cannot have two remote snapshots within 30 minutes")
        return [self._take(account, origin, drive, each) for drive, each in zip(drives, wanted, strict=True)]

    def _snapshotable(self, account: Account, origin: str, wanted: dict[str, Any]) -> Drive:
        drive = self.drive(account, origin, wanted["drive"])
        if wanted.get("location") not in (None, *self.locations):
            raise not_valid(f"{wanted['location']!r} is no location; choose from {', '.join(self.locations)}", "location")
        checked_meta(wanted.get("meta") or {})
        if drive.status in ("creating", "cloning_dst", "deleting"):
            raise not_allowed(f"the drive is {drive.status}")
        last = drive.last_snapshot
        if last is not None and last.gone_s is None and last.status in _BUSY:
            raise not_allowed(f"the last remote snapshot of the drive is {last.status}: wait until it is available")
        if last is not None and self.now_s < last.created_s + self.timing.snapshot_pause_s:
            raise not_allowed("the drive had a remote snapshot within 30 minutes: wait")
        return drive

    def _take(self, account: Account, origin: str, drive: Drive, wanted: dict[str, Any]) -> Snapshot:
        location = wanted.get("location") or origin
        snapshot = Snapshot(
            uuid=self.new_uuid(), owner=account.uuid, origin=origin, location=location, name=wanted.get("name") or drive.name,
            drive=drive,
            drive_meta={
                "name": drive.name, "media": drive.media, "size": drive.size, "storage_type": drive.storage_type,
                "src_uuid": drive.uuid,
            },
            blocks=drive.blocks, number=drive.blocks.take(), status="creating", created_s=self.now_s,
            micros=self.random.randrange(1_000_000), state_s=self.now_s, meta=dict(wanted.get("meta") or {}),
            tags=list(wanted.get("tags") or ()), changes=[(self.now_s, 0)],
        )  # fmt: skip
        self._numbered[drive.blocks][snapshot.number] = snapshot
        drive.last_snapshot = snapshot
        self.snapshots[snapshot.uuid] = snapshot
        for endpoint in self.endpoints_of(snapshot):
            self._listed[endpoint, account.uuid][snapshot.uuid] = snapshot
        self.after(self.timing.creating_s, lambda: self._turn(snapshot, "transferring"))
        self.after(self.timing.creating_s + self.timing.transferring_s, lambda: self._turn(snapshot, "available"))
        return snapshot

    def endpoints_of(self, snapshot: Snapshot) -> tuple[str, ...]:
        """Give the locations whose API lists a snapshot."""
        if self.list_stored and snapshot.location != snapshot.origin:
            return snapshot.origin, snapshot.location
        return (snapshot.origin,)

    def share(self, snapshot: Snapshot, account: Account, permissions: tuple[str, ...] = ("LIST",)) -> None:
        """Let another account see a snapshot: its owner pays on."""
        snapshot.grantees[account.uuid] = permissions
        for endpoint in self.endpoints_of(snapshot):
            self._listed[endpoint, account.uuid][snapshot.uuid] = snapshot

    def edit_snapshot(self, account: Account, snapshot: Snapshot, changes: dict[str, Any]) -> Snapshot:
        """Change `name`, `meta` (replaced whole) and `tags`; whatever else is said is read only and ignored."""
        self._permit(account, snapshot, "EDIT")
        self._settled(snapshot, "edited")
        meta = None if changes.get("meta") is None else checked_meta(changes["meta"])
        snapshot.name = snapshot.name if changes.get("name") is None else changes["name"]
        snapshot.meta = snapshot.meta if meta is None else meta
        snapshot.tags = snapshot.tags if changes.get("tags") is None else list(changes["tags"])
        return snapshot

    def delete_snapshots(self, account: Account, snapshots: Sequence[Snapshot]) -> None:
        """Begin to delete, all or none; what is being deleted already stays so."""
        for snapshot in snapshots:
            self._permit(account, snapshot, "EDIT")
            self._settled(snapshot, "deleted")
        for snapshot in snapshots:
            if snapshot.status != "deleting":
                self._turn(snapshot, "deleting")
                self.after(self.timing.deleting_s, functools.partial(self._forget, snapshot))

    def clone_snapshot(
        self,
        account: Account,
        snapshot: Snapshot,
        *,
        name: str | None = None,
        media: str | None = None,
        affinities: Sequence[str] = (),
    ) -> Drive:
        """Make a drive of a snapshot; it goes on behind a job."""
        self._permit(account, snapshot, "CLONE")
        if snapshot.status in _NOT_CLONED:
            raise not_allowed(f"the remote snapshot is {snapshot.status}: it cannot be cloned")
        drive = self.create_drive(
            account,
            snapshot.origin,
            name=clone_name(snapshot.name, account.clone_naming, self.now_s) if name is None else name,
            size=snapshot.drive_meta["size"],
            media=snapshot.drive_meta["media"] if media is None else media,
            meta=dict(snapshot.meta),
            tags=snapshot.tags,
            affinities=affinities,
            status="cloning_dst",
        )
        job = Job(self.new_uuid(), account.uuid, "drive_clone", [drive.uuid], spaced_time(self.now_s))
        self.jobs[job.uuid] = job
        drive.jobs.append(job.uuid)
        self.after(self.timing.cloning_s, lambda: self._cloned(drive, job))
        return drive

    def _cloned(self, drive: Drive, job: Job) -> None:
        job.state, job.progress = "success", 100
        drive.jobs.clear()
        self._ready(drive)

    def _permit(self, account: Account, snapshot: Snapshot, permission: str) -> None:
        if snapshot.owner != account.uuid and permission not in snapshot.grantees.get(account.uuid, ()):
            raise not_allowed(f"the remote snapshot is shared with you without the permission {permission}")

    def _settled(self, snapshot: Snapshot, done: str) -> None:
        if snapshot.status in _BUSY:
            raise not_allowed(f"the remote snapshot is {snapshot.status}: it cannot be {done}")

    def _turn(self, snapshot: Snapshot, status: str) -> None:
        snapshot.status, snapshot.state_s = status, self.now_s

    def _forget(self, snapshot: Snapshot) -> None:
        """End a snapshot: the blocks that an older one needs pass to it."""
        self.occupied[snapshot.owner, snapshot.location] -= snapshot.size
        snapshot.gone_s = self.now_s
        del self.snapshots[snapshot.uuid], self._numbered[snapshot.blocks][snapshot.number]
        self.gone.append(snapshot)
        for endpoint in self.endpoints_of(snapshot):
            for account in (snapshot.owner, *snapshot.grantees):
                del self._listed[endpoint, account][snapshot.uuid]
        heir = snapshot.blocks.drop(snapshot.number)
        if heir is not None:
            self._resize(self._numbered[snapshot.blocks][heir])

    def _resize(self, snapshot: Snapshot) -> None:
        before, after = snapshot.size, snapshot.blocks.held_bytes(snapshot.number)
        if snapshot.changes[-1][0] == self.now_s:
            snapshot.changes[-1] = (self.now_s, after)
        else:
            snapshot.changes.append((self.now_s, after))
        self.occupied[snapshot.owner, snapshot.location] += after - before

    def history(self) -> list[Snapshot]:
        """Give every snapshot that ever was, in the order of their creation."""
        return sorted([*self.gone, *self.snapshots.values()], key=lambda snapshot: (snapshot.created_s, snapshot.uuid))
