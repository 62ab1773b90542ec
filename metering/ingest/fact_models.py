"""The small facts: what a row of each table must be, which fact it is (its key) and what it says (its content)."""

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationInfo, model_validator

from metering.ingest.strict_json import decimal_text, is_text
from metering.model.currency import currency_code
from metering.model.limits import DEFAULT_LIMITS
from metering.model.period import instant_seconds
from metering.model.terms import parse_term, renews, resolve_interval
from metering.model.units import unit_multiplier

BILLED_RESOURCE = "backup"
MAX_IDENTIFIER_LENGTH = 128
# The columns of small tables that are text, whatever a file's types are: a number as which one was kept has lost its zeros.
IDENTIFIER_COLUMNS = ("id", "account", "location", "resource", "currency")
_MAX_TEXT_LENGTH = 1_000
# What a subscription costs is a product, told to its last digit: an odd number of bytes has some forty decimals.
_MAX_COST_DIGITS = 100
_MAX_LEVEL = 2**63 - 1
# What the time of a subscription comes to, however it was said.
_MEANT = ("start_s", "end_s", "nominal_seconds", "period")
# The fields of a row that say when; a column of the store has the unit in its name.
_INSTANTS = ("effective_from", "noted")
# The categories of Unicode that queries/staging/told_keys.sql refuses in samples.
_UNSEEN = ("Cc", "Cf", "Zl", "Zp", "Co")
# Those of them that not every version of Python or Java knows as such: Unicode has them since its versions 14 and 15.
_UNSEEN_LATELY = frozenset(map(chr, (0x890, 0x891, *range(0x13430, 0x13440))))


def identifier(value: Any) -> str:
    """Give an identifier as text.

    Raises:
        ValueError: it is none, such as a number; its message is the reason.
    """
    if value in (None, ""):
        raise ValueError("is missing")
    if not is_text(value):
        raise ValueError("is no text; identifiers are text, never numbers")
    if len(value) > MAX_IDENTIFIER_LENGTH:
        raise ValueError(f"is longer than {MAX_IDENTIFIER_LENGTH} characters")
    # What is printable has none of them, and is told at once.
    if not value.isprintable() and any(map(_is_unseen, value)):
        raise ValueError("holds a character that cannot be seen")
    return str(value)


def _is_unseen(character: str) -> bool:
    return unicodedata.category(character) in _UNSEEN or character in _UNSEEN_LATELY


def _location(value: Any) -> Any:
    return "" if value in (None, "") else identifier(value)


def _text(value: Any) -> Any:
    if not is_text(value):
        raise ValueError("is no text")
    if value is not None and len(value) > _MAX_TEXT_LENGTH:
        raise ValueError(f"is longer than {_MAX_TEXT_LENGTH} characters")
    return value or ""


def _flag(value: Any) -> Any:
    return _text(decimal_text(value) if isinstance(value, bool) else value)


def _most_digits(info: ValidationInfo | None) -> int:
    """Give how many digits a number may have: one of more is no price and no amount, and would only cost time."""
    limits = DEFAULT_LIMITS if info is None or info.context is None else info.context
    return int(limits.digits)


def _whole(value: Any, info: ValidationInfo | None) -> int:
    text = decimal_text(value) or ""
    if not text:
        raise ValueError("is missing")
    if not (text.isascii() and text.isdigit()) or isinstance(value, bool):
        raise ValueError("is no whole number, or negative")
    if len(text) > (most := _most_digits(info)):
        raise ValueError(f"has more than {most} digits (limits.digits)")
    return int(text)


def _level(value: Any, info: ValidationInfo | None) -> int:
    level = _whole(value, info)
    if level > _MAX_LEVEL:
        raise ValueError(f"is above {_MAX_LEVEL}")
    return level


def _price(value: Any, info: ValidationInfo | None) -> str:
    text, most = _decimal(value), _most_digits(info)
    if _digits(text) > most:
        raise ValueError(f"has more than {most} digits (limits.digits)")
    return text


def _cost(value: Any) -> str:
    text = _decimal(value)
    if _digits(text) > _MAX_COST_DIGITS:
        raise ValueError(f"has more than {_MAX_COST_DIGITS} digits")
    return text


def _digits(text: str) -> int:
    return max(map(len, text.split(".")))


def _decimal(value: Any) -> str:
    text = decimal_text(value) or ""
    whole, point, fraction = text.partition(".")
    if not text:
        raise ValueError("is missing")
    if not (whole.isascii() and whole.isdigit() and (not point or (fraction.isascii() and fraction.isdigit()))):
        raise ValueError("is no plain decimal of 0 or more, such as 0.28")
    return text


def _instant(value: Any) -> int:
    if value in (None, ""):
        raise ValueError("is missing")
    if not is_text(value):
        raise ValueError("is no instant such as 2026-10-01T00:00:00Z")
    return instant_seconds(value)


def _currency(value: Any) -> str:
    return currency_code(identifier(value))


def _term(value: Any) -> str:
    return parse_term(identifier(value)).text


def _optional(validate: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value in (None, "") else validate(value)


def _or_empty(validate: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: "" if value == "" else validate(value)


def _price_or_empty(value: Any, info: ValidationInfo) -> str:
    return "" if value == "" else _price(value, info)


def _number(text: str | None) -> Decimal | None:
    """Give what a decimal is worth, exactly: 1.50 is 1.5, and whoever wrote it either way said the same."""
    return Decimal(text) if text else None


# What is known of a small table, by key: the versions of each fact as they are stored, the one in force as the last.
Known = Mapping[tuple[Any, ...], Sequence[dict[str, Any]]]
Identifier = Annotated[str, BeforeValidator(identifier)]
Location = Annotated[str, BeforeValidator(_location)]
Text = Annotated[str, BeforeValidator(_text)]
Whole = Annotated[int, BeforeValidator(_whole)]
Level = Annotated[int, BeforeValidator(_level)]
PriceText = Annotated[str, BeforeValidator(_price)]
Instant = Annotated[int, BeforeValidator(_instant)]
CurrencyCode = Annotated[str, BeforeValidator(_currency)]


class Fact(BaseModel):
    """A validated row: its key tells which fact it is, its content what it says."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)
    columns: ClassVar[dict[str, str]]
    key: ClassVar[tuple[str, ...]]
    content: ClassVar[tuple[str, ...]]
    # What the provider says must agree with, where somebody declared the same fact by a file.
    agreed: ClassVar[tuple[str, ...]] = ()
    # What decides nothing: a value that cannot be taken is left out, with those that mean nothing without it, and the fact stays.
    informational: ClassVar[dict[str, tuple[str, ...]]] = {}
    # What is compared by what it means: it is stored and shown as it was written, which depends on the format it came in.
    meanings: ClassVar[dict[str, Callable[[Any], Any]]] = {}

    @classmethod
    def required(cls) -> tuple[str, ...]:
        """Name the fields that a row must have."""
        return tuple(name for name, info in cls.model_fields.items() if info.is_required())

    @classmethod
    def optional(cls) -> tuple[str, ...]:
        """Name the fields that a row may have besides."""
        return tuple(name for name, info in cls.model_fields.items() if not info.is_required())

    @classmethod
    def meaning(cls, fact: dict[str, Any], names: Sequence[str]) -> tuple[Any, ...]:
        """Give what a stored row says in these columns, to be compared with another."""
        return tuple(cls.meanings[name](fact[name]) if name in cls.meanings else fact[name] for name in names)

    def since(self, known: Known, now_s: int) -> int:
        """Give what `now` is for this row: the time of ingest, unless the same is known already from an earlier one."""
        del known
        return now_s

    @classmethod
    def retold(cls, fact: dict[str, Any], versions: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Give a stored row in the words of the version, the last first, that says the same in others; else as it is."""
        del versions
        return fact

    def stored(self, now_s: int) -> dict[str, Any]:
        """Give the row to store, by column: what is an instant has its unit in its name. `now_s` is what `now` is for it."""
        del now_s
        return {f"{name}_s" if name in _INSTANTS else name: value for name, value in self.model_dump().items()}


class Subscription(Fact):
    """A subscription by (location, id): compared by what was said of it, or else by what that came to mean when it was ingested."""

    columns = {
        "location": "varchar", "id": "varchar", "account": "varchar", "resource": "varchar", "amount": "decimal(38, 0)",
        "declared_start_s": "bigint", "declared_end_s": "bigint", "period": "varchar", "start_s": "bigint", "end_s": "bigint",
        "nominal_seconds": "bigint", "price": "varchar", "currency": "varchar", "auto_renew": "varchar",
    }  # fmt: skip
    key = ("location", "id")
    content = ("account", "amount", "declared_start_s", "declared_end_s", "period", "price", "currency")
    agreed = ("account", "amount", "start_s", "end_s")
    informational = {"price": (), "currency": ("price",), "auto_renew": ()}
    meanings = {"price": _number, "auto_renew": renews}

    id: Identifier
    account: Identifier
    location: Identifier
    amount: Whole
    start_time: Annotated[int | None, BeforeValidator(_optional(_instant))] = None
    end_time: Annotated[int | None, BeforeValidator(_optional(_instant))] = None
    period: Annotated[str | None, BeforeValidator(_optional(_term))] = None
    resource: str = BILLED_RESOURCE
    price: Annotated[str | None, BeforeValidator(_optional(_cost))] = None
    currency: Annotated[str | None, BeforeValidator(_optional(_currency))] = None
    auto_renew: Annotated[str | None, BeforeValidator(_optional(_flag))] = None

    def since(self, known: Known, now_s: int) -> int:
        """Give when it began where the same purchase is known and this row states no start: now was then."""
        if self.start_time is not None:
            return now_s
        said = (self.account, self.amount, self.end_time, self.period)
        starts = (
            version["start_s"]
            for version in reversed(known.get((self.location, self.id), []))
            if said == (version["account"], version["amount"], version["declared_end_s"], version["period"])
        )
        return next((start_s for start_s in starts if start_s <= now_s), now_s)

    @classmethod
    def retold(cls, fact: dict[str, Any], versions: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Give it with the start and end that the version of the same interval and period declared."""
        meant = cls.meaning(fact, _MEANT)
        same = next((version for version in reversed(versions) if cls.meaning(version, _MEANT) == meant), fact)
        return fact | {name: same[name] for name in ("declared_start_s", "declared_end_s")}

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
    agreed = content
    meanings = {"price": _number}

    location: Location = ""
    resource: Identifier
    currency: CurrencyCode
    level: Level
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


class BurstLevel(Fact):
    """The level at which burst is priced from an instant on; an empty location means every location."""

    columns = {"location": "varchar", "resource": "varchar", "effective_from_s": "bigint", "level": "bigint"}
    key = ("location", "resource", "effective_from_s")
    content = ("level",)
    agreed = content

    location: Location
    resource: Identifier
    level: Level
    effective_from: Instant


class Account(Fact):
    """An account's currency and name."""

    columns = {"account": "varchar", "currency": "varchar", "name": "varchar"}
    key = ("account",)
    content = ("currency", "name")
    agreed = ("currency",)

    account: Identifier
    currency: CurrencyCode
    name: Text = ""


MODELS: dict[str, type[Fact]] = {
    "subscriptions": Subscription, "prices": PriceRow, "burst_levels": BurstLevel, "accounts": Account,
}  # fmt: skip


class Discount(Fact):
    """What a purchase of at least a length costs less, as the provider says it: a share such as 0.03.

    An empty share says that the length is not on the list from then on, an empty length that nothing was on it.
    """

    columns = {"location": "varchar", "period": "varchar", "effective_from_s": "bigint", "discount": "varchar"}
    key = ("location", "period", "effective_from_s")
    content = ("discount",)
    agreed = content
    meanings = {"discount": _number}

    location: Identifier
    period: Annotated[str, BeforeValidator(_or_empty(_term))]
    discount: Annotated[str, BeforeValidator(_price_or_empty)]
    effective_from: Instant


class Place(Fact):
    """A location of the provider's: its name, its country, its API."""

    columns = {"location": "varchar", "display_name": "varchar", "country_code": "varchar", "api_endpoint": "varchar"}
    key = ("location",)
    content = ("display_name", "country_code", "api_endpoint")
    agreed = content

    location: Identifier
    display_name: Text = ""
    country_code: Text = ""
    api_endpoint: Text = ""


class PollNote(Fact):
    """Why a poll that was tried is none (`failed`), what is odd about one that was taken (`flagged`), what came again (`read`)."""

    columns = {
        "endpoint": "varchar", "account": "varchar", "resource": "varchar", "noted_s": "bigint", "outcome": "varchar",
        "cause": "varchar", "detail": "varchar",
    }  # fmt: skip
    key = ("endpoint", "account", "resource", "noted_s", "cause")
    content = ("outcome", "detail")
    agreed = content

    endpoint: Identifier
    account: Identifier
    resource: Identifier
    noted: Instant
    outcome: Literal["failed", "flagged", "read"]
    cause: Identifier
    detail: Text = ""


# What only the provider's answers and the collector's own notes bring.
ALL_MODELS: dict[str, type[Fact]] = MODELS | {"discounts": Discount, "places": Place, "poll_notes": PollNote}
