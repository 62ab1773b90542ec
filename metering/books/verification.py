"""Verify: recompute every closed statement as of its sequence number, walk the hash chain, hold the facts against their seals.

What is found is named: the table and ingest whose facts changed, the account and field of a statement, the closing that is
missing, the store that is older than its head file. Nothing is written, and whatever was changed, verifying ends with an answer.
Source: ACCOUNTING.md §8.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from metering.books.closing import computed
from metering.books.closings import NO_HASH, Books, Closing, inputs_digest, sha256
from metering.books.differences import differing_fields
from metering.books.head import head_problem, read_head
from metering.engine.duckdb import Engine, is_interruption, reason_of, trouble_of_machine
from metering.journal import last_ingest
from metering.levels import levels_that_differ
from metering.model.errors import MeteringError
from metering.model.period import Period
from metering.model.progress import Progress, silent
from metering.schema import SCHEMA_VERSION
from metering.seals import Seal, actual_seals, kept_seals, loose_ends
from metering.store import Store

# More fields of one statement than this say nothing more.
_SHOWN_FIELDS = 5


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not as it was: in which closing, of which account, or in which table and ingest of the facts."""

    what: str
    message: str
    closing_seq: int | None = None
    account: str | None = None
    table_name: str | None = None
    ingest_seq: int | None = None


@dataclass(slots=True)
class VerifiedClosing:
    """A closing, the number of statements it froze, and how many differences were found in it."""

    closing: Closing
    statement_count: int
    difference_count: int = 0


@dataclass(slots=True)
class Verification:
    """All closings that were verified, all differences, and notes on what is no difference but worth knowing."""

    closings: list[VerifiedClosing] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def verify(store: Store, period: Period | None, expected_head: str | None, progress: Progress) -> Verification:
    """Verify the books, or of the statements only those of one period.

    Args:
        store: the books' store.
        period: only its statements are recomputed; chain, head and facts are verified all the same.
        expected_head: the hash of a closing as it was kept elsewhere.
        progress: called with each step, how many are done and how many there are.

    Raises:
        MeteringError: the period is not closed, the store cannot be opened, or the machine lacks what verifying takes.
    """
    with store.reading() as engine:
        books = Books.read(engine)
        chosen = [closing for closing in books.closings if period is None or closing.period == period]
        if period is not None and not chosen:
            raise MeteringError(f"{period.text} is not closed: `metering verify` verifies all that are")
        return verified(engine, store, books, chosen, expected_head, progress)


def verified(
    engine: Engine, store: Store, books: Books, chosen: Sequence[Closing], expected_head: str | None, progress: Progress
) -> Verification:
    """Verify chain, head and facts, and the statements of the closings that are chosen."""
    found = Verification()
    steps = len(chosen) + 1
    found.differences += differences_of_facts_and_chain(engine)
    progress("facts", 1, steps)
    found.differences += _head(store, books, expected_head, found.notes)
    for done, closing in enumerate(chosen, start=2):
        statements = _stored(engine, closing)
        found.differences += _statements(engine, books, closing, statements)
        found.closings.append(VerifiedClosing(closing, len(statements)))
        progress(name_of(closing), done, steps)
    for verified in found.closings:
        verified.difference_count = sum(1 for d in found.differences if d.closing_seq == verified.closing.closing_seq)
    return found


def name_of(closing: Closing) -> str:
    """Name a closing's period, or the closing by its number where its bounds were changed so that they are no instants."""
    try:
        return closing.period.text
    except (OverflowError, ValueError):
        return f"closing {closing.closing_seq}"


def differences_of_facts_and_chain(engine: Engine) -> list[Difference]:
    """Find what can be found without recomputing a statement: changed facts, and a chain that does not hold."""
    return [*_versions(engine), *_facts(engine), *_chain(engine, Books.read(engine)), *_twice(engine)]


def _versions(engine: Engine) -> Iterator[Difference]:
    said = engine.sql("select key, value from store_info order by key desc")
    kept = [key for key, value in said[1:] if key != "kept_clock" or not re.fullmatch("[0-9]{1,9}/[0-9]{1,9}(/[0-9]{1,3})?", value)]
    if said[:1] != [("schema_version", str(SCHEMA_VERSION))] or len(said) > 2 or kept:  # noqa: PLR2004 -- the version and the clock
        yield Difference("store", "store_info says something else than the version of the store", table_name="store_info")


def _facts(engine: Engine) -> Iterator[Difference]:
    """Hold every fact against the seal of the ingest that brought it."""
    last_seq = int(engine.scalar("select coalesce(max(ingest_seq), 0) from seals"))
    kept = {(seal.table_name, seal.ingest_seq): seal for seal in kept_seals(engine, -(2**62), 2**62)}
    try:
        actual = {(seal.table_name, seal.ingest_seq): seal for seal in actual_seals(engine)}
        for table, count in loose_ends(engine):
            yield Difference("facts", f"{table}: {count} rows do not end where the polls of their collection end", table_name=table)
        for table, count in levels_that_differ(engine):
            yield Difference("facts", f"{table}: {count} rows are not what the polls and samples give", table_name=table)
    except engine.Error as error:
        if trouble_of_machine(error):
            raise
        yield Difference("facts", f"the facts cannot be read any more: {reason_of(error)}")
        return
    for key in sorted(kept.keys() | actual.keys()):
        if problem := _difference(kept.get(key), actual.get(key)):
            yield Difference("facts", f"{key[0]} of ingest {key[1]}: {problem}", table_name=key[0], ingest_seq=key[1])
    for ingest_seq in sorted({seal.ingest_seq for seal in kept.values()} - set(range(1, last_ingest(engine) + 1))):
        yield Difference(
            "facts", f"there are seals of ingest {ingest_seq}, which never was", table_name="seals", ingest_seq=ingest_seq
        )
    ingests = [row[0] for row in engine.sql("select ingest_seq from ingests order by ingest_seq")]
    if ingests != list(range(1, last_seq + 1)):
        yield Difference("facts", f"ingests are not numbered 1 to {last_seq} any more", table_name="ingests")


def _difference(kept: Seal | None, actual: Seal | None) -> str | None:
    if kept is None:
        return f"{actual.row_count if actual else 0} rows that no ingest sealed"
    if actual is None:
        return f"all {kept.row_count} rows are gone"
    if kept.row_count != actual.row_count:
        return f"{actual.row_count} rows, {kept.row_count} were sealed"
    return None if kept.digest == actual.digest else f"some of its {kept.row_count} rows were changed"


def _chain(engine: Engine, books: Books) -> Iterator[Difference]:
    """Walk the chain: each closing must be the next, name the one before, and hash to what it says."""
    previous, known_seq, expected = NO_HASH, 0, 1
    for closing in books.closings:
        number = closing.closing_seq
        if number != expected:
            missing = f"closing {expected} is missing" if number > expected else f"closing {number} stands twice"
            yield Difference("chain", missing, closing_seq=min(number, expected))
        elif closing.previous_hash != previous:
            yield Difference("chain", f"closing {number} follows another than the closing before it", closing_seq=number)
        if inputs_digest(kept_seals(engine, known_seq, closing.known_seq)) != closing.inputs_sha256:
            yield Difference(
                "facts", f"the seals of ingests {known_seq + 1} to {closing.known_seq} are not those that closing {number} saw",
                closing_seq=number, table_name="seals",
            )  # fmt: skip
        stored = _stored(engine, closing)
        digests = {account: sha256(document) for account, (document, _) in stored.items()}
        for account, (_, digest) in stored.items():
            if digests[account] != digest:
                yield Difference("statement", f"{name_of(closing)} of {account} is not what its digest says", number, account)
        if closing.hashed(digests).hash != closing.hash:
            yield Difference("chain", f"closing {number} of {name_of(closing)} does not hash to what it says", closing_seq=number)
        previous, known_seq, expected = closing.hash, closing.known_seq, number + 1
    stray = engine.sql(
        "select distinct closing_seq from closed_statements where not list_contains($closings, closing_seq) order by closing_seq",
        {"closings": [closing.closing_seq for closing in books.closings]},
    )
    for (number,) in stray:
        yield Difference("chain", f"there are statements of closing {number}, but the closing is missing", closing_seq=number)


def _head(store: Store, books: Books, expected: str | None, notes: list[str]) -> Iterator[Difference]:
    last = books.closings[-1] if books.closings else None
    if not store.is_memory:
        try:
            head = read_head(store.path)
            problem = head_problem(store.path, head, books)
        except MeteringError as error:
            head, problem = None, str(error)
        if problem:
            yield Difference("head", problem)
        elif head is None and last:
            notes.append("there is no head file beside the store, so that an old backup could not be told from it")
        elif head and last and head.closing_seq < last.closing_seq:
            notes.append(f"the head file is at closing {head.closing_seq}: a later close was interrupted; the next mends it")
    if expected is not None and expected not in {closing.hash for closing in books.closings}:
        yield Difference("head", f"no closing has the hash {expected}: the store is older than that, or another")


def _twice(engine: Engine) -> Iterator[Difference]:
    rows = engine.sql(
        "select closing_seq, account from closed_statements group by closing_seq, account having count(*) > 1 order by all"
    )
    for number, account in rows:
        yield Difference("statement", f"the statement of {account} stands twice in closing {number}", number, account)


def _stored(engine: Engine, closing: Closing) -> dict[str, tuple[str, str]]:
    rows = engine.sql(
        "select account, document, sha256 from closed_statements where closing_seq = $closing order by account",
        {"closing": closing.closing_seq},
    )
    return {account: (document, digest) for account, document, digest in rows}


def _statements(engine: Engine, books: Books, closing: Closing, stored: dict[str, tuple[str, str]]) -> Iterator[Difference]:
    """Recompute a closing's statements as of the ingest it saw, and hold them against what was frozen."""
    number, name = closing.closing_seq, name_of(closing)
    try:
        again, documents = computed(engine, books.before(closing), closing, closing.as_of_s, silent)
    except Exception as error:
        # Whatever a changed fact breaks is a difference, and named; what the machine lacks, or who interrupts it, is none.
        if trouble_of_machine(error) or is_interruption(error):
            raise
        text = " ".join(str(error).split())[:200]
        yield Difference("statement", f"{name} cannot be recomputed ({type(error).__name__}: {text})", number)
        return
    if again.feeds_sha256 != closing.feeds_sha256:
        yield Difference("statement", f"{name}: other collections feed it than when it was closed", number)
    for account in sorted(stored.keys() | documents.keys()):
        if account not in documents:
            yield Difference("statement", f"{name} of {account} is frozen, but is not computed any more", number, account)
        elif account not in stored:
            yield Difference("statement", f"{name} of {account} is computed, but was not frozen or is missing", number, account)
        elif stored[account][0] != documents[account]:
            yield from _fields(name, number, account, stored[account][0], documents[account])


def _fields(name: str, number: int, account: str, stored: str, computed: str) -> Iterator[Difference]:
    fields: Sequence[str] = list(differing_fields(stored, computed))
    for text in fields[:_SHOWN_FIELDS]:
        yield Difference("statement", f"{name} of {account}: {text}", number, account)
    if len(fields) > _SHOWN_FIELDS:
        yield Difference("statement", f"{name} of {account}: {len(fields) - _SHOWN_FIELDS} more fields differ", number, account)
