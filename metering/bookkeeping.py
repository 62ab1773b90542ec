"""The operations on closed periods, as a part of the meter: close, verify, and on what terms any question is answered."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import overload

from metering.billing.bill import known_accounts
from metering.billing.usage import Computation, assert_observed, is_silent
from metering.books.backups import Backup, back_up, restore
from metering.books.bills import Terms, bill_on_terms, compute, terms_of
from metering.books.closing import Closed, Request, close_period, current_user
from metering.books.closings import Closing, read_closings
from metering.books.verification import Verification, differences_of_facts_and_chain, verify
from metering.config import Settings
from metering.engine.duckdb import Engine
from metering.journal import last_ingest
from metering.model.errors import MeteringError, MisuseError, unknown_account
from metering.model.period import instant_seconds, parse_period
from metering.model.progress import Progress, silent
from metering.model.records import called
from metering.store import Store


class Bookkeeping:
    """A store whose periods can be closed."""

    settings: Settings
    _clock: Callable[[], int]
    _store: Store

    def release(self) -> None:
        """Let go of the store; one in memory is gone."""
        self._store.close()

    @overload
    def close(self) -> None: ...

    @overload
    def close(
        self, period: str, *, reason: str | None = None, by: str | None = None, dry_run: bool = False, progress: Progress = silent
    ) -> Closed: ...

    def close(
        self,
        period: str | None = None,
        *,
        reason: str | None = None,
        by: str | None = None,
        dry_run: bool = False,
        progress: Progress = silent,
    ) -> Closed | None:
        """Freeze every statement of a period, once; without a period, let go of the store, as `release` does.

        Args:
            period: what to close. It must have ended.
            reason: why it is closed although burst is unpriced or too much time is missing; kept with the closing.
            by: who closes it; METERING_BY or the user of the operating system unless given.
            dry_run: give what would be frozen, and write nothing.
            progress: called with each stage, how many are done and how many there are.

        Raises:
            RefusedError: findings stand against it, and no reason was given.
        """
        if period is None:
            self.release()
            return None
        closed_by = (self.settings.by or current_user()) if by is None else by
        request = Request(parse_period(period), closed_by, reason, self._clock(), self.settings.for_closing)
        return close_period(self._store, request, dry_run=dry_run, progress=progress)

    def closings(self) -> list[Closing]:
        """Give what is closed, in the order of the hash chain."""
        with self._store.reading() as engine:
            return read_closings(engine)

    def account_names(self) -> dict[str, str]:
        """What to call each account as it is known now: its name, unless it has none or two have the same."""
        with self._store.reading() as engine:
            accounts = known_accounts(engine, last_ingest(engine))
        return called({account: row["name"] for account, row in accounts.items()})

    def verify(self, period: str | None = None, *, head: str | None = None, progress: Progress = silent) -> Verification:
        """Recompute every closed statement, walk the hash chain, hold every fact against its seal; nothing is written.

        Args:
            period: recompute only its statements.
            head: the hash of a closing that was kept elsewhere: it must be in the chain.
            progress: called with each step, how many are done and how many there are.
        """
        return verify(self._store, None if period is None else parse_period(period), head, progress)

    def was_changed(self) -> bool:
        """Tell whether facts or closings of the store are not as they came; no statement is recomputed."""
        with contextlib.suppress(MeteringError), self._store.reading() as engine:
            return bool(differences_of_facts_and_chain(engine))
        return False

    def backup(self, file: str | Path, *, overwrite: bool = False, progress: Progress = silent) -> Backup:
        """Copy the store, while nobody can write it, into a file with its SHA-256 beside it; both on disk when this returns."""
        return back_up(self._store, Path(file), overwrite=overwrite, progress=progress)

    def restore(self, file: str | Path, *, force: bool = False, progress: Progress = silent) -> Backup:
        """Put a backup in the store's place, once it is known to be whole; the store that was there is kept beside it."""
        return restore(self._store, Path(file), force=force, progress=progress)

    def terms(self, engine: Engine, period: str, as_of: str | None, known_at: str | int | None) -> Terms:
        """Decide what a question about a period is answered from."""
        return terms_of(
            engine,
            parse_period(period),
            as_of_s=None if as_of is None else read_instant(as_of, "--as-of"),
            known_at=None if known_at is None else str(known_at),
            now_s=self._clock(),
            settings=self.settings.for_closing,
        )

    @contextlib.contextmanager
    def computed(
        self,
        period: str,
        *,
        as_of: str | None = None,
        known_at: str | int | None = None,
        account: str | None = None,
        with_others: bool = False,
        is_at_a_glance: bool = False,
        is_of_bought: bool = False,
        is_of_bill: bool = False,
        progress: Progress = silent,
    ) -> Iterator[tuple[Engine, Computation]]:
        """Open the store with a period computed in it, all of it or one account's, the others with it or not: what reports read.

        At a glance, `usage_steps` lacks the days that `unit_days` sums up, which is all that a bill needs. What is also of bought
        subscriptions has an account that has one in the period, and no usage. What is of a bill is given wherever there is a bill:
        where nothing was observed, but closed periods owe something, or where such a bill was closed.

        Raises:
            NoDataError: nothing was observed in the period, or the account has nothing in it.
        """
        with self._store.reading() as engine:
            terms = self.terms(engine, period, as_of, known_at)
            alone = None if with_others else account
            computation = compute(engine, terms, progress, is_at_a_glance=is_at_a_glance, account=alone)
            if alone is not None and is_silent(engine, computation):
                # Whether it is the account's silence or everybody's is told by everybody.
                computation = compute(engine, terms, progress, is_at_a_glance=is_at_a_glance)
            if is_of_bill and is_silent(engine, computation):
                # Where the bill has nothing either, that says so; else it leaves the tables of the last period that it restated.
                bill_on_terms(engine, self._store, terms, progress)
                computation = compute(engine, terms, progress, is_at_a_glance=is_at_a_glance)
            else:
                assert_observed(engine, computation)
            if account is not None and not _has_anything(engine, computation, account, is_of_bought=is_of_bought):
                raise unknown_account(account, period, is_of_bought=is_of_bought)
            yield engine, computation


def _has_anything(engine: Engine, computation: Computation, account: str, *, is_of_bought: bool) -> bool:
    if engine.sql("select 1 from units where account = $account limit 1", {"account": account}):
        return True
    rows = engine.rows("reports/subscriptions_in_period", computation.parameters) if is_of_bought else []
    return any(row["account"] == account for row in rows)


def read_instant(text: str, option: str) -> int:
    """Read an instant that an option gave.

    Raises:
        MisuseError: it is none.
    """
    try:
        return instant_seconds(text)
    except ValueError as error:
        raise MisuseError(f"{option} {text!r} {error}; write 2026-11-01T00:00:00Z") from None
