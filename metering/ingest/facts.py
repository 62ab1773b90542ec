"""The small tables of facts: subscriptions, prices, burst levels, accounts.

Each row is read as it stands, validated, and compared with the fact of the same key that is in force: the same again adds
nothing, something else is a conflict and the first stays, unless it is meant to supersede. Two rows of one command that
contradict each other are both kept aside: neither is the first.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator

from metering.engine.duckdb import Engine, glob_escaped, quoted, quoted_name
from metering.ingest.files import REQUIRED_COLUMNS, FactFile, records
from metering.ingest.samples import Outcome, Rejection
from metering.ingest.strict_json import Number, decimal_text
from metering.ingest.text import LINE_PROBLEMS, Record
from metering.model.currency import minor_places
from metering.model.errors import InputError
from metering.model.period import instant_seconds
from metering.model.terms import parse_term, resolve_interval
from metering.model.units import unit_multiplier

BILLED_RESOURCE = "backup"
MAX_IDENTIFIER_LENGTH = 128
_MAX_TEXT_LENGTH = 1_000

# A number of more digits than this is no price and no amount, and would only cost time.
_MAX_DIGITS = 30


def _identifier(value: Any) -> Any:
    if not isinstance(value, str) or isinstance(value, Number):
        raise ValueError("is no text; identifiers are text, never numbers")  # noqa: TRY004 -- pydantic wants ValueError
    if len(value) > MAX_IDENTIFIER_LENGTH:
        raise ValueError(f"is longer than {MAX_IDENTIFIER_LENGTH} characters")
    if not value:
        raise ValueError("is missing")
    return str(value)


def _location(value: Any) -> Any:
    return "" if value in (None, "") else _identifier(value)


def _text(value: Any) -> Any:
    if value is None:
        return ""
    text = decimal_text(value)
    if text is not None and len(text) > _MAX_TEXT_LENGTH:
        raise ValueError(f"is longer than {_MAX_TEXT_LENGTH} characters")
    return text


def _whole(value: Any) -> int:
    text = decimal_text(value) or ""
    if not text:
        raise ValueError("is missing")
    if not (text.isascii() and text.isdigit()) or isinstance(value, bool):
        raise ValueError("is no whole number, or negative")
    if len(text) > _MAX_DIGITS:
        raise ValueError(f"has more than {_MAX_DIGITS} digits")
    return int(text)


def _price(value: Any) -> str:
    text = decimal_text(value) or ""
    whole, point, fraction = text.partition(".")
    if not text:
        raise ValueError("is missing")
    if not (whole.isascii() and whole.isdigit() and (not point or (fraction.isascii() and fraction.isdigit()))):
        raise ValueError("is no plain decimal of 0 or more, such as 0.28")
    if len(whole) > _MAX_DIGITS or len(fraction) > _MAX_DIGITS:
        raise ValueError(f"has more than {_MAX_DIGITS} digits")
    return text


def _instant(value: Any) -> int:
    if value in (None, ""):
        raise ValueError("is missing")
    if not isinstance(value, str) or isinstance(value, Number):
        raise ValueError("is no instant such as 2026-10-01T00:00:00Z")  # noqa: TRY004 -- pydantic wants ValueError
    return instant_seconds(value)


def _currency(value: Any) -> str:
    text = _identifier(value)
    if minor_places(text) is None:
        raise ValueError("is no currency of ISO 4217 with a minor unit, such as CHF")
    return str(text)


def _term(value: Any) -> str:
    return parse_term(_identifier(value)).text


def _optional(validate: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value in (None, "") else validate(value)


Identifier = Annotated[str, BeforeValidator(_identifier)]
Location = Annotated[str, BeforeValidator(_location)]
Text = Annotated[str, BeforeValidator(_text)]
Whole = Annotated[int, BeforeValidator(_whole)]
PriceText = Annotated[str, BeforeValidator(_price)]
Instant = Annotated[int, BeforeValidator(_instant)]
CurrencyCode = Annotated[str, BeforeValidator(_currency)]


class Fact(BaseModel):
    """A validated row: its key tells which fact it is, its content what it says."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)
    columns: ClassVar[dict[str, str]]
    key: ClassVar[tuple[str, ...]]
    content: ClassVar[tuple[str, ...]]

    def stored(self, now_s: int) -> dict[str, Any]:
        """Give the row to store, by column; `now_s` is the time of ingest."""
        del now_s
        return self.model_dump(include=set(self.columns))


class Subscription(Fact):
    """A subscription by (location, id): compared by what was said of it, not by what that meant at the time of ingest."""

    columns = {
        "location": "varchar", "id": "varchar", "account": "varchar", "resource": "varchar", "amount": "decimal(38, 0)",
        "declared_start_s": "bigint", "declared_end_s": "bigint", "period": "varchar", "start_s": "bigint", "end_s": "bigint",
        "nominal_seconds": "bigint", "price": "varchar", "currency": "varchar", "auto_renew": "varchar",
    }  # fmt: skip
    key = ("location", "id")
    content = ("account", "amount", "declared_start_s", "declared_end_s", "period", "price", "currency")

    id: Identifier
    account: Identifier
    location: Identifier
    amount: Whole
    start_time: Annotated[int | None, BeforeValidator(_optional(_instant))] = None
    end_time: Annotated[int | None, BeforeValidator(_optional(_instant))] = None
    period: Annotated[str | None, BeforeValidator(_optional(_term))] = None
    resource: str = BILLED_RESOURCE
    price: Annotated[str | None, BeforeValidator(_optional(_price))] = None
    currency: Annotated[str | None, BeforeValidator(_optional(_currency))] = None
    auto_renew: Annotated[str | None, BeforeValidator(_optional(_text))] = None

    def stored(self, now_s: int) -> dict[str, Any]:
        """Give the row to store; raises ValueError where start, end and period do not make an interval."""
        term = parse_term(self.period) if self.period else None
        interval = resolve_interval(self.start_time, self.end_time, term, now_s)
        return self.model_dump(exclude={"start_time", "end_time"}) | {
            "declared_start_s": self.start_time,
            "declared_end_s": self.end_time,
            "start_s": interval.start_s,
            "end_s": interval.end_s,
            "nominal_seconds": interval.nominal_seconds,
        }


class PriceRow(Fact):
    """A price from an instant on; an empty location means every location."""

    columns = {
        "location": "varchar", "resource": "varchar", "currency": "varchar", "level": "bigint", "effective_from_s": "bigint",
        "price": "varchar", "unit": "varchar", "multiplier": "decimal(38, 0)",
    }  # fmt: skip
    key = ("location", "resource", "currency", "level", "effective_from_s")
    content = ("price", "unit", "multiplier")

    location: Location = ""
    resource: Identifier
    currency: CurrencyCode
    level: Whole
    price: PriceText
    unit: Identifier
    multiplier: Whole
    effective_from: Instant

    @model_validator(mode="after")
    def _unit_and_multiplier_agree(self) -> Self:
        meant = unit_multiplier(self.unit)
        if meant is None:
            raise ValueError("unit: is no unit of price such as GB/month, GB/hour, TB/month")
        if meant != self.multiplier:
            raise ValueError(f"multiplier: disagrees with the unit {self.unit}, which is {meant}")
        return self

    def stored(self, now_s: int) -> dict[str, Any]:
        """Give the row to store."""
        del now_s
        return self.model_dump(exclude={"effective_from"}) | {"effective_from_s": self.effective_from}


class BurstLevel(Fact):
    """The level at which burst is priced from an instant on; an empty location means every location."""

    columns = {"location": "varchar", "resource": "varchar", "effective_from_s": "bigint", "level": "bigint"}
    key = ("location", "resource", "effective_from_s")
    content = ("level",)

    location: Location
    resource: Identifier
    level: Whole
    effective_from: Instant

    def stored(self, now_s: int) -> dict[str, Any]:
        """Give the row to store."""
        del now_s
        return self.model_dump(exclude={"effective_from"}) | {"effective_from_s": self.effective_from}


class Account(Fact):
    """An account's currency and name."""

    columns = {"account": "varchar", "currency": "varchar", "name": "varchar"}
    key = ("account",)
    content = ("currency", "name")

    account: Identifier
    currency: CurrencyCode
    name: Text


MODELS: dict[str, type[Fact]] = {
    "subscriptions": Subscription, "prices": PriceRow, "burst_levels": BurstLevel, "accounts": Account,
}  # fmt: skip


@dataclass(slots=True)
class FactOutcome:
    """What became of the rows of one small table, and which rows to store."""

    rows: Outcome
    rejections: list[Rejection]
    accepted: list[dict[str, Any]]


def read_facts(engine: Engine, table: str, files: list[FactFile], *, supersede: bool, now_s: int) -> FactOutcome:
    """Read the rows of one small table, validate them and compare them with what the store holds. Writes nothing."""
    model = MODELS[table]
    outcome = FactOutcome(Outcome(), [], [])
    versions: dict[tuple[Any, ...], dict[tuple[Any, ...], list[tuple[FactFile, int, dict[str, Any]]]]] = {}
    for file in files:
        for record in _rows(engine, file):
            line, raw = record.line, record.cells
            if record.problem is not None:
                outcome.rejections.append(Rejection(table, file.shown, line, "line", record.shown, LINE_PROBLEMS[record.problem]))
            elif table != "accounts" and raw.get("resource") not in (BILLED_RESOURCE, None, ""):
                outcome.rows.ignored += 1
            elif isinstance(fact := _validated(model, table, file, line, raw, now_s), Rejection):
                outcome.rejections.append(fact)
            else:
                key, content = (tuple(fact[name] for name in names) for names in (model.key, model.content))
                versions.setdefault(key, {}).setdefault(content, []).append((file, line, fact))
        file.assert_unchanged()
    outcome.rows.rejected = len(outcome.rejections)
    in_force = _in_force(engine, table, model)
    for key, contents in sorted(versions.items()):
        seen = sum(len(places) for places in contents.values())
        content, places = next(iter(contents.items()))
        if len(contents) > 1 or (key in in_force and in_force[key] != content and not supersede):
            outcome.rows.conflicting += seen
            outcome.rejections += [_conflict(table, model, key, *place) for several in contents.values() for place in several]
        elif in_force.get(key) == content:
            outcome.rows.duplicate += seen
        else:
            outcome.rows.accepted += 1
            outcome.rows.duplicate += seen - 1
            outcome.accepted.append(places[0][2])
    outcome.rejections.sort(key=lambda rejection: (rejection.file, rejection.line))
    return outcome


def write_facts(engine: Engine, table: str, rows: list[dict[str, Any]], ingest_seq: int) -> None:
    """Append accepted facts to the store."""
    if not rows:
        return
    columns = MODELS[table].columns
    engine.load("new_facts", columns, ([row[name] for name in columns] for row in rows))
    engine.sql(
        f"insert into {quoted_name(table)} by name select *, $ingest_seq as ingest_seq from new_facts", {"ingest_seq": ingest_seq}
    )
    engine.drop("new_facts")


def _in_force(engine: Engine, table: str, model: type[Fact]) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    key, content = (", ".join(map(quoted_name, names)) for names in (model.key, model.content))
    rows = engine.sql(
        f"select {key}, {content} from {quoted_name(table)} "
        f"qualify row_number() over (partition by {key} order by ingest_seq desc) = 1"
    )
    # DuckDB gives decimal(38, 0) as Decimal, which equals and hashes like the int.
    return {row[: len(model.key)]: row[len(model.key) :] for row in rows}


def _validated(
    model: type[Fact], table: str, file: FactFile, line: int, raw: dict[str, Any], now_s: int
) -> dict[str, Any] | Rejection:
    # An optional cell that is empty says nothing; a required one is told so by its validator.
    given = {name: value for name, value in raw.items() if name in REQUIRED_COLUMNS[file.table] or value not in (None, "")}
    missing = next((name for name in REQUIRED_COLUMNS[file.table] if name not in given), None)
    if missing is not None:
        return Rejection(table, file.shown, line, missing, "", "is missing")
    try:
        return model.model_validate(given).stored(now_s)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        message = first["msg"].removeprefix("Value error, ")
        field = str(first["loc"][0]) if first["loc"] else ""
        if not field:
            field, _, message = message.partition(": ")
    except ValueError as error:
        field, message = "period", str(error)
    return Rejection(table, file.shown, line, field, (decimal_text(raw.get(field)) or "")[:200], message)


def _conflict(table: str, model: type[Fact], key: tuple[Any, ...], file: FactFile, line: int, fact: dict[str, Any]) -> Rejection:
    shown = " ".join(f"{name}={value}" for name, value in zip(model.key, key, strict=True) if value != "")
    said = " ".join(f"{name}={fact[name]}" for name in model.content if fact[name] not in (None, ""))
    reason = f"says {said}, another row of the same key something else: the first stays; --supersede replaces it"
    return Rejection(table, file.shown, line, "conflict", shown, reason)


def _rows(engine: Engine, file: FactFile) -> Iterator[Record]:
    return _parquet_rows(engine, file) if file.format == "parquet" else records(file)


def _parquet_rows(engine: Engine, file: FactFile) -> Iterator[Record]:
    picks = []
    for column, kind in zip(file.columns, file.types, strict=True):
        name = quoted_name(column)
        if kind in ("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ_NS"):
            picks.append(f"strftime(cast({name} as timestamp), '%Y-%m-%dT%H:%M:%SZ') as {name}")
        elif kind in ("FLOAT", "DOUBLE"):
            picks.append(f"cast({name} as varchar) || ' (a float)' as {name}")
        elif column in ("id", "account", "location", "resource", "currency") and kind not in ("VARCHAR", "UUID", '"NULL"'):
            raise InputError(f"{file.shown}: the column {column!r} is {kind}, but identifiers are text; write it as text")
        else:
            picks.append(f"cast({name} as varchar) as {name}")
    try:
        rows = engine.sql(f"select {', '.join(picks)} from read_parquet({quoted(glob_escaped(file.path))})")
    except engine.Error as error:
        raise InputError(f"{file.shown} is damaged ({str(error).splitlines()[0]}); write it again") from None
    for number, row in enumerate(rows, start=1):
        yield Record(number, dict(zip(file.columns, row, strict=True)))
