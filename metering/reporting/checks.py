"""The checks of an audit: what each looks for, how bad it is, what it means and what to do.

A check is either a finding of every bill (`billing/findings.py`) or a query of `queries/audit/` that returns the offending rows,
so that empty means good. A row becomes one finding: `account`, `location`, `finding_count` and `finding_seconds` are its own,
everything else is told in its message.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from metering.model.limits import AuditLimits
from metering.model.records import Severity

Row = dict[str, Any]
Keep = Callable[[Row, AuditLimits], bool]


@dataclass(frozen=True, slots=True)
class Check:
    """A check: its query or, where every bill has the finding, its name; severity, what it means and what to do.

    `told` is its message, with columns of the query's row in braces. `keep` decides what SQL must not: it tells whether a row is an
    offence.
    """

    source: str
    severity: Severity
    means: str
    do: str
    told: str = ""
    keep: Keep | None = None

    @property
    def name(self) -> str:
        """What its findings are called: as its query."""
        return self.source.rpartition("/")[2]


def _is_jump(row: Row, limits: AuditLimits) -> bool:
    """Whether a price is more than so many times the one before, or less than the so-many-th part, exactly."""
    after = Fraction(row["price"]) / int(row["multiplier"])
    before = Fraction(row["price_before"]) / int(row["multiplier_before"])
    return max(after, before) > limits.price_factor * min(after, before)


def _is_hardly_used(row: Row, limits: AuditLimits) -> bool:
    return 100 * int(row["used_byte_seconds"]) < limits.used_percent * int(row["entitled_byte_seconds"])


BILL_CHECKS = (
    Check("missing_time", "warning", "nobody looked, so nothing is billed for that time", "bring the polls if there are any"),
    Check("partial_time", "warning", "some of the endpoints that feed a location were not polled", "bring the polls that lack"),
    Check("held_time", "info", "a poll came late, and the one before was held", "nothing, unless there is much of it"),
    Check("unpriced_burst", "error", "burst has no price, and its statement is parked", "ingest the price, or the account"),
    Check("unknown_location", "warning", "a location is none that is known", "correct it, or add it to the locations"),
    Check(
        "rejected_rows",
        "error",
        "rows could not be taken, and their polls with them",
        "correct the file and ingest it again, under the name that it had",
    ),
    Check("conflicting_facts", "error", "a fact came again with other content", "keep the first, or --supersede"),
    Check("conflicting_polls", "error", "a poll came again with other content", "keep the first, or --supersede"),
    Check("owner_not_polled", "warning", "snapshots were seen whose owner nobody polls or bills", "poll the owner"),
    Check("failed_polls", "info", "requests of the collector failed, which is why nobody looked", "see to the cause that it names"),
    Check(
        "unread_subscriptions",
        "warning",
        "the list of subscriptions could not be read, so what was bought since is not known",
        "see to the cause that it names, and collect again",
    ),
    Check(
        "unread_prices",
        "warning",
        "the list of prices could not be read, so what was set since is not known",
        "see to the cause that it names, and collect again",
    ),
    Check("odd_listings", "info", "a listing was taken that did not agree with itself", "nothing, unless there are many"),
    Check("listed_twice", "info", "a snapshot is listed at several endpoints, and counted at one", "nothing"),
)

QUERY_CHECKS = (
    Check(
        "audit/duplicate_polls", "error", "more than one poll of one instant is in force, so that it counts twice",
        "restore the store from a backup, and report this",
        "two polls at {endpoint} are in force at one instant, the first at {first_poll_s}",
    ),
    Check(
        "audit/snapshots_above_drive", "warning", "a snapshot cannot hold more than its drive", "ask the provider",
        "snapshot {snapshot} has {allocated_bytes}, and its drive {drive} only {drive_bytes}",
    ),
    Check(
        "audit/stuck_snapshots", "warning", "a snapshot stays in the making: it is billed, but may not be restorable",
        "ask the provider, or delete it",
        "snapshot {snapshot} was {status} from {first_poll_s} to {last_poll_s}",
    ),
    Check(
        "audit/clock_skew", "warning", "our clock and the provider's differ, so intervals may begin and end at the wrong time",
        "set the collector's clock",
        "polls at {endpoint} are dated up to {finding_seconds} apart from the provider's clock, first at {first_poll_s}",
    ),
    Check(
        "audit/sizes_that_jump", "warning", "a size grew more than can be true between two polls",
        "ask the provider before billing it",
        "snapshot {snapshot} grew from {before_bytes} to {after_bytes} at {poll_s}",
    ),
    Check(
        "audit/sizes_that_vanish", "warning", "a size fell to 0 and came back, so a listing was wrong and too little is billed",
        "supersede the wrong polls, or leave the credit",
        "snapshot {snapshot} fell from {before_bytes} to 0 at {poll_s}, and was {after_bytes} again at {after_s}",
    ),
    Check(
        "audit/price_changes", "warning", "a price is many times the one before, which mostly is a slip of point or unit",
        "compare it with the contract; supersede it if it is wrong",
        "the {currency} price of level {level} goes from {price_before} per {unit_before} to {price} per {unit} at "
        "{effective_from_s}",
        _is_jump,
    ),
    Check(
        "audit/overlapping_subscriptions", "info", "two subscriptions of one amount overlap: both count, and both are paid",
        "let a renewal begin when the old one ends",
        "subscriptions {first_id} and {second_id}, each of {subscribed_bytes}, overlap from {overlap_starts_at_s} to "
        "{overlap_ends_at_s}",
    ),
    Check(
        "audit/expiring_subscriptions", "info", "a subscription ends soon and nothing follows: what it covers will be burst",
        "extend it, `metering quote --extend`", "subscription {id} of {subscribed_bytes} ends at {end_s}",
    ),
    Check(
        "audit/unused_subscriptions", "info", "subscriptions are hardly used, and paid for nothing", "buy less at the next renewal",
        "of {entitled_byte_seconds} that subscriptions entitle to, {used_byte_seconds} were used", _is_hardly_used,
    ),
    Check(
        "audit/unpolled_subscriptions", "warning", "there are subscriptions where nobody polls: burst would go unnoticed",
        "poll the location, or correct the subscription",
        "subscriptions of {subscribed_bytes} in all, and no poll of the location",
    ),
    Check(
        "audit/sums_that_differ", "error", "usage is not what the samples make when they are added up apart from billing",
        "do not send the bill; report this",
        "on {date_s} billing has {billed_seconds} s, {billed_occupied_byte_seconds} occupied, {billed_burst_byte_seconds} burst; "
        "the samples make {recomputed_seconds} s, {recomputed_occupied_byte_seconds}, {recomputed_burst_byte_seconds}",
    ),
    Check(
        "audit/snapshot_sums_that_differ", "error", "snapshots do not add up to what is billed for them",
        "do not send the bill; report this",
        "snapshots add up to {snapshots_byte_seconds}, billing has {billed_byte_seconds}",
    ),
)  # fmt: skip

# Of the bill as a whole: held together in Python, which alone touches money.
LINE_SUMS = Check(
    "line_sums_that_differ", "error", "lines do not add up to their usage or their statement", "do not send the bill; report this",
    "the lines add up to {lines}, {other}",
)  # fmt: skip

# Of what is closed: `metering verify` finds them, and the bills that carry adjustments.
BOOKS_DIFFER = Check(
    "books_that_differ", "error", "what is closed, or a fact it rests on, is not as it was",
    "see `metering verify`; restore a backup", "{difference}",
)  # fmt: skip
BOOK_CHECKS = (
    Check("restated", "info", "facts came late for a closed period, which is adjusted here", "tell the customer, with `explain`"),
    Check(
        "closed_period",
        "warning",
        "time of the period is closed and billed already, in another statement",
        "bill just what is closed, or what is open; nothing where it is computed anew only to compare",
    ),
    Check(
        "closings_missing",
        "error",
        "the store lacks a closing that was made, so that it may bill a second time what that billed",
        "bring the newer store back, or remove the head file if that is meant",
    ),
    BOOKS_DIFFER,
)

CHECKS = (*BILL_CHECKS, *QUERY_CHECKS, LINE_SUMS, *BOOK_CHECKS)
