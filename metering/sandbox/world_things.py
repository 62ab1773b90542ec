"""The things of the emulated provider: accounts, drives, snapshots, jobs, subscriptions, prices, ledger lines.

Plain records; `metering.sandbox.world` is what changes them. Bytes and seconds are integers, money is an exact Fraction.
"""

from bisect import bisect_right
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from metering.model.period import moment
from metering.sandbox.refusal import not_valid
from metering.sandbox.world_blocks import Blocks

LOCATIONS: dict[str, tuple[str, str]] = {
    "GVA": ("Geneva", "CH"), "ZRH": ("Zurich", "CH"), "FRA": ("Frankfurt", "DE"),
    "CWL": ("Cardiff", "GB"), "LON": ("London", "GB"), "DUB": ("Dublin", "IE"),
}  # fmt: skip
CYCLE_S = 300
MULTIPLIER = 2**30 * 2_592_000
UNIT = "GB/month"
RESOURCE = "backup"
MAX_META_KEY = 32


@dataclass(frozen=True, slots=True)
class Timing:
    """How long the provider takes over things, in whole seconds."""

    creating_s: int = 20
    transferring_s: int = 100
    deleting_s: int = 30
    drive_s: int = 5
    cloning_s: int = 60
    snapshot_pause_s: int = 1_800


@dataclass(slots=True)
class Account:
    """A customer, the same in every location: who asks, and who pays."""

    uuid: str
    email: str
    password: str
    currency: str
    name: str
    credit_limit: Fraction = Fraction(0)
    clone_naming: str = "NONE"


@dataclass(slots=True)
class Job:
    """A piece of work that goes on behind an answer."""

    uuid: str
    owner: str
    operation: str
    resources: list[str]
    created: str
    state: str = "started"
    progress: int = 0


@dataclass(slots=True)
class Drive:
    """A drive at the location whose API made it."""

    uuid: str
    owner: str
    origin: str
    name: str
    media: str
    size: int
    status: str
    created_s: int
    blocks: Blocks
    storage_type: str = "dssd"
    meta: dict[str, str] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    affinities: list[str] = field(default_factory=list)
    jobs: list[str] = field(default_factory=list)
    last_snapshot: "Snapshot | None" = None


@dataclass(slots=True)
class Snapshot:
    """A remote snapshot: taken at `origin`, stored and billed at `location`, by copy-on-write of its drive's blocks.

    `changes` are its sizes over time, each from an instant on; it exists during `[created_s, gone_s)`.
    """

    uuid: str
    owner: str
    origin: str
    location: str
    name: str
    drive: Drive | None
    drive_meta: dict[str, Any]
    blocks: Blocks
    number: int
    status: str
    created_s: int
    micros: int
    state_s: int
    meta: dict[str, str] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    grantees: dict[str, tuple[str, ...]] = field(default_factory=dict)
    changes: list[tuple[int, int]] = field(default_factory=list)
    gone_s: int | None = None

    @property
    def size(self) -> int:
        """Its bytes now."""
        return self.changes[-1][1]

    def exists_at(self, instant_s: int) -> bool:
        """Tell whether a listing at an instant shows it."""
        return self.created_s <= instant_s and (self.gone_s is None or instant_s < self.gone_s)

    def size_at(self, instant_s: int) -> int:
        """Give its bytes at an instant, 0 where it does not exist."""
        if not self.exists_at(instant_s):
            return 0
        return self.changes[bisect_right(self.changes, instant_s, key=lambda change: change[0]) - 1][1]


@dataclass(slots=True)
class Subscription:
    """What an account bought: `amount` bytes of a location during `[start_s, end_s)`."""

    id: str
    uuid: str
    account: str
    location: str
    resource: str
    amount: int
    start_s: int
    end_s: int
    nominal_seconds: int
    period: str | None
    price: Fraction
    discount: Fraction
    discount_amount: Fraction
    auto_renew: bool
    parent: "Subscription | None" = None
    child: "Subscription | None" = None

    def status_at(self, instant_s: int) -> str:
        """Give its status, which follows from its interval alone."""
        if instant_s < self.start_s:
            return "inactive"
        return "active" if instant_s < self.end_s else "expired"


@dataclass(frozen=True, slots=True)
class PriceRow:
    """What one unit costs at a level from an instant on; an empty location means every one. Level 0 is the subscription price."""

    id: str
    currency: str
    level: int
    price: str
    effective_from_s: int
    location: str = ""
    resource: str = RESOURCE
    unit: str = UNIT
    multiplier: int = MULTIPLIER

    @property
    def per_byte_second(self) -> Fraction:
        """The exact price of one byte for one second."""
        return Fraction(self.price) / self.multiplier


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """A movement of a balance, in units of 10⁻²⁰; a debit is positive. Cycles are None where none was billed."""

    id: int
    time_s: int
    poll_s: int
    billing_cycle: int | None
    interval: int | None
    amount_units: int
    initial_units: int
    end_units: int
    resource_amount: int
    reason: str


def spaced_time(instant_s: int, micros: int = 0) -> str:
    """Write an instant as snapshots have it: `2026-10-05 20:51:48.779709+00:00`."""
    return moment(instant_s).replace(microsecond=micros).isoformat(sep=" ")


def iso_time(instant_s: int) -> str:
    """Write an instant as the money side has it: `2026-10-05T20:51:48+00:00`."""
    return moment(instant_s).isoformat()


def checked_meta(meta: Any) -> dict[str, str]:
    """Check metadata: keys of at most 32 characters, values of text."""
    if not isinstance(meta, dict):
        raise not_valid("meta is an object", "meta")
    for key, value in meta.items():
        if len(key) > MAX_META_KEY:
            raise not_valid(f"the key {key[:MAX_META_KEY]!r}… is longer than {MAX_META_KEY} characters", "meta")
        if not isinstance(value, str):
            raise not_valid(f"the value of {key!r} is no text", "meta")
    return dict(meta)
