"""What people read of a period, as a part of the meter: pages, pictures, workbooks."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from metering.billing.discounts import Settled
from metering.billing.usage import Computation
from metering.bookkeeping import Bookkeeping
from metering.books.bills import bill_on_terms, compute
from metering.engine.duckdb import Engine
from metering.model.errors import MisuseError, NoDataError
from metering.model.progress import Progress, silent
from metering.model.records import Bill, Finding, UsageRow
from metering.model.tables import Table
from metering.reporting.files import format_of, write_table, write_text
from metering.reporting.reports import DEFAULT_BY, make_report, statement

if TYPE_CHECKING:
    from metering.reporting.charts import draw, pictures

# A picture of more is none that anybody reads.
MOST_DRAWN = 24


@dataclass(frozen=True, slots=True)
class ComputedBill:
    """A period as the books have it, and computed in full: its bill, what its discounts are, and the tables in the engine."""

    engine: Engine
    computation: Computation
    bill: Bill
    discounts: Settled
    account: str | None
    is_closed: bool


class Publishing(Bookkeeping):
    """A store whose periods can be shown."""

    @contextlib.contextmanager
    def _computed_bill(
        self,
        period: str,
        account: str | None,
        *,
        as_of: str | None,
        known_at: str | int | None,
        progress: Progress,
        is_at_a_glance: bool = False,
    ) -> Iterator[ComputedBill]:
        """Open the store with the bill of a period and its steps, both of one moment; at a glance is enough for what sums days."""
        with self._store.reading() as engine:
            terms = self.terms(engine, period, as_of, known_at)
            own = bill_on_terms(engine, self._store, terms, progress, account)
            if not own.usage:
                who = "" if account is None else f" of account {account!r}"
                raise NoDataError(
                    f"there is no usage{who} in {period}: `metering report usage --period {period}` names what there is"
                )
            computation = compute(engine, terms, progress, is_at_a_glance=is_at_a_glance, account=account)
            yield ComputedBill(engine, computation, own, terms.discounts, account, terms.frozen is not None)

    def write(self, path: str | Path, table: Table) -> None:
        """Write a table to a file, in the format that its name tells; the file is there whole, or as it was before."""
        place = Path(path)
        format_of(place)
        write_table(table, place)

    def write_findings(self, path: str | Path, found: list[Finding]) -> None:
        """Write findings to a file, in the format that its name tells."""
        from metering.reporting.bill_book import findings_table

        self.write(path, findings_table(found))

    @staticmethod
    def assert_statements_fit(path: str | Path) -> None:
        """Refuse a name of which the format is not known, before anything is computed.

        Raises:
            MisuseError: statements are not written in it.
        """
        from metering.reporting import statements

        statements.statement_format(Path(path))

    def write_bill(self, path: str | Path, bill: Bill) -> None:
        """Write a bill to a file, in the format that its name tells: as JSON or a workbook with everything, else its statements."""
        from metering.reporting import statements

        place = Path(path)
        if place.suffix.lower() == ".json":
            write_text(statements.json_text(bill.document()), place)
        else:
            self.write_statements(place, bill)

    def write_statements(self, path: str | Path, bill: Bill) -> dict[str, int]:
        """Write the statements of a bill, each with its lines: a page to print, JSON, a table, or double entry for beancount.

        Where the name tells no format, a new folder has a page, JSON and CSV of each. Gives how many rows of a table, else how
        many statements there are.
        """
        from metering.reporting import beancount, statements
        from metering.reporting.bill_book import bill_sheets
        from metering.reporting.workbook import write_workbook

        place = Path(path)
        form = statements.statement_format(place)
        parts = statements.statement_parts(bill)
        if form == "":
            statements.write_folder(parts, place)
        elif form == ".html":
            write_text(statements.page(parts), place)
        elif form == ".json":
            write_text(statements.json_text([statements.document(each) for each in parts]), place)
        elif form == ".beancount":
            write_text(beancount.ledger(parts), place)
        else:
            table = statement(bill)
            if form == ".xlsx":
                write_workbook(bill_sheets(bill), place)
            else:
                self.write(place, table)
            return {str(place): len(table.rows)}
        return {str(place): len(parts)}

    def workbook(
        self,
        path: str | Path,
        *,
        period: str,
        account: str | None = None,
        as_of: str | None = None,
        known_at: str | int | None = None,
        progress: Progress = silent,
    ) -> dict[str, int]:
        """Write the bill and every report of a period as one workbook, a sheet each: how many rows there are.

        Takes account, as_of, known_at and progress as `bill` does.
        """
        from metering.reporting.bill_book import bill_sheets
        from metering.reporting.workbook import Sheet, installed, write_workbook

        place = Path(path)
        if format_of(place) != "xlsx":
            raise MisuseError(f"{place} is no workbook's name: end it in .xlsx")
        installed()
        with self._computed_bill(period, account, as_of=as_of, known_at=known_at, progress=progress) as billed:
            sheets = bill_sheets(billed.bill)
            for name in ("snapshots", "subscriptions", "cost", "coverage"):
                sheets.append(Sheet(self._made(name, billed, DEFAULT_BY[name])))
        write_workbook(sheets, place)
        return {f"{place}, {sheet.table.name}": len(sheet.table.rows) for sheet in sheets[1:]}

    def plot(
        self,
        name: str,
        path: str | Path,
        *,
        period: str,
        account: str | None = None,
        location: str | None = None,
        width: int = 1200,
        dark: bool = False,
        as_of: str | None = None,
        known_at: str | int | None = None,
        progress: Progress = silent,
    ) -> tuple[int, int]:
        """Draw a picture to a file: how many accounts and locations of how many are in it.

        Args:
            name: `usage` (occupied against entitled over time), `burst` (by day and location), or `cost` (subscriptions and burst).
            path: the file, .png or .svg.
            period: what is drawn.
            account: only this account.
            location: only this location.
            width: of the picture, about, in pixels.
            dark: bright on dark.
            as_of: the clock of the computation, as in `bill`.
            known_at: use only facts ingested by then, as in `bill`.
            progress: called with each stage, how many are done and how many there are.
        """
        from metering.reporting.charts import draw, pictures, series

        if name not in pictures.PLOTS:
            raise MisuseError(f"there is no plot {name!r}: choose from {', '.join(pictures.PLOTS)}")
        place = Path(path)
        draw.picture_format(place)
        draw.assert_installed()
        palette = draw.DARK if dark else draw.LIGHT
        with self._computed_bill(
            period, account, as_of=as_of, known_at=known_at, progress=progress, is_at_a_glance=name != "usage"
        ) as billed:
            units = series.ranked(row for row in billed.bill.usage if location in (None, row.location))
            if not units:
                raise NoDataError(
                    f"there is no usage in location {location!r} in {period}: `metering report usage --period {period}` names what "
                    "there is"
                )
            spec = self._picture(name, billed, units, location, palette, width)
        draw.write_picture(spec, palette, place)
        return min(len(units), MOST_DRAWN) if name == "usage" else len(units), len(units)

    def page(
        self,
        path: str | Path,
        *,
        period: str,
        account: str | None = None,
        as_of: str | None = None,
        known_at: str | int | None = None,
        progress: Progress = silent,
    ) -> None:
        """Write one self-contained page of a period, with charts; of one account, it is the customer's own and names nobody else.

        Takes as_of, known_at and progress as `bill` does.
        """
        from metering.reporting.charts import draw
        from metering.reporting.month_page import Shown, month_page

        draw.assert_installed()
        with self._computed_bill(period, account, as_of=as_of, known_at=known_at, progress=progress) as billed:
            by_location = self._costs(billed, ("location",))
            cost = by_location if account else self._costs(billed, ("account", "location"))
            text = month_page(Shown(billed.engine, billed.computation, billed.bill, cost, by_location, account, billed.is_closed))
        write_text(text, Path(path))

    def _picture(
        self, name: str, billed: ComputedBill, units: list[UsageRow], location: str | None, palette: "pictures.Palette", width: int
    ) -> "draw.Spec":
        from metering.reporting.charts import draw, pictures, series

        period = billed.computation.period
        if name == "usage":
            drawn = series.levels(billed.engine, period, units[:MOST_DRAWN])
            return pictures.usage_picture(palette, period, drawn, billed.bill.names, width, there_are=len(units))
        whose = draw.label(billed.bill.names.get(billed.account, billed.account)) if billed.account else ""
        if name == "burst":
            places = {row.location for row in units}
            lines = [line for line in billed.bill.lines if line.location in places]
            chart = pictures.burst_chart(palette, period, units, lines, width)
            return chart | {"title": pictures.heading("Burst of backup", period, whose)}
        charts = pictures.cost_charts(palette, _at(self._costs(billed, ("location",)), location), width)
        if not charts:
            raise NoDataError(f"nothing is known to have cost anything in {period.text}: no subscription and no burst has a price")
        return pictures.stacked(charts) | {"title": pictures.heading("What backup cost", period, whose)}

    def _costs(self, billed: ComputedBill, by: tuple[str, ...]) -> Table:
        return self._made("cost", billed, by)

    def _made(self, name: str, billed: ComputedBill, by: tuple[str, ...]) -> Table:
        return make_report(
            name, billed.engine, billed.computation, by, billed.account, locations=self.settings.locations,
            discounts=billed.discounts, adjustments=lambda: [line for line in billed.bill.lines if line.kind == "adjustment"],
        )  # fmt: skip


def _at(cost: Table, location: str | None) -> Table:
    """Keep a location's rows of costs that are by location."""
    return Table(cost.name, cost.columns, [row for row in cost.rows if location in (None, row[0])])
