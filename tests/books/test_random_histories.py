"""Random histories of facts, corrections, closings and verifying, against a model that keeps all and recomputes from scratch.

The model is the slow biller (oracle.py) over all facts, and a ledger (ledger_model.py) of every statement that was ever frozen.
`METERING_EXAMPLES=200 pytest tests/books/test_random_histories.py` tries more of them.
"""

import os
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from ledger_model import Ledger
from oracle_facts import Books
from redone import redo_adjustment
from small_world import GIB, polls, price, subscription, write

from metering import Meter
from metering.config import Settings
from metering.model.errors import InputError, NoDataError
from metering.model.period import instant_seconds, instant_text

NOW = instant_seconds("2026-12-01")
DAYS = ("2026-10-01", "2026-10-02", "2026-10-03", "2026-10-04")
HOUR, DAY = 3_600, 86_400
FIRST = instant_seconds(DAYS[0])
CLOCK = {"cycle": HOUR, "max_hold": 2 * HOUR}

# From the day before the first until the day after the last, on the hour and beside it.
instants = st.builds(
    lambda hour, beside: instant_text(FIRST + hour * HOUR + beside), st.integers(-24, 119), st.sampled_from([0, 0, 0, 1, 1_799])
)
accounts = st.sampled_from("ABC")
locations = st.sampled_from(["ZRH", "GVA"])
sizes = st.dictionaries(st.sampled_from("st"), st.sampled_from([0, GIB, 3 * GIB, 2**53 + 1]), max_size=2)
currencies = st.sampled_from(["CHF", "CHF", "USD", "JPY"])
amounts = st.sampled_from(["0.30", "0.3", "0.28", "7", "0.00000000000000000001"])


def day_before(day):
    return instant_text(instant_seconds(day) - DAY)[:10]


class History(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.meter = Meter(Settings(store=":memory:", threads=1, **CLOCK), clock=lambda: NOW)
        self.books = Books(**CLOCK)
        self.ledger = Ledger(self.books, lambda: NOW, day_before)
        self.frozen = self.ledger.frozen
        self.given = []  # what was known (by command), and the bills that were given then
        self.ingests = [0]

    def teardown(self):
        try:
            if self.books.commands:
                self.everything_is_true()
        finally:
            self.meter.release()
            self.folder.cleanup()

    def take(self, *, supersede=True, **tables):
        place = write(Path(self.folder.name) / str(self.books.commands), **tables)
        self.books.take(
            {name: [{k: str(v) for k, v in row.items()} for row in rows] for name, rows in tables.items()}, NOW, supersede=supersede
        )
        try:
            outcome = self.meter.ingest(place, supersede=supersede)
        except InputError:
            outcome = None
        self.ingests.append(outcome.ingest_seq if outcome and outcome.ingest_seq else self.ingests[-1])

    @initialize(days=st.integers(1, 4), amount=amounts)
    def begin(self, days, amount):
        until = instant_text(FIRST + days * DAY)
        self.take(
            samples=polls(DAYS[0], until, {"s": 2 * GIB}, step=HOUR),
            prices=[price(amount)],
            accounts=[{"account": "A", "currency": "CHF", "name": "A"}, {"account": "B", "currency": "USD", "name": "B"}],
        )

    @rule(
        start=instants,
        hours=st.integers(1, 30),
        listed=sizes,
        account=accounts,
        at=st.tuples(locations, locations),
        supersede=st.booleans(),
    )
    def polls_come(self, start, hours, listed, account, at, supersede):
        end = instant_text(instant_seconds(start) + hours * HOUR)
        rows = polls(start, end, listed, account=account, endpoint=at[0], location=at[1], step=HOUR)
        self.take(supersede=supersede, samples=rows)

    @rule(
        amount=amounts, level=st.sampled_from([1, 1, 2]), location=st.sampled_from(["", "ZRH"]), currency=currencies, since=instants
    )
    def a_price_is_corrected(self, amount, level, location, currency, since):
        self.take(prices=[price(amount, level=level, location=location, currency=currency, since=since)])

    @rule(level=st.integers(1, 2), location=st.sampled_from(["", "GVA"]), since=instants)
    def a_level_is_corrected(self, level, location, since):
        self.take(burst_levels=[{"location": location, "resource": "backup", "level": level, "effective_from": since}])

    @rule(
        name=st.sampled_from("12"),
        amount=st.sampled_from([0, GIB, 5 * GIB]),
        account=accounts,
        location=locations,
        start=instants,
        hours=st.integers(1, 90),
    )
    def a_subscription_is_backdated(self, name, amount, account, location, start, hours):
        end = instant_text(instant_seconds(start) + hours * HOUR)
        self.take(subscriptions=[subscription(name, amount, start, end, account=account, location=location)])

    @rule(account=accounts, currency=currencies)
    def an_account_is_corrected(self, account, currency):
        self.take(accounts=[{"account": account, "currency": currency, "name": account}])

    @rule(day=st.sampled_from(DAYS))
    def a_day_is_closed(self, day):
        expected = None if day in self.frozen else self.bill(day)
        try:
            would_be = self.meter.close(day, reason="as it stands", dry_run=True).bill.document()
            closed = self.meter.close(day, reason="as it stands")
        except NoDataError:
            assert expected is None
            return
        assert closed.is_new == (day not in self.frozen)
        document = closed.bill.document()
        assert would_be == document
        if closed.is_new:
            self.ledger.assert_agrees(day, document)
            self.frozen[day] = document

    @precondition(lambda self: self.frozen)
    @rule()
    def what_is_closed_is_verified(self):
        assert self.meter.verify().differences == []

    @rule()
    def bills_are_given(self):
        self.given.append((self.ingests[-1], len(self.frozen), {day: self.bill(day) for day in DAYS}))

    def bill(self, day, **options):
        try:
            return self.meter.bill(day, **options).document()
        except NoDataError:
            return None

    # --- what must hold -----------------------------------------------------------------------------------------------------

    def everything_is_true(self):
        """Closed bytes never change; every open day agrees with the model; what was given can be given again; the books verify."""
        for day in DAYS:
            bill = self.bill(day)
            if day in self.frozen:
                assert bill == self.frozen[day]
            elif bill is not None:
                self.ledger.assert_agrees(day, bill)
                for line in [line for line in bill["lines"] if line["kind"] == "adjustment"][:2]:
                    self.can_be_redone(line, day)
        for ingest, closings, bills in self.given:
            # by number, the books as they stood once all closings that saw this ingest were made
            if len([c for c in self.meter.closings() if c.known_seq <= ingest]) == closings and ingest:
                assert {day: self.bill(day, known_at=ingest) for day in DAYS} == bills
        if self.frozen:
            assert self.meter.verify().differences == []

    def can_be_redone(self, line, day):
        """An adjustment's own explanation gives it again, by hand, and says whence each figure is."""
        document = self.meter.explain(line["charge_id"], period=day).model_dump(mode="json")
        assert document["line"] == line
        assert document["recomputed"] == redo_adjustment(document) | {"agrees": True}


EXAMPLES = int(os.environ.get("METERING_EXAMPLES", "4"))


def test_closed_and_adjusted_is_the_truth_in_every_history():
    quick = settings(
        max_examples=EXAMPLES,
        stateful_step_count=14,
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(History, settings=quick)
