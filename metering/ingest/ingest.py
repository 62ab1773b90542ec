"""One ingest: all files of a command read together, decided, and written in one transaction."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from metering.durable import ScratchFolder
from metering.engine.duckdb import Engine
from metering.engine.interface import QueryEngine
from metering.ingest.answers import Reading, readings_of
from metering.ingest.fact_models import ALL_MODELS
from metering.ingest.facts import FactOutcome, read_facts, write_facts
from metering.ingest.files import FactFile, assert_readable, find_files, name_files
from metering.ingest.readings import compare_readings
from metering.ingest.recoveries import with_recoveries
from metering.ingest.samples import (
    Outcome,
    Rejection,
    SampleOutcome,
    drop_staging,
    sample_outcome,
    stage_samples,
    write_samples,
)
from metering.ingest.withdrawals import with_withdrawals
from metering.journal import IngestSource, record_ingest
from metering.model.clock import Clock
from metering.model.errors import InputError
from metering.model.progress import Progress, silent
from metering.model.units import counted
from metering.seals import seal_ingest
from metering.store import Store, transaction

_STAGING_STEPS = 8
# More files than this of one small table are not named one by one; a collector brings an answer a file.
_MOST_NAMES = 20


@dataclass(slots=True)
class IngestOutcome:
    """What an ingest did: rows by table and outcome, polls by outcome, every rejection, and notes.

    `contradicting` counts those of the conflicting polls of which the command itself brings two contents. `ingest_seq` is None
    where nothing new came, so nothing was written; `recorded` are the rejections that the store did not know. Rows in = accepted +
    duplicate + conflicting + rejected + ignored, for every table.
    """

    ingest_seq: int | None = None
    file_names: list[str] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    tables: dict[str, Outcome] = field(default_factory=dict)
    polls: Outcome = field(default_factory=Outcome)
    contradicting: int = 0
    rejections: list[Rejection] = field(default_factory=list)
    recorded: list[Rejection] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether nothing was rejected and nothing conflicted."""
        return not self.rejections and not self.polls.conflicting


@dataclass(frozen=True, slots=True)
class _Asked:
    """How a batch is to be taken: what `ingest` was called with, and the store's clock."""

    strict: bool
    supersede: bool
    allow_useless: bool
    clock: Clock
    now_s: int
    progress: Progress


class _Steps:
    """Counts the steps of an ingest as they are done."""

    def __init__(self, progress: Progress, count: int) -> None:
        self._progress, self._count, self._done = progress, count, 0

    def did(self, step: str) -> None:
        self._done += 1
        self._progress(step, self._done, self._count)


def ingest(
    store: Store,
    paths: list[Path],
    *,
    strict: bool = False,
    supersede: bool = False,
    now_s: int | None = None,
    allow_useless: bool = False,
    progress: Progress = silent,
) -> IngestOutcome:
    """Take the facts of `paths` into the store: idempotent, each poll whole or not at all, the batch in one transaction.

    Args:
        store: where the facts go; made where there is none.
        paths: facts directories and files; all are read together before polls are compared.
        strict: take nothing if anything is rejected or conflicts.
        supersede: where a poll or fact is known with other content, let the new one replace it from now on.
        now_s: the time of ingest, in whole UTC seconds; the clock's unless given.
        allow_useless: record the rejections even where nothing of it all could be taken, as the collector does.
        progress: called with each step, how many are done and how many there are.

    Raises:
        InputError: a file cannot be read at all, nothing of it all could be taken, or `strict` found something.
        StoreError: the store cannot be used.
    """
    now_s = int(time.time()) if now_s is None else now_s
    asked = _Asked(strict, supersede, allow_useless, store.clock, now_s, progress)
    named = name_files(paths, store.limits)
    with ScratchFolder() as spool, store.writing(places=[*named.places, Path(spool)]) as engine:
        files, notes = find_files(engine, named, store.limits)
        try:
            with transaction(engine):
                outcome = _ingest(engine, files, Path(spool), asked)
                # After an error there is nothing to drop: staging goes with the transaction that made it.
                drop_staging(engine)
        except engine.Error:
            for file in files:
                assert_readable(engine, file)
            raise
        outcome.notes = notes
        return outcome


def _ingest(engine: Engine, files: list[FactFile], spool: Path, asked: _Asked) -> IngestOutcome:
    sample_files = [file for file in files if file.table in ("samples", "captures")]
    steps = _Steps(asked.progress, len(sample_files) + _STAGING_STEPS + 1)
    outcome = IngestOutcome(file_names=[file.shown for file in files])
    facts = _facts(engine, files, asked, outcome)
    steps.did("facts")
    samples = SampleOutcome()
    if sample_files:
        for step in stage_samples(engine, sample_files, spool, supersede=asked.supersede):
            steps.did(step)
        samples = sample_outcome(engine, sample_files)
        add_samples(outcome, samples)
    assert_acceptable(outcome, strict=asked.strict, allow_useless=asked.allow_useless)
    news = news_of(engine, outcome, samples, facts)
    if news is not None:
        brought = {table: sorted(fact.files)[:_MOST_NAMES] for table, fact in facts.items() if fact.files}
        ingest_seq = record_ingest(engine, IngestSource(len(outcome.file_names), brought), asked.now_s)
        for table, fact in facts.items():
            write_facts(engine, table, fact.accepted, ingest_seq)
        if samples.polls.accepted or news.has_conflicts:
            for step in write_samples(engine, sample_files, samples, asked.clock, ingest_seq):
                steps.did(step)
        _write_rejections(engine, news.rejections, news.settled, ingest_seq)
        seal_ingest(engine, ingest_seq)
        outcome.ingest_seq, outcome.recorded = ingest_seq, news.rejections
    for file in sample_files:
        file.assert_unchanged()
    return outcome


def _facts(engine: Engine, files: list[FactFile], asked: _Asked, outcome: IngestOutcome) -> dict[str, FactOutcome]:
    """Read the facts of every table but the samples', as they stand in files and in answers, and add them to the outcome."""
    readings, outcome.places = _readings(engine, [file for file in files if file.table == "answers"], asked.now_s)
    facts: dict[str, FactOutcome] = {}
    for table in ALL_MODELS:
        fact = FactOutcome()
        table_files = [file for file in files if file.table == table]
        if table_files:
            fact = read_facts(engine, table, table_files, supersede=asked.supersede, now_s=asked.now_s)
        if table in readings:
            fact = fact.with_more(compare_readings(engine, table, readings[table], fact.accepted, asked.now_s, files[0].limits))
        if table_files or table in readings:
            facts[table] = fact
            outcome.tables[table] = fact.rows
            outcome.rejections += fact.rejections
    return facts


def _readings(engine: Engine, files: list[FactFile], now_s: int) -> tuple[dict[str, list[Reading]], list[str]]:
    """Read answers into rows by table, with what is told only by what a list named or told before; and name the lists read.

    That a list could not be read says nothing of what was wrong in it when it could be.
    """
    readings = readings_of(files)
    read = {row.place for table, rows in readings.items() for row in rows if table != "poll_notes" or row.row["outcome"] == "read"}
    if "discounts" in readings:
        readings["discounts"] = with_withdrawals(engine, readings["discounts"])
    if "poll_notes" in readings:
        readings["poll_notes"] = with_recoveries(engine, readings["poll_notes"], now_s, files[0].limits)
    return {table: rows for table, rows in readings.items() if rows}, sorted(read)


@dataclass(frozen=True, slots=True)
class News:
    """What an ingest is recorded for, beside the facts it accepted: rejections to write, files to settle, polls to keep aside."""

    rejections: list[Rejection]
    settled: list[str]
    has_conflicts: bool


def add_samples(outcome: IngestOutcome, samples: SampleOutcome) -> None:
    """Tell what became of the samples, before what became of the other tables."""
    outcome.tables = {"samples": samples.rows} | outcome.tables
    outcome.polls, outcome.contradicting = samples.polls, samples.contradicting
    outcome.rejections = samples.rejections + outcome.rejections


def news_of(engine: QueryEngine, outcome: IngestOutcome, samples: SampleOutcome, facts: dict[str, FactOutcome]) -> News | None:
    """Tell what a batch brought that is not known yet, None where it brought nothing: then no ingest is recorded."""
    rejections, settled = _changed_rejections(engine, outcome)
    has_conflicts = False
    if samples.polls.conflicting:
        engine.create("staging/conflicting_polls")
        engine.create("staging/samples_kept_aside")
        has_conflicts = bool(engine.sql("select 1 from samples_kept_aside limit 1"))
    accepted = samples.polls.accepted + sum(fact.rows.accepted for fact in facts.values())
    return News(rejections, settled, has_conflicts) if accepted or has_conflicts or rejections or settled else None


def assert_acceptable(outcome: IngestOutcome, *, strict: bool, allow_useless: bool) -> None:
    """Refuse a batch of which nothing is of use, or, if strict, one with anything wrong in it.

    Raises:
        InputError: naming the first thing that is wrong.
    """
    first = outcome.rejections[0].text if outcome.rejections else ""
    rows = list(outcome.tables.values())
    useful = sum(table.accepted + table.duplicate + table.conflicting + table.ignored for table in rows)
    if first and not useful and not allow_useless:
        raise InputError(f"none of the {sum(table.total for table in rows)} rows can be taken; the first: {first}")
    if strict and not outcome.is_clean:
        found = f"{counted(len(outcome.rejections), 'rejected row')} and {counted(outcome.polls.conflicting, 'conflicting poll')}"
        raise InputError(f"nothing was taken, as --strict asks: {found}" + (f"; the first: {first}" if first else ""))


def rejection_row(rejection: Rejection) -> tuple[str | int | None, ...]:
    """Give a rejection as a row of the table of rejections, its ingest left out."""
    return (
        rejection.table, rejection.file, rejection.line, rejection.field, rejection.value, rejection.reason,
        rejection.endpoint, rejection.account, rejection.poll_s,
    )  # fmt: skip


REJECTION_COLUMNS = {
    "table_name": "varchar", "file": "varchar", "line": "bigint", "field": "varchar", "value": "varchar", "reason": "varchar",
    "endpoint": "varchar", "account": "varchar", "poll_s": "bigint",
}  # fmt: skip


def _changed_rejections(engine: QueryEngine, outcome: IngestOutcome) -> tuple[list[Rejection], list[str]]:
    """Tell which rejections to record, and which files to settle: reading a file again replaces what was said of it."""
    known: dict[str, set[tuple[Any, ...]]] = {}
    for row in engine.sql(
        f"select {', '.join(f'r.{name}' for name in REJECTION_COLUMNS)} from rejections as r "
        "left join (select file, max(ingest_seq) as ingest_seq from settled_files group by file) as s on r.file = s.file "
        "where r.ingest_seq >= coalesce(s.ingest_seq, 0)"
    ):
        known.setdefault(row[1], set()).add(row)
    found: dict[str, list[Rejection]] = {file: [] for file in (*outcome.file_names, *outcome.places)}
    for rejection in outcome.rejections:
        found.setdefault(rejection.file, []).append(rejection)
    changed = [file for file, rows in found.items() if known.get(file, set()) != set(map(rejection_row, rows))]
    return [rejection for file in changed for rejection in found[file]], [file for file in changed if file in known]


def _write_rejections(engine: Engine, rejections: list[Rejection], settled: list[str], ingest_seq: int) -> None:
    for file in settled:
        engine.sql("insert into settled_files values ($file, $ingest_seq)", {"file": file, "ingest_seq": ingest_seq})
    if not rejections:
        return
    engine.load("new_rejections", REJECTION_COLUMNS, map(rejection_row, rejections))
    engine.sql("insert into rejections by name select *, $ingest_seq as ingest_seq from new_rejections", {"ingest_seq": ingest_seq})
    engine.drop("new_rejections")
