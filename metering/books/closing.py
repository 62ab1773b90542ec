"""Close a period: freeze every statement of it, once, or say what stands against it.

The bill is computed while others may read; only if neither an ingest nor a closing came meanwhile is it written, else it is
computed again. So a closing always saw the last ingest, and two processes that close at once make one closing.
Source: ACCOUNTING.md §8.
"""

import getpass
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from metering.billing.bill import make_bill
from metering.billing.usage import compute_usage
from metering.books.causes import reach_s
from metering.books.closings import (
    NO_HASH,
    Books,
    Closing,
    ClosingSettings,
    feeds_digest,
    inputs_digest,
    read_closings,
    sha256,
    write_closing,
)
from metering.books.documents import frozen, thawed
from metering.books.head import head_problem, read_head, write_head
from metering.books.restatement import restated
from metering.engine.duckdb import Engine
from metering.journal import last_ingest
from metering.model.errors import MeteringError, MisuseError, NoDataError, StoreError
from metering.model.period import Period, instant_text
from metering.model.progress import Progress
from metering.model.records import Bill, Finding, UsageRow
from metering.model.units import counted, shown_quotient, shown_time
from metering.seals import kept_seals
from metering.store import Store, transaction

# After so many bills that were overtaken by an ingest, the next is computed while nobody else may write.
_TRIES = 3


class RefusedError(MeteringError):
    """A period that cannot be closed as it stands; `findings` list what stands against it, worst first."""

    def __init__(self, message: str, findings: Sequence[Finding]) -> None:
        super().__init__(message)
        self.findings = list(findings)


@dataclass(frozen=True, slots=True)
class Closed:
    """What is frozen: the bill, and its closing, None after a dry run; `is_new` where this call made it."""

    bill: Bill
    closing: Closing | None
    is_new: bool


@dataclass(frozen=True, slots=True)
class _Prepared:
    closing: Closing
    documents: dict[str, str]


@dataclass(frozen=True, slots=True)
class Request:
    """What to close: the period, who does it and why, the clock, and the settings to close it with."""

    period: Period
    closed_by: str
    reason: str | None
    now_s: int
    settings: ClosingSettings


def current_user() -> str:
    """Give the user of the operating system, who closes where nobody else is named.

    Raises:
        MisuseError: there is none.
    """
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        raise MisuseError("it cannot be told who closes: give --by NAME, or set METERING_BY") from None


def close_period(store: Store, request: Request, *, dry_run: bool, progress: Progress) -> Closed:
    """Freeze every statement of a period, or with `dry_run` only give what would be frozen.

    Raises:
        RefusedError: burst is unpriced, or more time is missing than is tolerated, and no reason was given.
        MeteringError: the period has not ended, overlaps a closed one, or the store is older than its head file.
    """
    if not request.closed_by.strip():
        raise MisuseError("--by is empty: say who closes the period")
    if request.reason is not None and not request.reason.strip():
        raise MisuseError("--reason is empty: say why the period is closed as it stands")
    for _ in range(_TRIES):
        with store.reading() as engine:
            books = Books.read(engine)
            if closing := books.of(request.period):
                return _already(store, engine, books, closing)
            prepared = _prepare(store, engine, books, request, progress)
        if dry_run:
            return Closed(_bill_of(prepared), None, is_new=False)
        with store.writing() as engine:
            if _is_current(engine, prepared.closing):
                return _write(store, engine, prepared)
    with store.writing() as engine:
        books = Books.read(engine)
        if closing := books.of(request.period):
            return _already(store, engine, books, closing)
        return _write(store, engine, _prepare(store, engine, books, request, progress))


def frozen_bill(engine: Engine, closing: Closing) -> Bill:
    """Give the bill of a closed period as it was frozen."""
    rows = engine.sql(
        "select account, document from closed_statements where closing_seq = $closing order by account",
        {"closing": closing.closing_seq},
    )
    return thawed(closing.period, closing.as_of_s, dict(rows), closing.findings)


def computed(
    engine: Engine, books: Books, closing: Closing, as_of_s: int | None, progress: Progress
) -> tuple[Closing, dict[str, str]]:
    """Compute what a closing froze, or would: the closing with what follows from the computation, and the documents by account.

    Args:
        engine: the store.
        books: as they stood before the closing.
        closing: tells the period, what it saw and its settings.
        as_of_s: the clock; unless given, the earliest that sees the same time and polls as `closing.as_of_s` does.
        progress: called with each stage, how many are done and how many there are.
    """
    settings = closing.said_settings
    computation = compute_usage(
        engine, closing.period, as_of_s=as_of_s, now_s=closing.as_of_s, known_seq=closing.known_seq, clock=settings.clock,
        is_at_a_glance=True, progress=progress,
    )  # fmt: skip
    feeds = feeds_digest(engine, closing.known_seq)
    documents, findings = frozen(restated(engine, books, computation, make_bill(engine, computation, settings.locations)))
    return replace(closing, as_of_s=computation.as_of_s, feeds_sha256=feeds, findings=findings), documents


def _prepare(store: Store, engine: Engine, books: Books, request: Request, progress: Progress) -> _Prepared:
    period, last = request.period, books.closings[-1] if books.closings else None
    if problem := head_problem(store.path, None if store.is_memory else read_head(store.path), books):
        raise StoreError(problem)
    known_seq = last_ingest(engine)
    draft = Closing(
        closing_seq=last.closing_seq + 1 if last else 1,
        start_s=period.start_s,
        end_s=period.end_s,
        known_seq=known_seq,
        as_of_s=request.now_s,
        closed_at_s=max(request.now_s, last.closed_at_s if last else 0, _last_ingested_at(engine)),
        closed_by=request.closed_by,
        reason=request.reason,
        settings=request.settings.text,
        findings="[]",
        inputs_sha256=inputs_digest(kept_seals(engine, last.known_seq if last else 0, known_seq)),
        feeds_sha256="",
        previous_hash=last.hash if last else NO_HASH,
    )
    _assert_can_be_closed(books, draft, request.now_s)
    closing, documents = computed(engine, books, draft, None, progress)
    if not documents:
        raise NoDataError(f"nothing is known of {period.text}: there is no statement to close")
    prepared = _Prepared(closing, documents)
    if request.reason is None:
        _assert_complete(period, _bill_of(prepared), request.settings, _last_polls(engine))
    return prepared


def _assert_can_be_closed(books: Books, draft: Closing, now_s: int) -> None:
    """Refuse what no reason can override."""
    name = draft.period.text
    if others := books.overlapping(draft.period):
        raise MeteringError(f"{name} overlaps a closed period: {others[0].told}; close what lies outside it")
    if now_s < draft.end_s:
        raise MeteringError(f"{name} ends at {instant_text(draft.end_s)} and cannot be closed before")
    if now_s < reach_s(draft):
        raise MeteringError(
            f"the last seconds of {name} are not determined yet, for a poll may still come that classes them: close it from "
            f"{instant_text(reach_s(draft))} on"
        )


def _assert_complete(period: Period, bill: Bill, settings: ClosingSettings, last_polls: dict[str, dict[str, int]]) -> None:
    """Refuse statements that lack a price, and accounts of which too much time is missing."""
    tolerance = Fraction(settings.missing_tolerance)
    tolerated = f"{format(Decimal(settings.missing_tolerance).scaleb(2).normalize(), 'f')} %"
    found = [finding for finding in bill.findings if finding.check == "unpriced_burst"]
    for row in bill.usage:
        known = row.known_seconds
        if row.missing_seconds > tolerance * known:
            share = f"{shown_quotient(100 * row.missing_seconds, known, 4)} %"
            found.append(
                Finding(
                    check="missing_time", severity="error", account=row.account, location=row.location, seconds=row.missing_seconds,
                    message=f"{shown_time(row.missing_seconds)} of {shown_time(known)} are missing, {share}: more than the "
                    f"tolerated {tolerated}; {_what_to_do(row, known, period, last_polls)}",
                    share=share,
                )
            )  # fmt: skip
    if found:
        raise RefusedError(
            f"{period.text} is not closed: {counted(len(found), 'finding')} {'stands' if len(found) == 1 else 'stand'} against it; "
            "mend that, or close it as it stands with --reason TEXT, which is kept",
            found,
        )


def _what_to_do(row: UsageRow, known_s: int, period: Period, last_polls: dict[str, dict[str, int]]) -> str:
    """Tell how missing time is mended: with polls, or, where nobody polls any more, by saying why."""
    bring = f"bring the polls of that time if there are any (`metering collect --backfill {period.text}`)"
    if row.missing_seconds < known_s:
        return bring
    own = last_polls.get(row.account, {})
    last = f", the last time at {instant_text(own.get(row.location, max(own.values())))}" if own else ""
    return f"nobody polls it any more{last}: poll it again and {bring}; if the account has left, say so with --reason"


def _last_polls(engine: Engine) -> dict[str, dict[str, int]]:
    """Tell when each account was last polled at each endpoint."""
    rows = engine.sql(
        "select c.account, c.endpoint, t.last_poll_s from collection_tails as t inner join collections as c "
        "on t.collection_key = c.collection_key"
    )
    found: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for account, endpoint, last_s in rows:
        found[account][endpoint] = last_s
    return found


def _last_ingested_at(engine: Engine) -> int:
    return int(engine.scalar("select coalesce(max(ingested_at_s), 0) from ingests"))


def _is_current(engine: Engine, draft: Closing) -> bool:
    """Tell whether neither an ingest nor a closing came since the draft was computed."""
    closings = read_closings(engine)
    return (closings[-1].hash if closings else NO_HASH) == draft.previous_hash and last_ingest(engine) == draft.known_seq


def _bill_of(prepared: _Prepared) -> Bill:
    return thawed(prepared.closing.period, prepared.closing.as_of_s, prepared.documents, prepared.closing.findings)


def _write(store: Store, engine: Engine, prepared: _Prepared) -> Closed:
    digests = {account: sha256(document) for account, document in prepared.documents.items()}
    closing = prepared.closing.hashed(digests)
    with transaction(engine):
        write_closing(engine, closing, prepared.documents)
    if not store.is_memory:
        write_head(store.path, closing)
    return Closed(_bill_of(prepared), closing, is_new=True)


def _already(store: Store, engine: Engine, books: Books, closing: Closing) -> Closed:
    """Give what is frozen already; a head file that a crash left behind is mended."""
    if not store.is_memory:
        head = read_head(store.path)
        if problem := head_problem(store.path, head, books):
            raise StoreError(problem)
        if head is None or head.closing_seq != books.closings[-1].closing_seq:
            write_head(store.path, books.closings[-1])
    return Closed(frozen_bill(engine, closing), closing, is_new=False)
