"""An audit of a period as the books have it: its computation, the bill that is given of it, and what is closed."""

from collections.abc import Iterable

from metering.billing.bill import make_bill
from metering.billing.findings import finding_order
from metering.billing.usage import Computation
from metering.books.bills import Terms, doubts_of
from metering.books.closing import frozen_bill
from metering.books.closings import Books
from metering.books.restatement import restated
from metering.books.verification import verified
from metering.engine.duckdb import Engine
from metering.model.errors import StoreError
from metering.model.limits import AuditLimits
from metering.model.progress import silent
from metering.model.records import Bill, Finding
from metering.reporting.audit import audit_findings, finding_of, sums_that_differ
from metering.reporting.checks import BOOKS_DIFFER
from metering.store import Store


def audit(engine: Engine, store: Store, terms: Terms, computation: Computation, limits: AuditLimits) -> list[Finding]:
    """Run every check of a period.

    The bill that is given is held together too: frozen where the period is closed, with adjustments where it carries any. What the
    books have against it is told. What is closed in the period, or adjusted by it, is verified; where nothing is, that would only
    cost time.

    Args:
        engine: holds the tables of `computation`.
        store: where the head file lies beside.
        terms: what the period is answered from.
        computation: the period.
        limits: what the checks put up with.
    """
    own = make_bill(engine, computation, terms.settings.locations)
    found = audit_findings(engine, computation, own, limits)
    bill = _given(engine, terms, computation, own)
    is_frozen = terms.closing is not None and bill is not own
    more = [f for f in _beside(bill.findings, own.findings) if f.check == "restated" or not is_frozen]
    more += sums_that_differ(bill)
    more += [*doubts_of(engine, store, terms), *_books(engine, store, terms)]
    return sorted([*found, *_beside(more, found)], key=finding_order)


def _beside(findings: Iterable[Finding], told: Iterable[Finding]) -> list[Finding]:
    """Give the findings that are not told yet; each is known by all that it says, for there may be several of each account."""
    said = {finding.model_dump_json() for finding in told}
    return [finding for finding in findings if finding.model_dump_json() not in said]


def _given(engine: Engine, terms: Terms, computation: Computation, own: Bill) -> Bill:
    """Give the bill of the period as a customer gets it."""
    if terms.frozen is not None:
        try:
            return frozen_bill(engine, terms.frozen)
        except StoreError:
            # It was changed so that it is none any more, which verifying tells.
            return own
    return restated(engine, terms.books, computation, own)


def _books(engine: Engine, store: Store, terms: Terms) -> list[Finding]:
    books = Books.read(engine)
    chosen = [*books.overlapping(terms.period), *books.led_to(terms.period)]
    if not chosen:
        return []
    found = verified(engine, store, books, chosen, None, silent)
    return [
        finding_of(BOOKS_DIFFER, {"account": difference.account, "difference": difference.message})
        for difference in found.differences
        # That the store is older than its head file is a finding of every bill.
        if difference.what != "head"
    ]
