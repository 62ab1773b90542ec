"""The bill of a period as the books stand: frozen where the period is closed, else computed, with adjustments of closed ones.

What was known at an earlier moment is asked for with `known_at`: the facts that were ingested by then, and the closings that
were made by then (by number: those that saw no later ingest). So it gives the bill that was given then.
"""

from dataclasses import dataclass

from metering.billing.bill import make_bill
from metering.billing.discounts import Settled
from metering.billing.findings import finding_order
from metering.billing.usage import Computation, assert_observed, compute_usage
from metering.books.closing import frozen_bill
from metering.books.closings import Books, Closing, ClosingSettings
from metering.books.head import head_problem, read_head
from metering.books.restatement import adjustments, restated
from metering.engine.duckdb import Engine
from metering.journal import ingest_known_at
from metering.model.errors import NoDataError, StoreError
from metering.model.period import Period, instant_seconds
from metering.model.progress import Progress
from metering.model.records import Bill, ChargeLine, Finding, with_identifier
from metering.store import Store


@dataclass(frozen=True, slots=True)
class Terms:
    """What a question about a period is answered from: the clock, the facts and closings that count, and the settings.

    A period that lies within a closed one is seen as it was when that was closed, unless a clock is given; so the reports of a
    closed period agree with its statements. `closing` is that closing, `today` has the settings of a period that is not closed.
    """

    period: Period
    as_of_s: int | None
    now_s: int
    known_seq: int
    settings: ClosingSettings
    books: Books
    closing: Closing | None
    today: ClosingSettings

    @property
    def books_before(self) -> Books:
        """The books as they stood when the period was closed, if it is."""
        return self.books if self.closing is None else self.books.before(self.closing)

    @property
    def discounts(self) -> Settled:
        """What the settings say of discounts; the closings that were made before discounts were kept say what is said today."""
        return self.books_before.settled(self.settings.discounts, self.today.discounts)

    @property
    def frozen(self) -> Closing | None:
        """The closing of this very period, not of one around it: its bill is frozen."""
        return self.closing if self.closing is not None and self.closing.period == self.period else None


def terms_of(
    engine: Engine, period: Period, *, as_of_s: int | None, known_at: str | None, now_s: int, settings: ClosingSettings
) -> Terms:
    """Decide what a question about a period is answered from.

    Args:
        engine: the store.
        period: what is asked about.
        as_of_s: the clock; whoever gives one wants the period computed by it, closed or not.
        known_at: only what was known by then counts: an ingest number, or an instant.
        now_s: the clock unless one is given.
        settings: those of a period that is not closed.
    """
    known_seq = ingest_known_at(engine, known_at)
    books = Books.read(engine)
    if known_at is not None:
        is_number = known_at.isascii() and known_at.isdigit()
        books = books.until(known_seq, None) if is_number else books.until(None, instant_seconds(known_at))
    closing = books.around(period) if as_of_s is None else None
    if closing is None:
        return Terms(period, as_of_s, now_s, known_seq, settings, books, None, settings)
    return Terms(period, closing.as_of_s, now_s, closing.known_seq, closing.said_settings, books, closing, settings)


def compute(
    engine: Engine, terms: Terms, progress: Progress, *, is_at_a_glance: bool = False, account: str | None = None
) -> Computation:
    """Compute a period on its terms; at a glance, as `compute_usage` has it, is all that a bill needs."""
    return compute_usage(
        engine, terms.period, as_of_s=terms.as_of_s, now_s=terms.now_s, known_seq=terms.known_seq, clock=terms.settings.clock,
        is_at_a_glance=is_at_a_glance, accounts=None if account is None else (account,), progress=progress,
    )  # fmt: skip


def bill_on_terms(engine: Engine, store: Store, terms: Terms, progress: Progress, account: str | None = None) -> Bill:
    """Give the bill of a period, or one account's part of it, with what the books say against it.

    Raises:
        NoDataError: the period has no data, and no closed one is restated in it.
    """
    bill = _computed(engine, terms, progress) if terms.frozen is None else frozen_bill(engine, terms.frozen)
    own = bill if account is None else bill.of_account(account)
    doubts = doubts_of(engine, store, terms)
    return own.model_copy(update={"findings": sorted([*own.findings, *doubts], key=finding_order)}) if doubts else own


def adjustments_of(
    engine: Engine, terms: Terms, computation: Computation, account: str | None, progress: Progress
) -> list[ChargeLine]:
    """Give the adjustments of closed periods that the bill of a period has, of one account or all.

    The engine's tables may be those of another period afterwards.

    Args:
        engine: holds the tables of `computation`.
        terms: what the period is answered from.
        computation: the period, of all accounts or only of `account`.
        account: only this account's.
        progress: called with each stage where all accounts are computed again.
    """
    if terms.frozen is not None:
        lines = frozen_bill(engine, terms.frozen).lines
    elif terms.books.led_to(terms.period):
        # Whether a closed period may be another now is told by what feeds everybody.
        whole = computation if account is None else compute(engine, terms, progress, is_at_a_glance=True)
        lines = adjustments(engine, terms.books, whole, account)
    else:
        return []
    return [line for line in lines if line.kind == "adjustment" and account in (None, line.account)]


def doubts_of(engine: Engine, store: Store, terms: Terms) -> list[Finding]:
    """Say what the books have against a bill, whosever it is: its time may be billed already."""
    return [*_beside(terms), *_older(engine, store)]


def against_sending(bill: Bill) -> list[str]:
    """Say why a bill must not be sent as it stands, a line each: its errors, and that its time is billed already."""
    names = bill.names
    return [
        f"{finding.severity}: {finding.check}: {who + ': ' if who else ''}{finding.message}"
        for finding in bill.findings
        if finding.severity == "error" or (finding.check == "closed_period" and finding.severity == "warning")
        for account in [finding.account and with_identifier(names, finding.account)]
        for who in [", ".join(part for part in (account, finding.location) if part)]
    ]


def _computed(engine: Engine, terms: Terms, progress: Progress) -> Bill:
    computation = compute(engine, terms, progress, is_at_a_glance=True)
    own = make_bill(engine, computation, terms.settings.locations)
    try:
        assert_observed(engine, computation)
    except NoDataError:
        # What a closed period owes still has to be billed, where nobody polls any more too.
        bill = restated(engine, terms.books, computation, own)
        if bill is own:
            raise
        return bill
    return restated(engine, terms.books, computation, own)


def _beside(terms: Terms) -> list[Finding]:
    """Say that a bill is computed beside a closed period, and is no statement of it.

    Sent, it would bill what is billed already; but whoever gives a clock for what is closed wants it computed anew, to compare.
    """
    if terms.frozen is not None:
        return []
    is_anew = terms.closing is None and terms.books.around(terms.period) is not None
    return [
        Finding(
            check="closed_period",
            severity="info" if is_anew else "warning",
            message=f"{closing.told}: this is computed beside it, and is not what was billed",
        )
        for closing in terms.books.overlapping(terms.period)
    ]


def _older(engine: Engine, store: Store) -> list[Finding]:
    """Say that the store is older than its head file tells: it may lack closings, and bill again what they billed."""
    if store.is_memory:
        return []
    try:
        problem = head_problem(store.path, read_head(store.path), Books.read(engine))
    except StoreError as error:
        problem = str(error)
    return [Finding(check="closings_missing", severity="error", message=problem)] if problem else []
