"""Billing beyond one machine: facts in Parquet, taken in and billed on Spark by the queries that a store is billed with.

There is no store: facts are read anew for each run, nothing is kept, and no period is closed. What leaves is the same to the last
byte (ACCOUNTING.md §9, 8): Spark counts integers, and the lines, statements and findings are made here.
"""

import contextlib
import importlib.util
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from metering.billing.bill import make_bill
from metering.billing.months import last_full_month
from metering.billing.usage import assert_observed, compute_usage
from metering.bookkeeping import read_instant
from metering.config import Settings
from metering.ingest.ingest import IngestOutcome
from metering.model.errors import EngineError, NoDataError
from metering.model.period import parse_period
from metering.model.progress import Progress, silent
from metering.model.records import Bill
from metering.schema import fact_tables

if TYPE_CHECKING:
    from metering.engine.spark import SparkEngine

# What the extra brings that this engine does not do without.
_EXTRA = ("pyspark", "pyarrow", "sqlglot")


@contextlib.contextmanager
def open_cluster(settings: Settings) -> "Iterator[ClusterMeter]":
    """Open a meter on the Spark that the settings name, and stop its session afterwards.

    Raises:
        EngineError: pyspark, Java or the server is missing, or its arithmetic cannot be trusted.
    """
    _assert_installed()
    from metering.engine.sessions import spark_engine  # noqa: PLC0415 -- only this engine waits for pyspark

    with spark_engine(settings.spark.master, settings.spark.conf) as engine:
        yield ClusterMeter(settings, engine)


def assert_places(places: Sequence[str], settings: Settings) -> None:
    """Fail where facts on this machine cannot be taken in from `places`, as far as names tell; a URL's are told once Spark looks.

    Raises:
        InputError: a place is not there, holds no facts, or facts that are no Parquet.
        EngineError: what this engine needs is not installed.
    """
    _assert_installed()
    from metering.ingest.lake_files import name_files_here  # noqa: PLC0415 -- only this engine waits for it

    name_files_here(list(places), settings.limits)


def _assert_installed() -> None:
    """Fail where the extra is missing, before the modules that need it are loaded."""
    missing = [name for name in _EXTRA if importlib.util.find_spec(name) is None]
    if missing:
        raise EngineError(f"the spark engine is not installed ({', '.join(missing)} missing): pip install 'metering[spark]'")


class ClusterMeter:
    """The main job on Spark: facts in, a bill out, for as long as the session lasts."""

    def __init__(self, settings: Settings, engine: "SparkEngine", *, clock: Callable[[], int] = lambda: int(time.time())) -> None:
        self.settings = settings
        self._engine = engine
        self._clock = clock
        self._seq = 0
        for table, columns in fact_tables().items():
            engine.load(table, columns, [])
        engine.alias("sample_runs", "closed_runs")

    def ingest(
        self,
        paths: str | Path | Sequence[str | Path],
        *,
        strict: bool = False,
        supersede: bool = False,
        progress: Progress = silent,
    ) -> IngestOutcome:
        """Take Parquet facts in, from directories, files or URLs that Spark reads, all read together."""
        from metering.ingest.lake import ingest_lake  # noqa: PLC0415 -- only this engine waits for pyspark

        places = [paths] if isinstance(paths, (str, Path)) else paths
        outcome = ingest_lake(
            self._engine, [str(place) for place in places], strict=strict, supersede=supersede, now_s=self._clock(),
            ingest_seq=self._seq + 1, limits=self.settings.limits, progress=progress,
        )  # fmt: skip
        self._seq = outcome.ingest_seq or self._seq
        return outcome

    def last_full_month(self) -> tuple[str, bool]:
        """Give the last full month in the facts, and whether it is full: see `metering.billing.months`."""
        return last_full_month(self._engine, self.settings.max_hold)

    def bill(
        self,
        period: str,
        *,
        as_of: str | None = None,
        known_at: int | None = None,
        account: str | None = None,
        progress: Progress = silent,
    ) -> Bill:
        """Give the statements of a period, computed.

        Args:
            period: what to bill.
            as_of: the clock of the computation: time ends there; now unless given.
            known_at: only the facts that the first so many ingests brought.
            account: only this account's rows.
            progress: called with each stage, how many are done and how many there are.
        """
        computation = compute_usage(
            self._engine,
            parse_period(period),
            as_of_s=None if as_of is None else read_instant(as_of, "--as-of"),
            now_s=self._clock(),
            known_seq=self._seq if known_at is None else min(known_at, self._seq),
            clock=self.settings.clock,
            is_at_a_glance=True,
            progress=progress,
        )
        bill = make_bill(self._engine, computation, self.settings.locations)
        assert_observed(self._engine, computation)
        if account is None:
            return bill
        own = bill.of_account(account)
        if not own.usage and not own.statements:
            raise NoDataError(f"account {account!r} has no usage in {period}: name another, or leave --account out")
        return own
