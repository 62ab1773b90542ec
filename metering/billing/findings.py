"""What a person should know before believing a bill: each finding says what is the matter and what to do."""

from collections import defaultdict

from metering.billing.usage import Computation
from metering.engine.interface import QueryEngine
from metering.model.period import date_text, instant_text
from metering.model.records import ChargeLine, Finding, Severity, UsageRow
from metering.model.units import counted, shown_time

_STATES: tuple[tuple[str, Severity, str], ...] = (
    ("missing", "warning", "nobody looked: not billed; bring the polls of that time if there are any"),
    ("partial", "warning", "some of the endpoints that feed it were missing: billed by those that were not"),
    ("held", "info", "the poll before was held: billed as if nothing had changed"),
)


def find(
    engine: QueryEngine, computation: Computation, usage: list[UsageRow], lines: list[ChargeLine], locations: frozenset[str]
) -> list[Finding]:
    """Find what is doubtful in a computed period, sorted by check, account and location."""
    found = [
        *_unobserved(usage),
        *_unpriced(lines),
        *_unknown_locations(usage, locations),
        *_rejected(engine, computation),
        *_conflicting(engine, computation),
        *_shared(engine, computation),
        *_failed(engine, computation),
        *_unread(engine, computation),
    ]
    return sorted(found, key=finding_order)


def finding_order(finding: Finding) -> tuple[str, ...]:
    """Give what findings are sorted by."""
    return finding.check, finding.account or "", finding.location or "", finding.message


def _unobserved(usage: list[UsageRow]) -> list[Finding]:
    return [
        Finding(
            check=f"{state}_time", severity=severity, account=row.account, location=row.location, seconds=seconds,
            message=f"{shown_time(seconds)} {state}: {meaning}",
        )
        for row in usage
        for state, severity, meaning in _STATES
        if (seconds := getattr(row, f"{state}_seconds"))
    ]  # fmt: skip


def _unpriced(lines: list[ChargeLine]) -> list[Finding]:
    dates: defaultdict[tuple[str, str, str | None, int], list[int]] = defaultdict(list)
    for line in lines:
        if line.amount is None:
            dates[line.account, line.location, line.currency, line.level].append(line.date)
    found = []
    for (account, location, currency, level), days in dates.items():
        first, last = date_text(min(days)), date_text(max(days))
        when = f"on {first}" if first == last else f"from {first} to {last}"
        if currency is None:
            message = "burst is unpriced: the account is not among the accounts, so its currency is not known; add it there"
        else:
            message = f"burst is unpriced: no {currency} price of level {level} is in force {when}; add one to the prices"
        found.append(
            Finding(
                check="unpriced_burst", severity="error", account=account, location=location, count=len(days),
                message=f"{message}; the statement is parked",
            )
        )  # fmt: skip
    return found


def _unknown_locations(usage: list[UsageRow], locations: frozenset[str]) -> list[Finding]:
    return [
        Finding(
            check="unknown_location", severity="warning", account=row.account, location=row.location,
            message="the location is none that is known: metered all the same; correct it, or add it to the locations",
        )
        for row in usage
        if row.location not in locations
    ]  # fmt: skip


def _rejected(engine: QueryEngine, computation: Computation) -> list[Finding]:
    return [
        Finding(
            check="conflicting_facts" if row["field"] == "conflict" else "rejected_rows", severity="error",
            account=row["account"] or None, count=row["row_count"],
            message=f"{counted(row['row_count'], 'row')} of {row['table_name']} not taken, the first {row['first_place']}: "
            f"{row['field']} {row['reason']}",
        )
        for row in engine.rows("billing/open_rejections", computation.parameters)
    ]  # fmt: skip


def _conflicting(engine: QueryEngine, computation: Computation) -> list[Finding]:
    return [
        Finding(
            check="conflicting_polls", severity="error", account=row["account"], count=row["poll_count"],
            message=f"{counted(row['poll_count'], 'poll')} at {row['endpoint']} arrived "
            + ("again with other content" if row["is_taken"] else "with two different contents at once")
            + f", the first of {instant_text(row['first_poll_s'])}: "
            + (
                "what came first stays; `metering ingest --supersede` replaces it"
                if row["is_taken"]
                else "neither was taken; ingest the right one alone"
            ),
        )
        for row in engine.rows("billing/open_conflicts", computation.parameters)
    ]  # fmt: skip


_CAUSES = {
    "credential": "the login was refused: renew it, and see `metering collect --check`",
    "timeout": "no answer came in time",
    "unreachable": "there was no connection: `metering collect --check` tells why, if it is so still",
    "refused": "the provider refused it, was overloaded, or has moved to another address",
    "malformed": "what came was no whole answer",
    "too_large": "it is larger than may be read: raise `response_bytes` or `objects` in [limits]",
    "incomplete": "the listing never came to rest, or did not add up",
    "spool": "the spool could not be written: make room on its disk",
    "total_count": "the listing's total_count was too small beside what it listed; the listing was taken",
    "listed_twice": "the listing named objects twice, alike; each was counted once",
    "foreign_only": "the listing named other accounts' snapshots only, where own ones were before, and counts as it says: were "
    "they deleted, or did the provider take the login for another's?",
    "repeats_login": "the listing repeated the password or the login's header, which is withheld: tell whoever runs the provider, "
    "or a proxy before it, unless a customer wrote it into a name",
}


def _failed(engine: QueryEngine, computation: Computation) -> list[Finding]:
    """Tell why nobody looked; how much time that cost is told by the states of time."""
    return [
        Finding(
            check="failed_polls" if row["outcome"] == "failed" else "odd_listings", severity="info", account=row["account"],
            count=row["request_count"],
            message=f"{counted(row['request_count'], 'request')} for {row['resource']} at {row['endpoint']} {row['outcome']}, "
            f"from {instant_text(row['first_noted_s'])} to {instant_text(row['last_noted_s'])}: "
            f"{row['cause']}: {_CAUSES.get(row['cause'], 'see the notes of the collector')}",
        )
        for row in engine.rows("billing/failed_requests", computation.parameters)
    ]  # fmt: skip


_LISTS = {
    "subscriptions": "what was bought, extended or ended since is not in this bill",
    "pricing": "prices and levels that were set since are not in this bill",
}


def _unread(engine: QueryEngine, computation: Computation) -> list[Finding]:
    """Tell what the bill rests on and could not be read when last asked for, though it was asked for again."""
    return [
        Finding(
            check="unread_prices" if row["resource"] == "pricing" else "unread_subscriptions", severity="warning",
            account=row["account"] or None, count=row["request_count"],
            message=f"{row['resource']} at {row['endpoint']} could not be read from {instant_text(row['first_noted_s'])} to "
            f"{instant_text(row['last_noted_s'])}, and not since: {_LISTS[row['resource']]} ({row['last_cause']}: "
            f"{_CAUSES.get(row['last_cause'], 'see the notes of the collector')})",
        )
        for row in engine.rows("billing/unread_lists", computation.parameters)
    ]  # fmt: skip


def _shared(engine: QueryEngine, computation: Computation) -> list[Finding]:
    unpolled = [
        Finding(
            check="owner_not_polled", severity="warning", account=row["owner"], location=row["location"],
            count=row["snapshot_count"],
            message=f"{counted(row['snapshot_count'], 'shared snapshot')} of this account, which is polled nowhere: billed to "
            "nobody; poll it",
        )
        for row in engine.rows("billing/unpolled_owners", computation.parameters)
    ]  # fmt: skip
    ignored = [
        Finding(
            check="listed_twice", severity="info", account=row["account"], location=row["location"], count=row["snapshot_count"],
            message=f"{counted(row['snapshot_count'], 'snapshot')} listed at {row['endpoint']} too, counted at another endpoint",
        )
        for row in engine.rows("billing/ignored_snapshots")
    ]  # fmt: skip
    return unpolled + ignored
