"""A result as a table: named, typed columns and rows of exact values; every format is made from it.

The kind of a column says what its values mean, so that each format can do right by them: money and byte-seconds never pass
through a float, text from outside is neutralised where a program could take it for a formula.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from pydantic import BaseModel

from metering.model.period import date_text, instant_text
from metering.model.records import Date, Instant, Money

Kind = Literal["text", "count", "seconds", "bytes", "byte_seconds", "money", "instant", "date"]
_JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"
# Columns of money in whole coins of a row's currency.
IN_COINS = ("amount_due", "shown_amount")
# What people call a column whose name tells a program more than them.
_SPOKEN = {"shown_amount": "due"}


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, which ends in its unit, and the kind of its values."""

    name: str
    kind: Kind

    @property
    def is_in_coins(self) -> bool:
        """Whether its money is in whole coins, of which every decimal is shown: 1.000 dinar is no 1.00."""
        return self.name in IN_COINS

    @property
    def spoken(self) -> str:
        """The name as a heading has it, in words, with its unit still at the end."""
        return _SPOKEN.get(self.name, self.name).replace("_", " ")


def told_apart(columns: Iterable[Column]) -> list[Column]:
    """Call the amount of a line exact, for people: beside it stands what of it is due."""
    return [Column("exact_amount", column.kind) if column.name == "amount" else column for column in columns]


@dataclass(frozen=True, slots=True)
class Table:
    """A titled table; a value that is None is not known, which is not zero."""

    name: str
    columns: tuple[Column, ...]
    rows: list[tuple[Any, ...]]

    @property
    def at(self) -> dict[str, int]:
        """The place of each column, by its name."""
        return {column.name: place for place, column in enumerate(self.columns)}

    def documents(self) -> list[dict[str, Any]]:
        """Give the rows as JSON objects: big integers and money as strings of plain decimals."""
        names = list(self.at)
        return [
            dict(zip(names, (json_value(c.kind, v) for c, v in zip(self.columns, row, strict=True)), strict=True))
            for row in self.rows
        ]


def json_value(kind: Kind, value: Any) -> Any:
    """Give a value as JSON has it (INTERFACE.md): what can pass 2⁵³ is a string, seconds and counts are numbers."""
    if value is None or kind in ("count", "seconds") or isinstance(value, bool):
        return value
    return plain_text(kind, value)


def plain_text(kind: Kind, value: Any) -> str:
    """Write a value exactly, as plain text; None is empty."""
    if value is None:
        return ""
    if kind == "instant":
        return instant_text(value)
    if kind == "date":
        return date_text(value)
    if kind == "money":
        return format(value, "f")
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def printable(text: str) -> str:
    """Write text from outside without what a terminal, a picture or a file would obey: controls, changes of direction.

    Blanks of all widths stay, and what joins or parts letters within a word: Japanese, French and Persian names have them.
    """
    if text.isprintable():
        return text
    return "".join(character if _is_harmless(character) else "\N{REPLACEMENT CHARACTER}" for character in text)


def _is_harmless(character: str) -> bool:
    return character.isprintable() or character in _JOINERS or unicodedata.category(character) == "Zs"


def by_key(item: tuple[tuple[Any, ...], Any]) -> tuple[Any, ...]:
    """Order the items of a dictionary by their keys, of which a part that is not known comes first."""
    return tuple("" if part is None else part for part in item[0])


def columns_of(**kinds: Kind) -> tuple[Column, ...]:
    """Write columns as keyword arguments, in order."""
    return tuple(Column(name, kind) for name, kind in kinds.items())


def table_of(name: str, model: type[BaseModel], rows: Sequence[BaseModel]) -> Table:
    """Make a table of records; the kinds follow from the fields' types and the units in their names."""
    columns = tuple(Column(field, _kind(field, info.annotation, info.metadata)) for field, info in model.model_fields.items())
    return Table(name, columns, [tuple(getattr(row, column.name) for column in columns) for row in rows])


def _kind(name: str, annotation: Any, metadata: list[Any]) -> Kind:
    for wrapped, kind in ((Instant, "instant"), (Date, "date"), (Money, "money")):
        serializer = get_args(wrapped)[1]
        if serializer in metadata or any(serializer in getattr(part, "__metadata__", ()) for part in get_args(annotation)):
            return kind  # type: ignore[return-value]  # the literals above
    if name.endswith("_byte_seconds") or name == "multiplier":
        return "byte_seconds"
    if name.endswith("_bytes"):
        return "bytes"
    if name.endswith("seconds"):
        return "seconds"
    # A number that leaves as text is in one of those units.
    return "count" if not metadata and int in (annotation, *get_args(annotation)) else "text"
