"""The operations, as a library: every command line command opens a meter, calls one of its methods, and prints."""

import contextlib
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from metering.billing.months import last_full_month
from metering.bookkeeping import read_instant
from metering.books.bills import adjustments_of, against_sending, bill_on_terms
from metering.config import Settings, load_settings
from metering.deciding import Deciding
from metering.journal import ingest_known_at
from metering.model.errors import InputError, MisuseError, unknown_account
from metering.model.period import parse_period
from metering.model.progress import Progress, silent
from metering.model.records import Bill, Finding
from metering.model.tables import Table
from metering.reporting.facts import export_facts, left_out
from metering.reporting.files import format_of, write_table
from metering.reporting.provider_exports import current_objects, daily_objects, ledger_objects
from metering.reporting.provider_files import provider_format, write_objects
from metering.reporting.reports import BY, OF_BOUGHT, adjustments_told, make_report, needs_steps, parse_by, statement
from metering.store import Store

if TYPE_CHECKING:
    import pandas as pd

    from metering.collector.backfill import Backfilled
    from metering.collector.check import CheckRow
    from metering.collector.cycle import CycleReport
    from metering.collector.service import Service
    from metering.ingest.ingest import IngestOutcome
    from metering.model.explanation import ExplainedAdjustment, Explanation
    from metering.model.reconciliation import Reconciliation
    from metering.planning.quote import Quote

PathLike = str | Path

# What is exported in the provider's own shapes.
_PROVIDER_SHAPED = {"ledger": ledger_objects, "dailyburst": daily_objects, "currentusage": current_objects}


class Meter(Deciding):
    """A store and the settings that go with it.

    Periods are written `2026-10`, `2026-10-03` or `START..END`, instants `2026-10-01T00:00:00Z`. Every method raises
    `metering.model.errors.MeteringError` with one line that says what is wrong and what to do.
    """

    def __init__(self, settings: Settings, *, clock: Callable[[], int] = lambda: int(time.time())) -> None:
        self.settings = settings
        self._clock = clock
        self._store = self._store_waiting(settings.store_wait)

    @classmethod
    def opened(cls, store: str | None = None, **settings: Any) -> Self:
        """Open by settings: `metering.toml` and the environment, and above them what is given here."""
        return cls(load_settings(given=settings | ({} if store is None else {"store": str(store)})))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release()

    def ingest(
        self,
        paths: PathLike | Sequence[PathLike],
        *,
        strict: bool = False,
        supersede: bool = False,
        progress: Progress = silent,
    ) -> "IngestOutcome":
        """Take facts into the store: facts directories and files, all read together, in one transaction."""
        from metering.ingest.ingest import ingest

        places = [paths] if isinstance(paths, (str, Path)) else paths
        return ingest(
            self._store, [Path(place) for place in places], strict=strict, supersede=supersede, now_s=self._clock(),
            progress=progress,
        )  # fmt: skip

    def collect(
        self,
        *,
        every_s: int | None = None,
        metrics: PathLike | None = None,
        tell_cycle: Callable[["CycleReport"], None] = lambda _report: None,
        tell: Callable[[str], None] = lambda _text: None,
    ) -> "CycleReport":
        """Poll every configured endpoint and account into the spool, then the store: once, or every so many seconds.

        Args:
            every_s: how often, until SIGTERM, SIGINT or SIGHUP; once unless given. In another thread than the main one no
                signal is heard: there it ends with an error of `tell_cycle`, or, in a notebook, with its cell.
            metrics: a file in Prometheus' text format, written anew after each cycle.
            tell_cycle: called with the report of each cycle.
            tell: called with what a person should know besides, a line each.
        """
        from metering.collector.metrics import Metrics
        from metering.collector.service import collect

        written = None if metrics is None else Metrics(Path(metrics))

        def told(report: "CycleReport") -> None:
            tell_cycle(report)
            try:
                if written is not None:
                    written.write(report)
            except InputError as error:
                tell(str(error))

        every = every_s or self.settings.cycle
        return collect(self.settings.targets, self._service(told, tell), every_s=every, once=every_s is None)

    def check_collecting(self) -> "list[CheckRow]":
        """Try every configured endpoint with every login; nothing is kept."""
        from metering.collector.check import check_targets

        return check_targets(self.settings.targets)

    def backfill(self, period: str, *, tell: Callable[[str], None] = lambda _text: None) -> "Backfilled":
        """Fill the gaps between polls from the provider's own samples; polls of our own are never overridden."""
        from metering.collector.backfill import backfill

        service = self._service(lambda _report: None, tell)
        return backfill(self.settings.targets, service, parse_period(period), self.settings.cycle)

    def _service(self, tell_cycle: Callable[["CycleReport"], None], tell: Callable[[str], None]) -> "Service":
        from metering.collector.service import Service

        if self._store.is_memory:
            raise MisuseError("what is collected must last: name a store in a file, not :memory:")
        return Service(self._store_waiting, self.settings.store_wait, tell_cycle, tell)

    def _store_waiting(self, wait_s: int) -> Store:
        settings = self.settings
        return Store(
            settings.store, memory=settings.memory, threads=settings.threads, wait_seconds=wait_s, clock=settings.clock,
            limits=settings.limits,
        )  # fmt: skip

    def last_full_month(self) -> tuple[str, bool]:
        """Give the last full month in the facts, and whether it is full: see `metering.billing.months`."""
        with self._store.reading() as engine:
            return last_full_month(engine, self.settings.max_hold)

    def bill(
        self,
        period: str,
        *,
        as_of: str | None = None,
        known_at: str | int | None = None,
        account: str | None = None,
        progress: Progress = silent,
    ) -> Bill:
        """Give the statements of a period: as they were frozen if it is closed, else computed; nothing is written.

        Args:
            period: what to bill.
            as_of: the clock of the computation: time ends there; now unless given. A closed period is then computed anew.
            known_at: as it was known then, to facts ingested and closings made by then: an ingest number, or an instant.
            account: only this account's rows.
            progress: called with each stage, how many are done and how many there are.
        """
        with self._store.reading() as engine:
            own = bill_on_terms(engine, self._store, self.terms(engine, period, as_of, known_at), progress, account)
        if account is not None and not own.usage and not own.statements:
            raise unknown_account(account, period)
        return own

    def explain(
        self,
        charge_id: str,
        *,
        period: str | None = None,
        as_of: str | None = None,
        known_at: str | int | None = None,
        progress: Progress = silent,
    ) -> "Explanation | ExplainedAdjustment":
        """Explain one charge, down to the samples, and say whether they give the same amount as the bill has.

        Args:
            charge_id: as bills name it; it tells the line's date.
            period: the billed period in which the line stands, where that is cut inside the date; else the whole date. For an
                adjustment that is not closed yet, the open period that carries it; the one that follows unless given.
            as_of: the clock of the computation, as in `bill`.
            known_at: use only facts ingested by then, as in `bill`.
            progress: called with each stage, how many are done and how many there are.
        """
        from metering.reporting.explain.asked import explain

        with self._store.reading() as engine:
            return explain(
                engine, charge_id, None if period is None else parse_period(period),
                lambda asked: self.terms(engine, asked.text, as_of, known_at), is_by_clock=as_of is not None, progress=progress,
            )  # fmt: skip

    def audit(
        self,
        period: str | None = None,
        *,
        as_of: str | None = None,
        known_at: str | int | None = None,
        progress: Progress = silent,
    ) -> list[Finding]:
        """Run every check of a period (unless given the last full month); no finding means that nothing is known to be wrong.

        Takes as_of, known_at and progress as `bill` does. Sorted by check, account and location.
        """
        from metering.reporting.audit_books import audit

        named = self.last_full_month()[0] if period is None else period
        with self.computed(
            named, as_of=as_of, known_at=known_at, is_at_a_glance=True, is_of_bill=True, progress=progress
        ) as (engine, computation):  # fmt: skip
            terms = self.terms(engine, named, as_of, known_at)
            return audit(engine, self._store, terms, computation, self.settings.audit)

    def reconcile(
        self, period: str, *, as_of: str | None = None, known_at: str | int | None = None, progress: Progress = silent,
        **asked: Any,
    ) -> "Reconciliation":  # fmt: skip
        """Hold our figures of a period against the provider's own, row by row; nothing is written.

        Takes the fields of `ReconcileRequest`: one of the files `ledger`, `usage`, `dailyburst`, or `live`, which names one of
        these lists; `account`, `location`, `tolerance`, `jitter`.
        """
        from metering.reporting.reconcile.asking import ReconcileRequest, obtain, reconcile_request

        request = ReconcileRequest(**asked)
        obtained = obtain(request, parse_period(period), self.settings.targets)
        # What stands under a wrong account is found under the right one.
        options: dict[str, Any] = {"as_of": as_of, "known_at": known_at, "account": request.account, "progress": progress}
        with self.computed(period, with_others=True, **options) as (engine, computation):
            return reconcile_request(engine, computation, request, obtained)

    def quote(self, **asked: Any) -> "list[Quote]":
        """Quote a subscription and what follows it; nothing is bought and nothing is written.

        Takes the fields of `QuoteRequest`: `amount` with any of `start`, `end`, `period`, or `extend`; `location`, and `price` with
        `unit`, or `currency` or `account` for the price in the store; `times`, `now`.
        """
        from metering.planning.quote_request import QuoteRequest, make_quotes

        request = QuoteRequest(**asked)
        now_s = self._clock() if request.now is None else read_instant(request.now, "--now")
        with self._store.reading() if request.needs_store else contextlib.nullcontext() as engine:
            return make_quotes(engine, request, now_s, self.settings.discount_table)

    def report_table(
        self,
        name: str,
        period: str,
        *,
        by: str | None = None,
        as_of: str | None = None,
        known_at: str | int | None = None,
        account: str | None = None,
        progress: Progress = silent,
        tell: Callable[[str], None] | None = None,
    ) -> Table:
        """Make a report: one of `reports.BY`, as a table of exact values.

        `tell` is called with what a report of burst leaves out of the bill, a line each; that is not looked for unless it is given.
        """
        if name not in BY:
            raise MisuseError(f"there is no report {name!r}: choose from {', '.join(BY)}")
        parsed_by = parse_by(name, by)
        if name == "statement":
            return statement(self.bill(period, as_of=as_of, known_at=known_at, account=account, progress=progress))
        with self.computed(
            period, as_of=as_of, known_at=known_at, account=account, progress=progress,
            is_at_a_glance=not needs_steps(name, parsed_by), is_of_bought=name in OF_BOUGHT, is_of_bill=True,
        ) as (engine, computation):  # fmt: skip
            terms = self.terms(engine, period, as_of, known_at)
            adjustments = partial(adjustments_of, engine, terms, computation, account, progress)
            table = make_report(
                name, engine, computation, parsed_by, account, locations=self.settings.locations,
                discounts=terms.discounts, adjustments=adjustments,
            )  # fmt: skip
            if name == "burst" and tell is not None:
                for text in adjustments_told(adjustments(), period):
                    tell(text)
            return table

    def report(self, name: str, period: str, **options: Any) -> "pd.DataFrame":
        """Make a report as a DataFrame with exact dtypes: money, bytes and byte-seconds are objects (Decimal, int), never floats.

        Takes the options of `report_table`. Instants are UTC timestamps, seconds and counts Int64.
        """
        from metering.reporting.frames import frame

        return frame(self.report_table(name, period, **options))

    def advice(self, period: str, **options: Any) -> "pd.DataFrame":
        """Give what `advise` says as a DataFrame, a row an account, location and length; takes its options."""
        from metering.reporting.advice import advice_table
        from metering.reporting.frames import frame

        return frame(advice_table(self.advise(period, **options)))

    def ahead(self, **options: Any) -> "pd.DataFrame":
        """Give the days that `forecast` sees ahead as a DataFrame, a row an account, location and day; takes its options."""
        from metering.reporting.ahead import days_table
        from metering.reporting.frames import frame

        return frame(days_table(self.forecast(**options)))

    def export(
        self,
        name: str,
        path: PathLike,
        *,
        period: str | None = None,
        facts_format: str | None = None,
        as_of: str | None = None,
        known_at: str | int | None = None,
        account: str | None = None,
        progress: Progress = silent,
        tell: Callable[[str], None] = lambda _text: None,
    ) -> dict[str, int]:
        """Write `statement`, `usage`, `focus` of a period to a file, or statements or the `facts` in force to a new folder.

        `facts_format` is of facts alone: csv, ndjson, or parquet, which it is unless given.

        `tell` is called with what speaks against sending a statement, a line each. `focus` writes its second dataset beside, and
        `tell`s what it had to leave out too, as `facts` do.
        `ledger`, `dailyburst` and `currentusage` are written as the provider answers them, `xlsx` is the bill and
        every report as one workbook. Gives the number of rows by place.
        """
        place = Path(path)
        if name == "facts":
            if as_of is not None:
                raise MisuseError("facts are of no clock: --known-at says which of them count, --period which samples")
            return self._export_facts(place, facts_format or "parquet", period, known_at, account, tell)
        kinds = ("statement", "usage", "focus", *_PROVIDER_SHAPED, "xlsx")
        if period is None or name not in kinds:
            raise MisuseError(f"export takes {', '.join(kinds)} with a period, or facts, not {name!r}")
        if facts_format is not None:
            raise MisuseError(f"--facts-format is of exported facts; of {name}, the name of the file tells the format")
        asked: dict[str, Any] = {"as_of": as_of, "known_at": known_at, "account": account, "progress": progress}
        if name == "focus":
            return self.export_focus(place, period, tell=tell, **asked)
        if name == "xlsx":
            return self.workbook(place, period=period, **asked)
        if name == "statement":
            self.assert_statements_fit(place)
            bill = self.bill(period, **asked)
            for text in against_sending(bill):
                tell(text)
            return self.write_statements(place, bill)
        if name == "usage":
            format_of(place)
            table = self.report_table(name, period, **asked)
            write_table(table, place)
            return {str(place): len(table.rows)}
        provider_format(place)
        with self.computed(period, **asked) as (engine, computation):
            return {str(place): write_objects(name, _PROVIDER_SHAPED[name](engine, computation, account), place)}

    def _export_facts(
        self,
        place: Path,
        form: str,
        period: str | None,
        known_at: str | int | None,
        account: str | None,
        tell: Callable[[str], None],
    ) -> dict[str, int]:
        parsed = None if period is None else parse_period(period)
        with self._store.reading(places=[place]) as engine:
            known_seq = ingest_known_at(engine, known_at)
            bounds: tuple[int | None, int | None] = (parsed.start_s, parsed.end_s) if parsed else (None, None)
            counts = export_facts(engine, place, form, known_seq, *bounds, account)
            for text in left_out(engine, known_seq):
                tell(text)
        return {str(place / table): count for table, count in counts.items()}
