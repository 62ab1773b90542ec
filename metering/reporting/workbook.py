"""Tables as a spreadsheet: typed cells, frozen headers, totals as formulas, and each figure a second time, exact, as text.

A spreadsheet keeps 15 digits. So what can have more stands in two columns: a number in the unit that people think in, which can be
summed and charted, and beside it the exact figure as text. Text from outside is text: it is never read as a formula, a number or
a link, and a cell that begins like a formula is marked so that it stays text when somebody edits it.
"""

import io
import re
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

from metering.billing.money import in_units, round_ratio
from metering.durable import replaced
from metering.model.currency import minor_places
from metering.model.errors import InputError
from metering.model.period import moment
from metering.model.tables import IN_COINS, Column, Kind, Table, plain_text
from metering.model.units import GIB_BYTES, GIB_MONTH_BYTE_SECONDS
from metering.reporting.files import spreadsheet_text

_MOST_ROWS = 1_048_576 - 20
_MOST_CHARACTERS = 32_767
# Enough of them that many rounded cells add up to their rounded total.
_NUMBER_PLACES = 12
_NO_XML = re.compile("[\ufffe\uffff]")
_BESIDE: dict[Kind, tuple[str, int]] = {"bytes": ("_gib", GIB_BYTES), "byte_seconds": ("_gib_months", GIB_MONTH_BYTE_SECONDS)}
_FORMATS = {
    "count": "#,##0", "seconds": "#,##0", "bytes": "#,##0.00", "byte_seconds": "#,##0.0000", "money": "#,##0.00##########",
    "price": "General", "instant": "yyyy-mm-dd hh:mm:ss", "date": "yyyy-mm-dd", "exact": "@", "text": "@", "heading": "@",
}  # fmt: skip
_WIDTHS = {
    "count": 9, "seconds": 12, "bytes": 14, "byte_seconds": 16, "money": 16, "price": 14, "instant": 20, "date": 12, "exact": 26,
}  # fmt: skip
# How many decimals the formats above show at the most, the point with them; and the room of what is bold, with its margins.
_DECIMALS = {"bytes": 3, "byte_seconds": 5, "money": 13}
_BOLDER = 3
# What fits beside each other on a sheet of paper and is still read; what is wider takes several, each with the first column.
_WIDEST_PAPER = 240
# What stands for a total of which a part is not known.
_NOT_KNOWN = "not known"
# Money that is in whole coins of its currency.
_IN_COINS = (*IN_COINS, "sum_of_lines")


@dataclass(frozen=True, slots=True)
class Formula:
    """A column of formulas, beside the table's own: what each is, given the row's number in the sheet, and what it gives."""

    name: str
    text: Callable[[int], str]
    values: Sequence[Decimal | None]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet of a workbook: a table, and what is computed beside it."""

    table: Table
    formulas: list[Formula] = field(default_factory=list)
    has_totals: bool = True


@dataclass(frozen=True, slots=True)
class _Cells:
    """A column of a sheet: its header, how it is formatted, and which column of the table it shows in what form."""

    header: str
    form: str
    source: int

    def value(self, column: Column, value: Any) -> Any:
        """Give what is written: text, a number with as many decimals as a sheet can add up, or a moment."""
        if value is None:
            return None
        if self.form in ("exact", "text"):
            return plain_text(column.kind, value)
        if self.form in ("bytes", "byte_seconds"):
            return round_ratio(Fraction(value, _BESIDE[column.kind][1]), _NUMBER_PLACES, "half-even")
        if self.form == "price":
            return Decimal(value)
        return moment(value).replace(tzinfo=None) if self.form in ("instant", "date") else value


def columns_of_sheet(columns: Sequence[Column]) -> list[_Cells]:
    """Give the columns of a sheet: for a figure that can be too long two, for the eye and exact."""
    cells: list[_Cells] = []
    for source, column in enumerate(columns):
        if column.name == "multiplier":
            cells.append(_Cells(column.name, "exact", source))
        elif column.kind in _BESIDE:
            bare = column.name.removesuffix("_byte_seconds").removesuffix("_bytes")
            cells += [_Cells(bare + _BESIDE[column.kind][0], column.kind, source), _Cells(column.name, "exact", source)]
        elif column.kind == "money" or column.name == "price":
            form = "money" if column.kind == "money" else "price"
            cells += [_Cells(column.name, form, source), _Cells(f"{column.name}_exact", "exact", source)]
        else:
            cells.append(_Cells(column.name, column.kind, source))
    return cells


def write_workbook(sheets: Sequence[Sheet], path: Path) -> None:
    """Write a workbook; the file is there whole, or as it was before, and the same tables give the same bytes.

    Raises:
        InputError: it cannot be written, what writes is not installed, or a table has more rows than a sheet can hold.
    """
    library, utility = installed()
    for sheet in sheets:
        if len(sheet.table.rows) > _MOST_ROWS:
            raise InputError(
                f"{sheet.table.name} has {len(sheet.table.rows):,} rows, and a sheet holds {_MOST_ROWS:,}: write .csv or .parquet"
            )
    with replaced(path) as place:
        options = {
            "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False, "constant_memory": True,
            # Its sheets are made beside it: where it is told that there is no room, it is there that there is none.
            "tmpdir": str(place.parent),
        }  # fmt: skip
        # Packed in memory: on a full disk, what packs into a file tries again at its end, and tells of it in its own way.
        packed = io.BytesIO()
        book = library.Workbook(packed, options)
        book.set_properties({"title": "metering", "created": datetime(2000, 1, 1, tzinfo=UTC).replace(tzinfo=None)})
        for sheet in sheets:
            _Writer(book, sheet, utility).write()
        try:
            book.close()
        except (library.exceptions.FileCreateError, OSError) as error:
            # What failed may be in it: sheets are made in temporary files.
            failed = error if isinstance(error, OSError) else error.args[0]
            # What packs ends now, while there is what it packs into: later it would fail again, and tell of it in its own way.
            for each in (error, failed):
                traceback.clear_frames(each.__traceback__)
            raise failed from None
        place.write_bytes(packed.getvalue())


def installed() -> tuple[ModuleType, ModuleType]:
    """Give the library that writes, and its names of cells, before anything is begun that could not be written in the end.

    Raises:
        InputError: it is not installed.
    """
    try:
        import xlsxwriter  # noqa: PLC0415 -- an extra
        from xlsxwriter import utility  # noqa: PLC0415
    except ImportError:
        raise InputError("spreadsheets need xlsxwriter: pip install 'metering[report]'") from None
    return xlsxwriter, utility


class _Writer:
    """Writes one sheet, row by row from the top, as a sheet that is not kept in memory must be."""

    def __init__(self, book: Any, sheet: Sheet, utility: ModuleType) -> None:
        self._book = book
        self._utility = utility
        self._sheet = sheet
        self._page = book.add_worksheet(sheet.table.name)
        self._cells = columns_of_sheet(sheet.table.columns)
        self._styles: dict[tuple[Any, ...], Any] = {}
        self._at = sheet.table.at

    def write(self) -> None:
        table = self._sheet.table
        headers = [*(cells.header for cells in self._cells), *(formula.name for formula in self._sheet.formulas)]
        widths = [self._width(i, header) for i, header in enumerate(headers)]
        for i, header in enumerate(headers):
            is_text = i < len(self._cells) and self._cells[i].form == "text"
            self._page.write_string(0, i, header, self._style("text" if is_text else "heading", bold=True))
            self._page.set_column(i, i, widths[i])
        for number, row in enumerate(table.rows, start=1):
            self._row(number, row)
        last = max(1, len(table.rows))
        self._page.autofilter(0, 0, last, len(headers) - 1)
        self._page.freeze_panes(1, 1)
        self._page.set_landscape()
        self._page.set_paper(9)
        self._page.fit_to_pages(-(-sum(widths) // _WIDEST_PAPER), 0)
        self._page.repeat_rows(0)
        self._page.repeat_columns(0)
        self._page.print_across()
        if self._sheet.has_totals and table.rows:
            self._totals(len(table.rows))

    def _row(self, number: int, row: tuple[Any, ...]) -> None:
        currency = row[self._at["currency"]] if "currency" in self._at else None
        for i, cells in enumerate(self._cells):
            value = cells.value(self._sheet.table.columns[cells.source], row[cells.source])
            if value is not None:
                self._write(number, i, cells, value, currency)
        for i, formula in enumerate(self._sheet.formulas, start=len(self._cells)):
            value = formula.values[number - 1]
            if value is not None:
                style = self._style("money", places=self._places(formula.name, currency))
                self._page.write_formula(number, i, formula.text(number + 1), style, value)

    def _write(self, row: int, column: int, cells: _Cells, value: Any, currency: str | None, *, bold: bool = False) -> None:
        if isinstance(value, str):
            text = _fit(value)
            is_risky = cells.form == "text" and spreadsheet_text(text) != text
            self._page.write_string(row, column, text, self._style(cells.form, bold=bold, quoted=is_risky))
        elif isinstance(value, datetime):
            self._page.write_datetime(row, column, value, self._style(cells.form))
        else:
            places = self._places(cells.header, currency) if cells.form == "money" else None
            self._page.write_number(row, column, value, self._style(cells.form, bold=bold, places=places))

    def _totals(self, last: int) -> None:
        """Add up below the rows, in formulas: what is filtered away does not count; money by currency, for francs are no yen."""
        currencies = self._currencies()
        adds = [(i, cells) for i, cells in enumerate(self._cells) if self._adds_up(cells)]
        plain = [(i, cells) for i, cells in adds if cells.form != "money"]
        money = [(i, cells) for i, cells in adds if cells.form == "money"]
        row = last + 2
        if plain:
            self._label(row, "total")
            for i, cells in plain:
                self._total(row, i, cells, f"SUBTOTAL(109,{self._range(i, last)})", None)
            row += 1
        for currency in currencies if money else []:
            self._label(row, f"total {currency}")
            at = next(i for i, cells in enumerate(self._cells) if cells.header == "currency")
            self._page.write_string(row, at, currency, self._style("text", bold=True))
            for i, cells in money:
                self._total(
                    row, i, cells, self._sum_of_money(self._range(i, last), self._range(at, last), self._cell(row, at)), currency
                )
            row += 1

    @staticmethod
    def _sum_of_money(amounts: str, currencies: str, currency: str) -> str:
        """Give the formula of a total in one currency, which is not known while any amount of it is not: that is no zero."""
        is_unknown = f'SUMPRODUCT(({currencies}={currency})*({amounts}=""))>0'
        return f'IF({is_unknown},"{_NOT_KNOWN}",SUMIFS({amounts},{currencies},{currency}))'

    def _total(self, row: int, column: int, cells: _Cells, formula: str, currency: str | None) -> None:
        """Write a total as a formula with our own figure as what it gave last, and beside it that figure, exact."""
        table = self._sheet.table
        source = table.columns[cells.source]
        own = [r[cells.source] for r in table.rows if currency is None or r[self._at["currency"]] == currency]
        known = [value for value in own if value is not None]
        if cells.form == "money" and len(known) < len(own):
            shown, exact = _NOT_KNOWN, _NOT_KNOWN
        elif known:
            total = _exact_sum(known)
            if source.kind == "byte_seconds":
                total = int(total)
            shown, exact = cells.value(source, total), plain_text(source.kind, total)
        else:
            return
        places = self._places(cells.header, currency) if cells.form == "money" else None
        self._page.write_formula(row, column, f"={formula}", self._style(cells.form, bold=True, places=places), shown)
        beside = self._cells[column + 1] if column + 1 < len(self._cells) else None
        if beside is not None and beside.source == cells.source:
            self._write(row, column + 1, beside, exact, None, bold=True)

    def _label(self, row: int, text: str) -> None:
        if self._cells[0].header != "currency" and not self._adds_up(self._cells[0]):
            self._page.write_string(row, 0, text, self._style("text", bold=True))

    def _currencies(self) -> list[str]:
        at = self._at.get("currency")
        return [] if at is None else sorted({row[at] for row in self._sheet.table.rows} - {None})

    def _range(self, column: int, last: int) -> str:
        return str(self._utility.xl_range_abs(1, column, last, column))

    def _cell(self, row: int, column: int) -> str:
        return str(self._utility.xl_rowcol_to_cell(row, column))

    @staticmethod
    def _adds_up(cells: _Cells) -> bool:
        """Tell what has a sum: levels and peaks have none."""
        is_number = cells.form == "count" and (cells.header.endswith("_count") or cells.header == "lines")
        return is_number or cells.form in ("byte_seconds", "seconds", "money")

    @staticmethod
    def _places(header: str, currency: str | None) -> int | None:
        return minor_places(currency) if currency and header in _IN_COINS else None

    def _style(self, form: str, *, bold: bool = False, quoted: bool = False, places: int | None = None) -> Any:
        key = (form, bold, quoted, places)
        if key not in self._styles:
            number = _FORMATS[form] if places is None else "#,##0" + ("." + "0" * places if places else "")
            told: dict[str, Any] = {"num_format": number, "valign": "top"}
            # A total that is not known is text, and stands where its figure would.
            if form in ("heading", "money"):
                told |= {"align": "right"}
            if form == "text":
                # What stands in the cell to the left may end at its right edge: 0.27 and GB/month are two.
                told |= {"align": "left", "indent": 1}
            if form == "exact":
                told |= {"font_color": "#5c6670", "align": "right"}
            if bold:
                told |= {"bold": True}
            if quoted:
                told |= {"quote_prefix": True}
            self._styles[key] = self._book.add_format(told)
        return self._styles[key]

    def _width(self, i: int, header: str) -> int:
        cells = self._cells[i] if i < len(self._cells) else None
        if cells is None or cells.form != "text":
            least = max(len(header) + 4, _WIDTHS["money" if cells is None else cells.form])
            return least if cells is None else max(least, self._width_of_figures(cells))
        longest = max((len(str(row[cells.source] or "")) for row in self._sheet.table.rows[:500]), default=0)
        return max(len(header) + 4, min(longest + 3, 60))

    def _width_of_figures(self, cells: _Cells) -> int:
        """Give the room of the longest figure and of the totals below: one that has too little is shown as ###."""
        if cells.form not in ("count", "seconds", *_DECIMALS):
            return 0
        column = self._sheet.table.columns[cells.source]
        figures = [cells.value(column, row[cells.source]) for row in self._sheet.table.rows if row[cells.source] is not None]
        # No total, of whatever rows, has more digits than all of them without their signs.
        largest = sum(map(abs, figures)) if self._adds_up(cells) else max(map(abs, figures), default=0)
        sign = any(figure < 0 for figure in figures)
        return len(f"{int(largest):,}") + sign + _DECIMALS.get(cells.form, 0) + _BOLDER


def _fit(text: str) -> str:
    """Make text fit into a cell: two characters are none in XML, and what is too long is cut where that is seen."""
    fit = _NO_XML.sub("\N{REPLACEMENT CHARACTER}", text)
    return fit if len(fit) <= _MOST_CHARACTERS // 2 else fit[: _MOST_CHARACTERS // 2] + "…"


def _exact_sum(values: Sequence[Any]) -> Any:
    """Add whole numbers, or amounts of any number of decimals, exactly."""
    if not any(isinstance(value, Decimal) for value in values):
        return sum(values)
    places = max(-int(value.as_tuple().exponent) for value in values)
    return round_ratio(Fraction(sum(in_units(value, places) for value in values), 10**places), places, "half-even")
