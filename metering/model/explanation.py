"""One charge, explained: everything that a customer's accountant needs to redo it on paper.

Bytes, byte-seconds and money are strings of plain decimals in JSON, seconds and counts numbers; every interval is half open.
"""

from typing import Literal

from metering.model.records import BigInteger, BilledPeriod, ChargeLine, Instant, Money, Row, State


class ExplainedPoll(Row):
    """The part `[start, end)` of an interval that rests on one poll, and how well it is known by it."""

    endpoint: str
    poll_time: Instant
    state: Literal["measured", "held", "missing"]
    start: Instant
    end: Instant
    ingest_seq: int
    ingested_at: Instant
    file: str | None


class ExplainedSnapshot(Row):
    """A snapshot as a poll listed it: a part of what was occupied."""

    snapshot: str
    drive: str
    name: str
    status: str
    endpoint: str
    allocated_bytes: BigInteger


class ExplainedSubscription(Row):
    """A subscription that entitles within the line's time."""

    id: str
    amount_bytes: BigInteger
    start: Instant
    end: Instant


class ExplainedPrice(Row):
    """A price row in force, why it is this one, and why this level; `price` is None where no row is in force at the level.

    `location` is None where the row holds for every location. `level_source` is `default` where no burst level is in force.
    """

    level: int
    level_source: Literal["default", "location", "every location"]
    level_effective_from: Instant | None
    currency: str | None
    price: str | None
    unit: str | None
    multiplier: BigInteger | None
    location: str | None
    effective_from: Instant | None


class ExplainedInterval(Row):
    """An interval in which nothing changes that counts; `price` is the place of its price in the explanation's list.

    `is_charged` says whether its byte-seconds are part of the line: burst > 0, observed, and at the line's price.
    """

    start: Instant
    end: Instant
    seconds: int
    state: State
    occupied_bytes: BigInteger
    entitled_bytes: BigInteger
    burst_bytes: BigInteger
    burst_byte_seconds: BigInteger
    price: int
    is_charged: bool
    snapshots: list[ExplainedSnapshot]
    subscriptions: list[str]
    polls: list[ExplainedPoll]


class Arithmetic(Row):
    """`burst_byte_seconds × price = product`, `product ÷ multiplier = quotient`, rounded once to `amount`.

    `quotient` has all its decimals, or 30 of them and `…`; `fraction` is exact in lowest terms.
    """

    burst_byte_seconds: BigInteger
    price: str
    currency: str
    unit: str
    multiplier: BigInteger
    product: str
    quotient: str
    fraction: str
    rounding: str
    amount: Money


class Recomputed(Row):
    """The line's figures computed again from the samples, apart from billing, and whether they agree to the last digit."""

    burst_byte_seconds: BigInteger
    burst_seconds: int
    peak_burst_bytes: BigInteger
    amount: Money | None
    agrees: bool


class ExplainedClosing(Row):
    """What froze a line: which closing of what, when, by whom and why. `is_billed` is false where its statement was parked."""

    closing: int
    period: str
    known_at_ingest: int
    closed_at: str
    closed_by: str
    reason: str | None
    is_billed: bool


class Explanation(Row):
    """One charge line, down to the samples; `closing` tells what froze it."""

    charge_id: str
    name: str | None
    period: BilledPeriod
    known_at_ingest: int
    cycle_seconds: int
    max_hold_seconds: int
    line: ChargeLine
    closing: ExplainedClosing | None = None
    recomputed: Recomputed
    arithmetic: Arithmetic | None
    endpoints: list[str]
    intervals: list[ExplainedInterval]
    subscriptions: list[ExplainedSubscription]
    prices: list[ExplainedPrice]


class BilledPart(Row):
    """What one closing billed for a line of a closed period: the line itself, or an adjustment of it.

    Where the statement was parked nothing was billed, and the part does not count.
    """

    charge_id: str
    kind: Literal["burst", "adjustment"]
    closing: ExplainedClosing
    burst_byte_seconds: BigInteger
    burst_seconds: int
    amount: Money | None


class LateFact(Row):
    """Facts of one kind that came since: how many, the first, the ingests that brought them, when, and from which files."""

    cause: str
    count: int
    first: str
    first_ingest: int
    last_ingest: int
    first_ingested_at: Instant
    last_ingested_at: Instant
    files: list[str]
    text: str


class Changed(Row):
    """An interval in which the line's burst is another now than when it was closed; None where the time was in no state."""

    start: Instant
    end: Instant
    seconds: int
    state_then: State | None
    state_now: State | None
    occupied_bytes_then: BigInteger | None
    occupied_bytes_now: BigInteger | None
    entitled_bytes_then: BigInteger | None
    entitled_bytes_now: BigInteger | None
    charged_bytes_then: BigInteger
    charged_bytes_now: BigInteger
    byte_seconds_difference: BigInteger


class ExplainedAdjustment(Row):
    """One adjustment: what the line of the closed period is now, less what was billed for it, both down to the samples.

    `now - billed = line`, for byte-seconds, seconds and the amount: `billed` are the parts that count. `changes` add up to
    `now - then`. `then` and `now` explain the line as it was closed and as it is now; one that was not there has 0.
    `recomputed` is `now`, from the samples, less what was billed; it agrees where that is the line, and `then` is what was closed.
    """

    charge_id: str
    name: str | None
    adjusts: str
    period: BilledPeriod
    known_at_ingest: int
    line: ChargeLine
    closing: ExplainedClosing | None = None
    recomputed: Recomputed
    billed: list[BilledPart]
    causes: list[LateFact]
    changes: list[Changed]
    now: Explanation
    then: Explanation
