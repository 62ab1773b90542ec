"""How a table is laid out on a terminal: a figure is never broken, whatever the width.

What does not fit is first grouped (a value that many rows share becomes their heading), then cut into several tables, one below
the other, each with the columns that name its rows. Only prose is folded, between words.
"""

import sys
from dataclasses import dataclass, replace
from itertools import groupby

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

_BETWEEN_COLUMNS = 2
_NARROWEST_PROSE = 16
# The columns that name a row may take this share of the width in every part of a table that is cut.
_WIDEST_KEY_PERCENT = 60


@dataclass(frozen=True, slots=True)
class Field:
    """A column as it is shown: its words, the unit below them, and how its cells stand.

    A `point` column lines up at the decimal point, a `prose` column may be folded to between `narrowest` and `widest` cells, a
    `key` column names its row, a `unit` column says what the figure beside it is in and is never parted from it: from the one
    before it, or, `leads`, from the one behind it.
    """

    words: str
    unit: str = ""
    is_figure: bool = False
    is_point: bool = False
    is_prose: bool = False
    is_key: bool = False
    is_unit: bool = False
    leads: bool = False
    narrowest: int = _NARROWEST_PROSE
    widest: int = sys.maxsize

    def least(self, width: int) -> int:
        """Give the cells that the column needs where `width` would hold it unfolded."""
        return min(width, self.narrowest) if self.is_prose else width


@dataclass(frozen=True, slots=True)
class Sheet:
    """Rows of cells under fields; the first `grouped` columns are no columns, but headings of the rows that share them.

    `groupings` says by how many of them it makes sense to group where there is no room.
    """

    fields: list[Field]
    rows: list[list[Text]]
    groupings: tuple[int, ...] = ()
    grouped: int = 0

    def under(self, grouped: int) -> "Sheet":
        """Give the same rows under headings."""
        return replace(self, grouped=grouped)

    def fits(self, console: Console) -> bool:
        """Whether the sheet fits in one piece, prose folded."""
        return _total([f.least(w) for f, w in self._columns()]) <= console.width

    def has_narrow_keys(self, console: Console) -> bool:
        """Whether the keys leave room for what they are the keys of, each column of it."""
        keys = [f.least(w) for f, w in self._columns() if f.is_key]
        widest = max((f.least(w) for f, w in self._columns() if not f.is_key), default=0)
        return 100 * _total(keys) <= _WIDEST_KEY_PERCENT * console.width and _total([*keys, widest]) <= console.width

    def _columns(self) -> list[tuple[Field, int]]:
        return list(zip(self.fields[self.grouped :], _widths(self), strict=True))


def draw(console: Console, sheets: list[Sheet], *, headed: bool = True) -> None:
    """Print the first of the sheets that fits; if none does, one that is grouped, cut into parts that repeat its keys."""
    choices = [sheet for sheet in sheets if sheet.fits(console)] or [
        sheet for sheet in sheets if (sheet.grouped or len(sheets) == 1) and sheet.has_narrow_keys(console)
    ]
    sheet = (choices or sheets[-1:])[0]
    aligned = _aligned(sheet)
    for number, columns in enumerate(_parts(sheet, console.width)):
        if number:
            console.print()
        _draw_part(console, aligned, columns, headed=headed)


def _aligned(sheet: Sheet) -> Sheet:
    """Bring decimal points below each other by blanks behind the shorter fractions."""
    rows = [list(row) for row in sheet.rows]
    for i, column in enumerate(sheet.fields):
        if column.is_point:
            longest = max((len(_fraction(row[i])) for row in rows), default=0)
            for row in rows:
                row[i] = row[i] + Text(" " * (longest - len(_fraction(row[i]))))
    return replace(sheet, rows=rows)


def _fraction(cell: Text) -> str:
    """Give the decimals with their point; a dash stands for a whole figure."""
    _, point, decimals = cell.plain.partition(".")
    return point + decimals


def _widths(sheet: Sheet) -> list[int]:
    return [
        min(column.widest, max(_longest(column.words), _longest(column.unit), _widest(column, [row[i] for row in sheet.rows]), 1))
        for i, column in enumerate(sheet.fields)
    ][sheet.grouped :]


def _widest(column: Field, cells: list[Text]) -> int:
    """Give the room that cells need, with the blanks that bring their decimal points below each other."""
    if not column.is_point:
        return max((_longest(cell.plain) for cell in cells), default=0)
    fractions = [len(_fraction(cell)) for cell in cells]
    wholes = [_longest(cell.plain) - fraction for cell, fraction in zip(cells, fractions, strict=True)]
    return max(wholes, default=0) + max(fractions, default=0)


def _longest(text: str) -> int:
    return max(map(cell_len, text.split("\n")))


def _total(widths: list[int]) -> int:
    return sum(widths) + _BETWEEN_COLUMNS * (len(widths) - 1)


def _parts(sheet: Sheet, width: int) -> list[dict[int, int]]:
    """Give the columns of each part, with their widths: all in one where they fit, else the keys and as many as fit."""
    unfolded = {sheet.grouped + i: each for i, each in enumerate(_widths(sheet))}
    widths = _folded(sheet.fields, unfolded, width)
    if _total(list(widths.values())) <= width:
        return [widths]
    keys = {i: each for i, each in widths.items() if sheet.fields[i].is_key}
    if keys and 100 * _total(list(keys.values())) > _WIDEST_KEY_PERCENT * width:
        # One key has to do: the one that tells most rows apart.
        best = max(keys, key=lambda i: (len({row[i].plain for row in sheet.rows}), -keys[i]))
        keys = {best: keys[best]}
    parts: list[dict[int, int]] = []
    part = dict(keys)
    for columns in _inseparable(sheet.fields, [i for i in widths if i not in keys]):
        together = {i: widths[i] for i in columns}
        if len(part) > len(keys) and _total([*part.values(), *together.values()]) > width:
            parts.append(part)
            part = dict(keys)
        part |= together
    return [_folded(sheet.fields, {i: unfolded[i] for i in each}, width) for each in [*parts, part]]


def _folded(fields: list[Field], unfolded: dict[int, int], width: int) -> dict[int, int]:
    """Let prose share what the other columns leave; the shorter leaves the longer what it does not need."""
    prose = sorted((i for i in unfolded if fields[i].is_prose), key=lambda i: unfolded[i])
    spare = width - _total([w for i, w in unfolded.items() if i not in prose]) - _BETWEEN_COLUMNS * len(prose)
    widths = dict(unfolded)
    for number, i in enumerate(prose):
        widths[i] = max(fields[i].least(unfolded[i]), min(unfolded[i], spare // (len(prose) - number)))
        spare -= widths[i]
    return widths


def _inseparable(fields: list[Field], columns: list[int]) -> list[list[int]]:
    """Put every figure and its unit together."""
    found: list[list[int]] = []
    for i in columns:
        if found and (fields[i].is_unit or fields[found[-1][-1]].leads):
            found[-1].append(i)
        else:
            found.append([i])
    return found


def _draw_part(console: Console, sheet: Sheet, columns: dict[int, int], *, headed: bool) -> None:
    fields, widths = [sheet.fields[i] for i in columns], list(columns.values())
    lines: list[Text] = []
    if headed:
        if any(column.unit for column in fields):
            lines += _lines(console, fields, widths, [Text(column.words if column.unit else "") for column in fields], "bold")
        lines += _lines(console, fields, widths, [Text(column.unit or column.words) for column in fields], "bold")
        lines.append(Text("─" * _total(widths), style="dim"))
    for heading, rows in groupby(sheet.rows, key=lambda row: tuple(cell.plain for cell in row[: sheet.grouped])):
        if sheet.grouped:
            lines.append(Text(" · ".join(heading), style="bold"))
        for row in rows:
            lines += _lines(console, fields, widths, [row[i] for i in columns])
    console.print(Text("\n").join(lines), soft_wrap=True)


def _lines(console: Console, fields: list[Field], widths: list[int], cells: list[Text], style: str = "") -> list[Text]:
    """Lay a row of cells out, each of which may be several lines, without blanks at the end of a line."""
    cut = [
        list(cell.wrap(console, width)) if column.is_prose else cell.split("\n", allow_blank=True) if "\n" in cell.plain else [cell]
        for column, width, cell in zip(fields, widths, cells, strict=True)
    ]
    found = []
    for number in range(max(map(len, cut))):
        pieces: list[Text | str] = []
        owed = 0
        for column, width, parts in zip(fields, widths, cut, strict=True):
            part = parts[number] if number < len(parts) else Text()
            blanks = width - cell_len(part.plain)
            pieces += [" " * (owed + blanks if column.is_figure else owed), part]
            owed = _BETWEEN_COLUMNS + (0 if column.is_figure else blanks)
        line = Text.assemble(*pieces, style=style)
        line.rstrip()
        found.append(line)
    return found
