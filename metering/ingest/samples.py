"""Samples into the store: staged as sets, decided poll by poll, taken whole or not at all.

raw_samples ─┬────────────> checked_samples ─> rejected_rows
             └─> folds ──> folded_samples ──> staged_keys ─> staged_runs ─┬─> repeated_blocks
                                                                          └─> staged_blocks ─┬──────────────────────> polls, runs
                                                                                           └─> staged_samples ─> staged_polls ─┘
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from metering.engine.duckdb import Engine
from metering.engine.interface import QueryEngine
from metering.engine.queries import load_query
from metering.ingest.files import FactFile, records
from metering.ingest.folds import are_told_once, count_folds, drop_folds, fold, read_together
from metering.ingest.sources import parquet_source, spooled, text_sources
from metering.ingest.text import LINE_PROBLEMS
from metering.levels import keep_levels
from metering.model.clock import Clock
from metering.model.errors import InputError
from metering.model.limits import raised_by

REASONS = {
    **LINE_PROBLEMS,
    "poll_time.missing": "is missing",
    "poll_time.no_text": "is no text",
    "poll_time.no_date": "is no date of the calendar",
    "poll_time.no_offset": "has no offset: end it in Z or ±hh:mm",
    "poll_time.no_instant": "is no instant such as 2026-10-01T00:00:00Z",
    "account.missing": "is missing",
    "account.long": "is longer than 128 characters",
    "account.unseen": "holds a character that cannot be seen",
    "account.no_text": "is no text; identifiers are text, never numbers",
    "endpoint.missing": "is missing",
    "endpoint.long": "is longer than 128 characters",
    "endpoint.unseen": "holds a character that cannot be seen",
    "endpoint.no_text": "is no text; identifiers are text, never numbers",
    "location.missing": "is missing",
    "location.long": "is longer than 128 characters",
    "location.unseen": "holds a character that cannot be seen",
    "location.no_text": "is no text; identifiers are text, never numbers",
    "snapshot.missing": "is missing, but the row has a size: a heartbeat has none",
    "snapshot.long": "is longer than 128 characters",
    "snapshot.unseen": "holds a character that cannot be seen",
    "snapshot.no_text": "is no text; identifiers are text, never numbers",
    "owner.missing": "is missing: whose snapshot it is cannot be told",
    "owner.no_text": "is no text; identifiers are text, never numbers",
    "drive.long": "is longer than 128 characters",
    "drive.unseen": "holds a character that cannot be seen",
    "drive.no_text": "is no text; identifiers are text, never numbers",
    "status.no_text": "is no text",
    "name.no_text": "is no text",
    "allocated_size.missing": "is missing",
    "allocated_size.negative": "is negative",
    "allocated_size.no_integer": "is no whole number of bytes",
    "allocated_size.large": "is above 9223372036854775807 (2^63 - 1)",
    "response.no_listing": "is no listing: it has no list of objects",
    "response.too_many": "lists more objects than limits.objects",
    "response.no_object": "lists something that is no object",
    "response.key_twice": "lists an object with a key twice",
    "response.incomplete": "is one page of a longer listing, and so no poll",
    "response.short": "lists fewer objects than its total_count, and so is no poll",
    "poll.rejected": "its poll is rejected: another row of it cannot be a sample",
}


_REJECTED_COLUMNS = {
    "file_number": "integer", "row_number": "bigint", "endpoint": "varchar", "account": "varchar", "poll_s": "bigint",
    "is_poll_known": "boolean", "problem": "varchar", "problem_value": "varchar",
}  # fmt: skip


# Folds that are made runs at once. A month of 12 000 snapshots has 7 million; three months at once took more than 1200 MB.
FOLDS_AT_ONCE = 8_000_000


@dataclass(slots=True)
class Outcome:
    """What became of the rows (and, for samples, the polls) of one table."""

    accepted: int = 0
    duplicate: int = 0
    conflicting: int = 0
    rejected: int = 0
    ignored: int = 0

    def add(self, outcome: str, count: int) -> None:
        """Count more of one outcome."""
        setattr(self, outcome, getattr(self, outcome) + count)

    @property
    def total(self) -> int:
        """All rows that came in; each is counted once."""
        return self.accepted + self.duplicate + self.conflicting + self.rejected + self.ignored

    def plus(self, other: "Outcome") -> "Outcome":
        """Give the sum of both."""
        return Outcome(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class Rejection:
    """A row that could not be taken: where it stands, which field is wrong, its value and the reason."""

    table: str
    file: str
    line: int
    field: str
    value: str
    reason: str
    endpoint: str | None = None
    account: str | None = None
    poll_s: int | None = None

    @property
    def text(self) -> str:
        """The rejection as one line."""
        value = f" {self.value!r}" if self.value else ""
        return f"{self.file} line {self.line}: {self.field}{value} {self.reason}"


@dataclass(slots=True)
class SampleOutcome:
    """What became of the samples of one command: rows and polls by outcome, and every rejected row.

    `contradicting` counts those of the conflicting polls of which the command itself brings two contents.
    """

    rows: Outcome = field(default_factory=Outcome)
    polls: Outcome = field(default_factory=Outcome)
    contradicting: int = 0
    rejections: list[Rejection] = field(default_factory=list)


def stage_samples(engine: Engine, files: list[FactFile], spool: Path, *, supersede: bool) -> Iterator[str]:
    """Stage the samples of one command up to the decision about every poll; yields the name of each step once it is done.

    Reads `collections`, `polls` and `samples` of the store and adds to its dictionaries (collections, series, labels), which
    mean nothing by themselves.
    """
    in_place, folded, parsed = [], [], []
    folds: dict[int, FactFile] = {}
    numbered = dict(enumerate(files, start=1))
    for group in read_together(engine, {number: file for number, file in numbered.items() if file.format == "parquet"}):
        in_place.append(parquet_source(group))
        (number, file), *others = group.items()
        told = None if others else fold(engine, file, number)
        if told is not None:
            folds[number] = file
        folded.append(told or in_place[-1])
        yield from (file.shown for file in group.values())
    texts = {number: file for number, file in numbered.items() if file.format != "parquet"}
    for place, held in text_sources(engine, texts, spool, _checked):
        parsed.append(place)
        yield from (file.shown for file in held)
    # What was parsed is checked already; to plan the checks takes ten milliseconds each time that a statement reads the view.
    told_by_text = [spooled(parsed)] if parsed else []
    for view, sources in (("judged_samples", in_place), ("folded_samples", folded)):
        judged = [*([_checked(*sources)] if sources else []), *told_by_text]
        engine.view(view, " union all by name ".join(f"({each})" for each in judged))
    part_count = 1 + count_folds(engine, folds) // FOLDS_AT_ONCE
    told_once = len(folds) == len(files) and are_told_once(engine, folds)
    are_captures = any(file.table == "captures" for file in files)
    steps = decide_polls(engine, are_captures=are_captures, supersede=supersede, part_count=part_count, are_told_once=told_once)
    for step in steps:
        if step == "runs":
            drop_folds(engine, folds)
        yield step


def decide_polls(
    engine: QueryEngine, *, are_captures: bool, supersede: bool, part_count: int = 1, are_told_once: bool = False
) -> Iterator[str]:
    """Decide about every poll of `judged_samples`, which are rows as `checked_samples` makes them; yields the steps done.

    `folded_samples` are the same, some of them folded; they are made runs in so many parts, or are runs as they are where no two
    of them say the same of a block. Any engine does it with the same queries.
    """
    engine.alias("checked_samples", "judged_samples")
    engine.create("staging/told_keys")
    if engine.sql("select 1 from told_keys where problem is not null limit 1"):
        engine.define("staging/fit_samples", name="checked_samples")
    engine.create("staging/staged_keys")
    yield "checked"
    engine.insert("collections", "staging/new_collections")
    engine.insert("series", "staging/new_series")
    engine.insert("labels", "staging/new_labels")
    engine.create("staging/staged_key_numbers")
    yield "keys"
    _make_runs(engine, part_count, are_told_once=are_told_once)
    yield "runs"
    _find_rejected(engine)
    engine.create("staging/jittering_blocks")
    is_jittering = bool(engine.sql("select 1 from jittering_blocks limit 1"))
    engine.create("staging/staged_phases", is_wanted=is_jittering)
    find_repeated(engine)
    engine.create("staging/staged_blocks")
    is_wanted = bool(engine.sql("select 1 from staged_blocks where is_looked_into limit 1"))
    engine.create("staging/keys_looked_into", is_wanted=is_wanted)
    engine.define("staging/looked_into_samples")
    for query in ("staging/staged_samples", "staging/known_polls", "staging/known_samples"):
        engine.create(query, is_wanted=is_wanted)
    is_contested = is_wanted and bool(engine.sql("select 1 from known_polls where not is_in_force limit 1"))
    engine.create("staging/settled_polls", is_wanted=is_contested)
    yield "samples"
    if are_captures:
        engine.create("staging/contradicting_listings")
    else:
        engine.load("contradicting_listings", {"collection_key": "bigint", "poll_s": "bigint"}, [])
    engine.create("staging/staged_polls", {"supersede": supersede})
    yield "polls"


def _make_runs(engine: QueryEngine, part_count: int, *, are_told_once: bool) -> None:
    """Make `staged_runs`, part by part: what is grouped is kept in memory until all of it is read."""
    if are_told_once:
        engine.create("staging/placed_folds")
        engine.alias("staged_runs", "placed_folds")
        return
    engine.define("staging/placed_folds")
    engine.create("staging/staged_runs", {"part": 0, "part_count": part_count})
    for part in range(1, part_count):
        engine.insert("staged_runs", "staging/staged_runs", {"part": part, "part_count": part_count})


def _find_rejected(engine: QueryEngine) -> None:
    """Make `rejected_rows`; where every row has become part of a run, none is, and text is not checked again to tell so.

    `left_rows` tells how many have not: those that are rejected, and those that are somebody else's.
    """
    in_runs = int(engine.scalar("select coalesce(sum(row_count), 0) from staged_runs"))
    left = int(engine.scalar("select count(*) from checked_samples")) - in_runs
    engine.load("left_rows", {"row_count": "bigint"}, [(left,)])
    if left:
        engine.create("staging/rejected_rows")
    else:
        engine.load("rejected_rows", _REJECTED_COLUMNS, [])


def find_repeated(engine: QueryEngine) -> None:
    """Make `repeated_blocks`: what the store has already is told by runs, and not looked into poll by poll."""
    engine.create("staging/rejected_blocks")
    engine.create("staging/collections_reaching_back")
    is_wanted = bool(engine.sql("select 1 from collections_reaching_back limit 1"))
    engine.create("staging/known_blocks", is_wanted=is_wanted)
    is_wanted = is_wanted and bool(engine.sql("select 1 from known_blocks limit 1"))
    engine.create("staging/repeated_blocks", is_wanted=is_wanted)


def _checked(*sources: str) -> str:
    """Give the SQL that checks raw rows; all that it needs is in it, so that any connection may run it."""
    raw = " union all by name ".join(f"({source})" for source in sources)
    return f"with raw_samples as ({raw}) from ({load_query('staging/checked_samples').sql})"


def sample_outcome(engine: QueryEngine, files: list[FactFile]) -> SampleOutcome:
    """Count what became of the staged rows and polls, and name every rejected row."""
    outcome = SampleOutcome()
    for row in engine.rows("staging/poll_outcomes"):
        outcome.polls.add(row["outcome"], int(row["poll_count"]))
        outcome.rows.add(row["outcome"], int(row["distinct_row_count"]))
        outcome.rows.duplicate += int(row["row_count"] - row["distinct_row_count"])
        if row["outcome"] == "conflicting":
            outcome.contradicting = int(row["contradicting_count"])
    most = files[0].limits.rejections
    if engine.scalar("select count(*) from rejected_rows") > most:
        raise InputError(
            f"more than {most} rows are no samples: nothing was taken; is it the right file? Mend it, or {raised_by('rejections')}"
        )
    rejected = engine.table("rejected_rows")
    outcome.rows.ignored = int(engine.scalar("select row_count from left_rows")) - len(rejected)
    if rejected:
        rejected += engine.rows("staging/rejected_companions")
        outcome.rejections = _rejections(files, rejected)
    outcome.rows.rejected = len(rejected)
    known = {(row["endpoint"], row["account"], row["poll_s"]) for row in rejected if row["is_poll_known"]}
    outcome.polls.rejected = len(known)
    return outcome


def write_samples(engine: Engine, files: list[FactFile], outcome: SampleOutcome, clock: Clock, ingest_seq: int) -> Iterator[str]:
    """Append the accepted polls and samples to the store, and keep the conflicting ones aside."""
    parameters = {"ingest_seq": ingest_seq}
    names = ((ingest_seq, number, file.shown) for number, file in enumerate(files, start=1))
    engine.load("new_ingest_files", {"ingest_seq": "bigint", "file_number": "bigint", "file": "varchar"}, names)
    engine.sql("insert into ingest_files by name from new_ingest_files")
    engine.drop("new_ingest_files")
    engine.create("staging/staged_shared_objects", is_wanted=outcome.rows.ignored > 0)
    engine.sql("insert into shared_objects by name select *, $ingest_seq as ingest_seq from staged_shared_objects", parameters)
    yield from number_polls(engine, outcome, ingest_seq)
    _keep_runs(engine)
    yield "runs"
    keep_levels(engine, clock, ingest_seq)
    if any(file.table == "captures" for file in files):
        engine.create("staging/taken_polls", parameters)
        engine.insert("poll_answers", "staging/new_poll_answers")
        engine.insert("drive_sizes", "staging/new_drive_sizes", parameters)
    yield "written"


def number_polls(engine: QueryEngine, outcome: SampleOutcome, ingest_seq: int) -> Iterator[str]:
    """Append the accepted polls to the facts, keep the conflicting ones aside, and make `new_runs` and `new_tails`."""
    parameters = {"ingest_seq": ingest_seq}
    engine.insert("superseded_polls", "staging/new_superseded_polls", parameters)
    if outcome.polls.conflicting:
        engine.insert("conflicting_samples", "staging/new_conflicting_samples", parameters)
    engine.create("staging/accepted_blocks")
    engine.create("staging/looked_into_keys")
    engine.insert("polls", "staging/new_polls", parameters)
    yield "numbered"
    engine.create("staging/block_runs")
    engine.create("staging/loose_runs")
    engine.create("staging/new_runs")
    engine.create("staging/new_tails")


def _keep_runs(engine: Engine) -> None:
    """Append the runs that ended, and put those that may go on in the place of the old ones."""
    engine.sql(
        "delete from open_runs where series_key in "
        "(select s.series_key from series as s inner join new_tails as t on s.collection_key = t.collection_key)"
    )
    # Written as a difference, the number is no key to join on: all collections of a cycle have the same.
    split = (
        "select r.* from new_runs as r inner join series as s on r.series_key = s.series_key "
        "inner join new_tails as t on s.collection_key = t.collection_key where r.last_poll_key % 4294967296 - t.last_number {} 0 "
        "order by r.series_key, r.first_poll_key"
    )
    engine.sql(f"insert into closed_runs by name {split.format('<>')}")
    engine.sql(f"insert into open_runs by name {split.format('=')}")


def drop_staging(engine: QueryEngine) -> None:
    """Give the memory of staging back."""
    engine.drop(
        "rejected_rows", "left_rows", "told_keys", "staged_keys", "staged_key_numbers", "staged_runs", "placed_folds",
        "jittering_blocks",
        "staged_phases", "rejected_blocks", "collections_reaching_back", "known_blocks", "repeated_blocks", "staged_blocks",
        "keys_looked_into", "looked_into_samples", "staged_samples", "known_polls", "known_samples", "settled_polls",
        "contradicting_listings", "staged_polls",
        "staged_shared_objects", "conflicting_polls", "samples_kept_aside", "taken_polls", "accepted_blocks",
        "looked_into_keys", "block_runs", "loose_runs", "new_runs", "new_tails", "checked_samples", "folded_samples",
        "judged_samples", "raw_samples", "raw_folds",
    )  # fmt: skip


def _rejections(files: list[FactFile], rows: list[dict[str, Any]]) -> list[Rejection]:
    lines = {
        number: _line_numbers(file, {row["row_number"] for row in rows if row["file_number"] == number})
        for number, file in enumerate(files, start=1)
    }
    rejections = []
    for row in rows:
        field_name, _, _ = row["problem"].partition(".")
        rejections.append(
            Rejection(
                table="samples",
                file=files[row["file_number"] - 1].shown,
                line=lines[row["file_number"]].get(row["row_number"], abs(row["row_number"])),
                field=field_name,
                value=row["problem_value"] or "",
                reason=REASONS[row["problem"]],
                endpoint=row["endpoint"] if row["is_poll_known"] else None,
                account=row["account"] if row["is_poll_known"] else None,
                poll_s=row["poll_s"] if row["is_poll_known"] else None,
            )
        )
    # What is wrong with a line itself comes before what it suffers with its poll.
    return sorted(rejections, key=lambda r: (r.file, r.line, r.field == "poll", r.field))


def _line_numbers(file: FactFile, wanted: set[int]) -> dict[int, int]:
    """Find the lines of a text file on which rows begin; in Parquet a row's number, and in captures the line's, say it already.

    In CSV a row may span lines, and blank lines are no rows. A negative number is a line.
    """
    if file.format == "parquet" or file.table == "captures" or max(wanted, default=0) <= 0:
        return {}
    return {row: record.line for row, record in enumerate(records(file), start=1) if row in wanted}
