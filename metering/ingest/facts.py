"""The small tables of facts: subscriptions, prices, burst levels, accounts.

Each row is read as it stands, validated, and compared with the fact of the same key that is in force: the same again adds
nothing, something else is a conflict and the first stays, unless it is meant to supersede. Two rows of one command that
contradict each other are both kept aside: neither is the first. Where they differ only in what decides nothing, the fact is taken
all the same, and told.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from metering.engine.duckdb import Engine, quoted_name, read_files, reason_of, trouble_of_machine
from metering.engine.interface import QueryEngine
from metering.ingest.columns import REQUIRED_COLUMNS
from metering.ingest.fact_models import ALL_MODELS, BILLED_RESOURCE, MODELS, Fact, Known
from metering.ingest.files import FactFile, records
from metering.ingest.samples import Outcome, Rejection
from metering.ingest.sources import seconds_of_nanoseconds, text_of
from metering.ingest.strict_json import decimal_text
from metering.ingest.text import LINE_PROBLEMS, Record
from metering.model.errors import InputError
from metering.model.limits import ReadingLimits, raised_by
from metering.model.period import instant_text

# What becomes of a row that contradicts another one of its key.
FIRST_STAYS = "another row of the same key something else: the first stays; --supersede replaces it"
AMONG_THEMSELVES = "another row of the same key in this command something else: neither is taken; leave one of them out"
DECLARATION_STAYS = "a file something else: what it declares stays; ingest a file that says so with --supersede"
DECIDES_NOTHING = (
    "another row of the same key something else: that decides nothing, and the row counts; what the other says stays, until this "
    "one is ingested without it and with --supersede"
)
# What files call the instants that are stored as seconds.
_IN_FILES = {"declared_start_s": "start_time", "declared_end_s": "end_time", "effective_from_s": "effective_from"}


@dataclass(slots=True)
class FactOutcome:
    """What became of the rows of one small table, which rows to store, and the files that these came from."""

    rows: Outcome = field(default_factory=Outcome)
    rejections: list[Rejection] = field(default_factory=list)
    accepted: list[dict[str, Any]] = field(default_factory=list)
    files: set[str] = field(default_factory=set)

    def with_more(self, other: "FactOutcome") -> "FactOutcome":
        """Give both outcomes as one."""
        rows, rejections = self.rows.plus(other.rows), self.rejections + other.rejections
        return FactOutcome(rows, rejections, self.accepted + other.accepted, self.files | other.files)


def read_facts(engine: Engine, table: str, files: list[FactFile], *, supersede: bool, now_s: int) -> FactOutcome:
    """Read the rows of one small table, validate them and compare them with what the store holds. Writes nothing."""
    return compare_facts(engine, table, [(file, _rows(engine, file)) for file in files], supersede=supersede, now_s=now_s)


def compare_facts(
    engine: QueryEngine, table: str, files: Sequence[tuple[FactFile, Iterable[Record]]], *, supersede: bool, now_s: int
) -> FactOutcome:
    """Validate the rows of files of one small table and compare them with what is known. Writes nothing."""
    model = MODELS[table]
    outcome = FactOutcome()
    known = _known(engine, table, model)
    versions: dict[tuple[Any, ...], list[_Row]] = {}
    count = 0
    for file, records_of_file in files:
        for record in records_of_file:
            count += 1
            if count > file.limits.facts:
                raise InputError(
                    f"{file.shown}: more than {file.limits.facts} rows of {table} in one command: nothing was taken; ingest them "
                    f"in several commands, or {raised_by('facts')}"
                )
            line, raw = record.line, record.cells
            required = REQUIRED_COLUMNS[file.table]
            if record.problem is not None:
                outcome.rejections.append(Rejection(table, file.shown, line, "line", record.shown, LINE_PROBLEMS[record.problem]))
                outcome.rows.rejected += 1
            elif table != "accounts" and raw.get("resource") not in (BILLED_RESOURCE, None, ""):
                outcome.rows.ignored += 1
            elif (
                fact := validated(table, required, (file.shown, line), raw, now_s, file.limits, outcome.rejections, known)
            ) is None:
                outcome.rows.rejected += 1
            else:
                versions.setdefault(tuple(fact[name] for name in model.key), []).append(_Row(file.shown, line, fact))
        file.assert_unchanged()
    for key, rows in sorted(versions.items()):
        _decide(outcome, table, rows, known.get(key, []), supersede=supersede)
    outcome.rejections.sort(key=lambda rejection: (rejection.file, rejection.line))
    return outcome


@dataclass(frozen=True, slots=True)
class _Row:
    """A fact as it would be stored, and where it stands."""

    place: str
    line: int
    fact: dict[str, Any]

    @property
    def order(self) -> list[tuple[bool, int, str]]:
        """Its place among rows that mean the same, whatever file they came in: what says more, then what says it shorter."""
        return [(value in (None, ""), len(str(value)), str(value)) for value in self.fact.values()]


def _decide(outcome: FactOutcome, table: str, rows: list[_Row], versions: list[dict[str, Any]], *, supersede: bool) -> None:
    """Decide about the rows of one key, of which these versions are known; the last is in force."""
    model, known = MODELS[table], versions[-1] if versions else None
    deciding = [name for name in model.content if name not in model.informational]
    besides = list(model.informational)
    contents = {model.meaning(model.retold(row.fact, versions), deciding) for row in rows}
    is_known = known is not None and model.meaning(known, deciding) in contents
    # What was replaced on purpose is settled: it comes again wherever files of a directory are taken in again.
    is_settled = contents <= {model.meaning(version, deciding) for version in versions}
    if is_settled and (len(contents) > 1 or not (is_known or supersede)):
        outcome.rows.duplicate += len(rows)
        return
    if len(contents) > 1 or (known is not None and not is_known and not supersede):
        outcome.rows.conflicting += len(rows)
        reason = AMONG_THEMSELVES if len(contents) > 1 else FIRST_STAYS
        outcome.rejections += [conflict(table, row.place, row.line, row.fact, reason) for row in rows]
        return
    first = min(rows, key=lambda row: row.order)
    if known is not None and is_known and (not supersede or model.meaning(known, besides) == model.meaning(first.fact, besides)):
        outcome.rows.duplicate += len(rows)
        kept = known
    else:
        outcome.rows.accepted += 1
        outcome.rows.duplicate += len(rows) - 1
        outcome.accepted.append(first.fact)
        outcome.files.add(first.place)
        kept = first.fact
    for row in rows:
        said = [name for name in besides if row.fact[name] and model.meaning(row.fact, [name]) != model.meaning(kept, [name])]
        if said:
            outcome.rejections.append(conflict(table, row.place, row.line, row.fact, DECIDES_NOTHING, said))


def write_facts(engine: Engine, table: str, rows: list[dict[str, Any]], ingest_seq: int) -> None:
    """Append accepted facts to the store."""
    if not rows:
        return
    columns = ALL_MODELS[table].columns | {"read_s": "bigint"}
    engine.load("new_facts", columns, ([row.get(name) for name in columns] for row in rows))
    engine.sql(
        f"insert into {quoted_name(table)} by name select *, $ingest_seq as ingest_seq from new_facts", {"ingest_seq": ingest_seq}
    )
    engine.drop("new_facts")


def _known(engine: QueryEngine, table: str, model: type[Fact]) -> dict[tuple[Any, ...], list[dict[str, Any]]]:
    """Give what is known by key: what files declared, and what is in force, be it what the provider said, as the last."""
    names = list(dict.fromkeys((*model.key, *(name for name in model.columns if name != "resource"))))
    rows = engine.sql(
        f"select {', '.join(map(quoted_name, names))} from (select *, lead(ingest_seq) over "
        f"(partition by {', '.join(map(quoted_name, model.key))} order by ingest_seq) as next_seq from {quoted_name(table)}) as v "
        "where read_s is null or next_seq is null order by ingest_seq"
    )
    # DuckDB gives decimal(38, 0) as Decimal, which equals and hashes like the int.
    known: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        known.setdefault(tuple(row[: len(model.key)]), []).append(dict(zip(names, row, strict=True)))
    return known


def validated(
    table: str,
    required: Sequence[str],
    place: tuple[str, int],
    raw: dict[str, Any],
    now_s: int,
    limits: ReadingLimits,
    rejections: list[Rejection],
    known: Known = MappingProxyType({}),
) -> dict[str, Any] | None:
    """Give a row as it is stored, or None where it cannot be; what is wrong with it, in `rejections`, the first thing only.

    A value that decides nothing is left out where it cannot be taken, and told there too: whatever somebody writes into the price
    of a subscription, it entitles to what it does.
    """
    file, line = place
    model = ALL_MODELS[table]
    # An optional cell that is empty says nothing; a required one is told so by its validator.
    given = {name: value for name, value in raw.items() if name in required or value not in (None, "")}
    missing = next((name for name in required if name not in given), None)
    if missing is not None:
        rejections.append(Rejection(table, file, line, missing, "", "is missing"))
        return None
    left_out: list[Rejection] = []
    while True:
        try:
            row = model.model_validate(given, context=limits)
            fact = row.stored(row.since(known, now_s))
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False)[0]
            message = first["msg"].removeprefix("Value error, ")
            field = str(first["loc"][0]) if first["loc"] else ""
            if not field:
                field, _, message = message.partition(": ")
        except ValueError as error:
            # What makes no interval is told of the period, unless the reason begins with what it is told of.
            named, _, reason = str(error).partition(" ")
            field, message = (named, reason) if named in model.model_fields else ("period", str(error))
        else:
            rejections += left_out
            return fact
        shown = (decimal_text(raw.get(field)) or "")[:200]
        if field not in model.informational:
            rejections.append(Rejection(table, file, line, field, shown, message))
            return None
        left_out.append(Rejection(table, file, line, field, shown, f"{message}; left out, the rest of the row counts"))
        given = {name: value for name, value in given.items() if name not in (field, *model.informational[field])}


def conflict(table: str, place: str, line: int, fact: dict[str, Any], reason: str, names: Sequence[str] | None = None) -> Rejection:
    """Say that a fact of this key is known, or meant, to be something else; in the columns `names`, all unless given."""
    model = ALL_MODELS[table]
    shown = " ".join(_told(name, fact[name]) for name in model.key if fact[name] != "")
    said = " ".join(_told(name, fact[name]) for name in names or model.content if fact[name] not in (None, ""))
    return Rejection(table, place, line, "conflict", shown, f"says {said}, {reason}")


def _told(name: str, value: Any) -> str:
    """Tell a stored value as files have it: an instant is no number of seconds there."""
    return f"{_IN_FILES.get(name, name)}={instant_text(value) if name.endswith('_s') else value}"


def _rows(engine: Engine, file: FactFile) -> Iterator[Record]:
    return _parquet_rows(engine, file) if file.format == "parquet" else records(file)


def _parquet_rows(engine: Engine, file: FactFile) -> Iterator[Record]:
    picks = []
    for column, kind in zip(file.columns, file.types, strict=True):
        name = quoted_name(column)
        if kind in ("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ_NS"):
            texts = [f"strftime(cast({name} as timestamp), '%Y-%m-%dT%H:%M:%SZ')"]
            if kind == "TIMESTAMPTZ_NS":
                # What is no number of seconds is infinity, which the other tells.
                texts.insert(0, f"strftime(make_timestamp({seconds_of_nanoseconds(name)} * 1000000), '%Y-%m-%dT%H:%M:%SZ')")
            picks.append(f"coalesce({', '.join(texts)}) as {name}")
        elif kind in ("FLOAT", "DOUBLE"):
            picks.append(f"cast({name} as varchar) || ' (a float)' as {name}")
        else:
            picks.append(f"{text_of(name, kind)} as {name}")
    try:
        rows = engine.sql(f"select {', '.join(picks)} from {read_files('parquet', [file.path])}")
    except engine.Error as error:
        if trouble_of_machine(error):
            raise
        raise InputError(f"{file.shown} is damaged ({reason_of(error)}); write it again") from None
    for number, row in enumerate(rows, start=1):
        yield Record(number, dict(zip(file.columns, row, strict=True)))
