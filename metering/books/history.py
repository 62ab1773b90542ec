"""What was billed for a closed period so far, and what came since: over the closing itself and all that adjusted it."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cache, cached_property, partial
from typing import Any

from metering.billing.money import ZERO, total
from metering.billing.usage import Computation
from metering.books.causes import Came, Cause, late_facts, reach_s
from metering.books.charges import FrozenCharge, charges_of
from metering.books.closings import Books, Closing, feeds_digest, read_documents
from metering.engine.duckdb import Engine
from metering.model.period import Period, instant_text
from metering.model.records import ChargeLine

LineKey = tuple[Any, ...]


def line_key(line: ChargeLine) -> LineKey:
    """Tell which line of a period it is: account, location, date, level, currency and price; 0.28 and 0.280 are one price."""
    price = None if line.price is None else Fraction(line.price)
    return line.account, line.location, line.date, line.level, line.currency, price, line.unit, line.multiplier


@dataclass(slots=True)
class Billed:
    """What was billed for one line of a closed period so far, over all statements."""

    line: ChargeLine
    byte_seconds: int = 0
    seconds: int = 0
    amount: Decimal = ZERO


class _Looks:
    """What closed periods have in common: looked up once for a computation, not once for each of them."""

    def __init__(self, engine: Engine, books: Books) -> None:
        self._engine, self._books = engine, books
        # Most were last billed together.
        self.is_parked = cache(partial(_is_parked, engine))
        self.feeds = cache(partial(feeds_digest, engine))
        self.came = cache(partial(Came.read, engine))

    @cached_property
    def far_listing(self) -> frozenset[str]:
        """The accounts of which what feeds what may have changed, if anything has."""
        return frozenset(row["account"] for row in self._engine.rows("books/far_listing_accounts"))

    @cached_property
    def adjustments(self) -> dict[str, list[FrozenCharge]]:
        """Every frozen adjustment by the period that it adjusts, in the order of the chain.

        Of five years of statements few adjust anything; what is long closed reads only these of all that was closed since.
        """
        found: defaultdict[str, list[FrozenCharge]] = defaultdict(list)
        for closing, _, document in self._documents('"adjusts"'):
            lines = [line for line in document["lines"] if line["kind"] == "adjustment"]
            for part in charges_of(closing, document | {"lines": lines}):
                found[part.line.adjusts or ""].append(part)
        return found

    @cached_property
    def parked(self) -> set[tuple[int, str, str | None]]:
        """The statements that were parked: closing, account and currency."""
        return {
            (closing.closing_seq, account, said["currency"])
            for closing, account, document in self._documents('"parked"')
            for said in document["statements"]
            if said["state"] == "parked"
        }

    def _documents(self, text: str) -> Iterator[tuple[Closing, str, dict[str, Any]]]:
        """Give the frozen documents with a text in them, and no more in memory than those of one closing."""
        rows = self._engine.sql(
            "select distinct closing_seq from closed_statements where contains(document, $text)", {"text": text}
        )
        having = {closing_seq for (closing_seq,) in rows}
        for closing in self._books.closings:
            if closing.closing_seq in having:
                for account, document in read_documents(self._engine, closing, text).items():
                    yield closing, account, document


def _is_parked(engine: Engine, closing_seq: int) -> bool:
    """Tell whether a closing froze a statement that was parked."""
    text = """select count(*) from closed_statements where closing_seq = $closing and contains(document, '"state":"parked"')"""
    return bool(engine.scalar(text, {"closing": closing_seq}))


def histories_of(engine: Engine, books: Books, period: Period) -> list["History"]:
    """Give the closed periods that lead to a period, the latest first."""
    looks = _Looks(engine, books)
    return [History(engine, books, closing, looks) for closing in books.led_to(period)]


@dataclass(frozen=True, slots=True)
class Doubt:
    """Whose burst of a closed period may be another now: these accounts', and that which some causes touch, whosever it is.

    Where `asked` is not None, nobody else is asked about.
    """

    accounts: frozenset[str]
    causes: tuple[Cause, ...]
    asked: str | None = None

    def __bool__(self) -> bool:
        return bool(self.accounts or self.causes)

    def of(self, account: str | None) -> "Doubt":
        """Give the doubt about one account alone, or about all."""
        return self if account is None else Doubt(self.accounts & {account}, self.causes, account)


class History:
    """A closed period and the closings that carried its adjustments since."""

    def __init__(self, engine: Engine, books: Books, closing: Closing, looks: _Looks | None = None) -> None:
        self._engine = engine
        self._looks = looks or _Looks(engine, books)
        self.closing = closing
        self.closings = [closing, *books.carriers(closing)]
        self.last = self.closings[-1]
        self._causes: dict[int, list[Cause]] = {}

    def doubt(self, computation: Computation) -> Doubt:
        """Tell whose burst of the period may be another now than what was billed: a cheap look before a computation.

        Everybody else's is what it was when the period was last billed: an account's burst follows from its own facts, and its
        charges from the prices where it bursts.
        """
        late = self._late(self.last.known_seq, computation)
        accounts = {cause.account for cause in late if cause.account is not None}
        if self._looks.is_parked(self.last.closing_seq):
            # What was parked before the last closing came with it.
            accounts |= {account for closing_seq, account, _ in self._looks.parked if closing_seq == self.last.closing_seq}
        if self._looks.feeds(self.last.known_seq) != self.last.feeds_sha256:
            accounts |= self._looks.far_listing
        return Doubt(frozenset(accounts), tuple(cause for cause in late if cause.account is None))

    def is_stale_of_anybody(self, computation: Computation) -> bool:
        """Tell whether the use or the price of any subscription may be another now, of an account with a statement or without."""
        return bool(self.doubt(computation) or self._late_of_anybody(self.last.known_seq, computation))

    @cached_property
    def _accounts(self) -> frozenset[str]:
        """The accounts that had a statement, of the period or of what adjusted it."""
        numbers = {"closings": [closing.closing_seq for closing in self.closings]}
        text = "select distinct account from closed_statements where list_contains($closings, closing_seq)"
        return frozenset(row[0] for row in self._engine.sql(text, numbers))

    def _late(self, since_seq: int, computation: Computation) -> list[Cause]:
        # Only subscriptions and currencies of those that were billed matter to the burst of the period.
        return [
            cause
            for cause in self._late_of_anybody(since_seq, computation)
            if cause.kind not in ("subscriptions", "account_currencies") or cause.account in self._accounts
        ]

    def _late_of_anybody(self, since_seq: int, computation: Computation) -> list[Cause]:
        if since_seq not in self._causes:
            came = self._looks.came(since_seq, computation.known_seq)
            self._causes[since_seq] = late_facts(self._engine, self.closing, came)
        return self._causes[since_seq]

    def billed(self, accounts: Collection[str] | None = None) -> dict[LineKey, Billed]:
        """Add up what was billed for each line: the closed lines, and all adjustments of them, where they were not parked.

        Of all accounts, unless only some are asked for.
        """
        found: dict[LineKey, Billed] = {}
        for part in self.parts(accounts):
            if part.is_billed:
                into = found.setdefault(line_key(part.line), Billed(part.line))
                into.byte_seconds += part.line.burst_byte_seconds
                into.seconds += part.line.burst_seconds
                into.amount = total([into.amount, part.line.amount or ZERO])
        return found

    def billed_in_doubt(self, doubt: Doubt) -> tuple[frozenset[str], dict[LineKey, Billed]]:
        """Give the accounts in doubt, and what was billed of them as `billed` does: statements are read once."""
        if not doubt.causes:
            return doubt.accounts, self.billed(doubt.accounts)
        billed = self.billed(None if doubt.asked is None else {doubt.asked})
        # What was parked, and not billed, is of accounts that are in doubt anyway.
        touched = {each.line.account for each in billed.values() if any(_touches(cause, each.line) for cause in doubt.causes)}
        accounts = doubt.accounts | touched
        return accounts, {key: each for key, each in billed.items() if each.line.account in accounts}

    def parts(self, accounts: Collection[str] | None = None) -> Iterator[FrozenCharge]:
        """Give every frozen line of the period, and every adjustment of one, in the order of the chain; of some accounts or all."""
        for document in read_documents(self._engine, self.closing, accounts=accounts).values():
            lines = [line for line in document["lines"] if line["kind"] == "burst"]
            yield from charges_of(self.closing, document | {"lines": lines})
        carriers = {closing.closing_seq for closing in self.closings[1:]}
        adjustments = self._looks.adjustments.get(self.closing.period.text, [])
        own = (part for part in adjustments if accounts is None or part.line.account in accounts)
        yield from (part for part in own if part.closing.closing_seq in carriers)

    def causes(self, computation: Computation, account: str, lines: Sequence[ChargeLine], currency: str | None) -> list[Cause]:
        """Name the facts that came after the last closing in which the account was billed what its lines in a currency said."""
        reflected = self.closing.known_seq
        parked: list[Cause] = []
        for closing in self.closings:
            if (closing.closing_seq, account, currency) in self._looks.parked:
                seq = closing.known_seq
                parked = parked or [Cause("parked_statements", account, "", None, 1, closing.period.text, seq, seq)]
            else:
                reflected, parked = closing.known_seq, []
        locations, levels = {line.location for line in lines}, {line.level for line in lines}
        causes = [cause for cause in self._late(reflected, computation) if cause.touches(account, locations, levels, currency)]
        return parked + (causes or self._far_polls(account, reflected, computation) if not parked else causes)

    def _far_polls(self, account: str, since_seq: int, computation: Computation) -> list[Cause]:
        """Name polls outside the period that changed in which collection a snapshot is counted, where none inside it came."""
        parameters = {
            "account": account, "since_seq": since_seq, "known_seq": computation.known_seq, "reach_s": reach_s(self.closing),
        }  # fmt: skip
        return [
            Cause(
                "polls_after_the_period" if row["is_after"] else "polls_before_the_period", account, "", None, row["poll_count"],
                instant_text(row["first_poll_s"]), row["first_ingest_seq"], row["last_ingest_seq"],
            )
            for row in self._engine.rows("books/far_polls", parameters)
        ]  # fmt: skip


def _touches(cause: Cause, line: ChargeLine) -> bool:
    return cause.touches(line.account, {line.location}, {line.level}, line.currency)
