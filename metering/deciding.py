"""What FinOps and buyers ask, as a part of the meter: FOCUS, what to buy, what comes."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metering.billing.bill import known_currencies
from metering.billing.discounts import DiscountBook, Settled
from metering.billing.usage import Computation
from metering.bookkeeping import read_instant
from metering.engine.duckdb import Engine
from metering.journal import ingest_known_at
from metering.model.errors import MisuseError, NoDataError
from metering.model.period import CALENDAR_END_S, SECONDS_PER_DAY, Period, day_start, instant_text, month_start, parse_period
from metering.model.progress import Progress, silent
from metering.model.terms import Term, parse_term
from metering.planning.quote_request import bytes_asked
from metering.publishing import Publishing
from metering.reporting.files import write_text

if TYPE_CHECKING:
    from metering.planning.advise import Advised, Kept, Place
    from metering.planning.outlook import Forecast

# Nobody looks further ahead, or back.
_MOST_DAYS = 1_500
# Points of a curve in a picture.
MOST_POINTS = 200


class Deciding(Publishing):
    """A store that tells what to buy, and what was bought for what."""

    def export_focus(
        self,
        path: str | Path,
        period: str,
        *,
        as_of: str | None = None,
        known_at: str | int | None = None,
        account: str | None = None,
        progress: Progress = silent,
        tell: Callable[[str], None] = lambda _text: None,
    ) -> dict[str, int]:
        """Write a period as FOCUS has it, and the subscriptions in a second file beside: the number of rows by place.

        Args:
            path: the file, .parquet or .csv.
            period: as in `bill`, as are as_of, known_at, account and progress.
            as_of: the clock.
            known_at: use only facts ingested by then.
            account: only this account.
            progress: called with each stage.
            tell: called with what speaks against sending it and what was left out, a line each.

        Raises:
            MeteringError: the rows fail a check of ours; nothing is written.
        """
        from metering.reporting.focus.export import focus_export, focus_format, write_focus

        place = Path(path)
        focus_format(place)
        with self._store.reading() as engine:
            terms = self.terms(engine, period, as_of, known_at)
            made = focus_export(engine, self._store, terms, self.settings.focus, account, progress)
            for text in made.told:
                tell(text)
            return write_focus(made, place)

    def advise(
        self,
        period: str,
        *,
        lengths: Sequence[str] = (),
        step: str | int = 1,
        ignore_bought: bool = False,
        account: str | None = None,
        curves: int = 0,
        as_of: str | None = None,
        known_at: str | int | None = None,
        progress: Progress = silent,
    ) -> "Advised":
        """Advise which subscription would have cost least over a history, by account, location and length.

        Args:
            period: the history; the longer, the better. Takes account, as_of, known_at and progress as `bill` does.
            lengths: which lengths; unless given a month, and those up to a year that have a discount in the location.
            step: amounts are multiples of this many bytes, such as `100GiB`.
            ignore_bought: advise as if nothing were bought already.
            account: only this account.
            curves: give curves of cost against amount of about so many points.
            as_of: the clock.
            known_at: use only facts ingested by then.
            progress: called with each stage.
        """
        from metering.planning.advise import Ask, advise

        terms, in_steps = _lengths(lengths, parse_period(period)), bytes_asked(step, "--step", "is no step")
        asked_at: dict[str, Any] = {"as_of": self._asked_at(as_of), "known_at": known_at}
        with self.computed(period, account=account, progress=progress, **asked_at) as (engine, computation):
            kept = {} if ignore_bought else self._kept(engine, computation, self.terms(engine, period, **asked_at).discounts)
            # What is bought now comes after all that is closed.
            discounts = DiscountBook.read(engine, Settled(self.settings.discount_table), computation.known_seq)
            ask = Ask(terms, in_steps, kept, discounts)
            return advise(engine, computation, ask, curves)

    def advice_page(self, path: str | Path, period: str, **options: Any) -> int:
        """Write advice as a page with pictures of cost against amount: of how many accounts and locations."""
        from metering.reporting.advice import advice_page
        from metering.reporting.charts import draw

        draw.assert_installed()
        advised = self.advise(period, curves=MOST_POINTS, **options)
        write_text(advice_page(advised, period, self.account_names()), Path(path))
        return len(advised.curves)

    def forecast(
        self,
        *,
        days: int = 30,
        history_days: int = 180,
        account: str | None = None,
        as_of: str | None = None,
        known_at: str | int | None = None,
        progress: Progress = silent,
    ) -> "Forecast":
        """Forecast what is occupied, when burst begins, what the month will cost, and which subscriptions run out.

        Args:
            days: how far ahead, from the last whole day that was polled.
            history_days: how many days before it are learnt from, at most; what the month cost so far is of all of it.
            account: only this account.
            as_of: the clock: polls at or after it are not used.
            known_at: use only facts ingested by then.
            progress: called with each stage.

        Raises:
            MisuseError: the number of days is none, or statsmodels is not installed.
        """
        from metering.planning.outlook import look_ahead

        if not (1 <= days <= _MOST_DAYS and 1 <= history_days <= _MOST_DAYS):
            raise MisuseError(f"--days and --history are from 1 to {_MOST_DAYS}")
        clock = self._asked_at(as_of)
        clock_s = read_instant(clock, "--as-of")
        first_s, last_s = self._polled(known_at)
        # A poll reaches as far as it holds, and time no further than the clock.
        end_s = day_start(min(last_s + self.settings.max_hold, clock_s))
        # A month is looked ahead at least.
        if end_s + max(days, 31) * SECONDS_PER_DAY >= CALENDAR_END_S:
            raise NoDataError("polls reach to where the calendar ends: give an earlier clock, --as-of, or forecast fewer --days")
        learnt_s = end_s - history_days * SECONDS_PER_DAY
        start_s = max(day_start(first_s), min(learnt_s, month_start(end_s)))
        if start_s >= end_s:
            raise NoDataError("there is no whole day to learn from before that")
        asked_at: dict[str, Any] = {"as_of": clock, "known_at": known_at}
        with self.computed(Period(start_s, end_s).text, account=account, progress=progress, **asked_at) as (engine, computation):
            return look_ahead(engine, computation, days, account, learnt_s)

    def _asked_at(self, as_of: str | None) -> str:
        """Give the clock of a question about what comes, now unless one is given.

        By a clock a closed history is seen with what came since, or what was bought would be advised again.
        """
        return instant_text(self._clock()) if as_of is None else as_of

    def _polled(self, known_at: str | int | None) -> tuple[int, int]:
        """Give the instants of the first and the last poll that are known."""
        with self._store.reading() as engine:
            known_seq = ingest_known_at(engine, known_at)
            first_s, last_s, first_seq = engine.sql(
                "select min(poll_s) filter (ingest_seq <= $known_seq), max(poll_s) filter (ingest_seq <= $known_seq), "
                "min(ingest_seq) from polls",
                {"known_seq": known_seq},
            )[0]
        if first_seq is None:
            raise NoDataError("the store has no samples yet; `metering ingest FACTS` brings them")
        if first_s is None:
            raise NoDataError(f"nothing was known by then: the first polls came with ingest {first_seq}")
        return first_s, last_s

    def _kept(self, engine: Engine, computation: Computation, discounts: Settled) -> "dict[Place, Kept]":
        from metering.planning.advise import kept_of
        from metering.reporting.costs import bought_at

        bought = bought_at(engine, computation, discounts, computation.stop_s)
        return kept_of(bought, known_currencies(engine, computation.known_seq))


def _lengths(lengths: Sequence[str], history: Period) -> list[Term]:
    terms = []
    for length in lengths:
        try:
            terms.append(parse_term(length))
            terms[-1].after(history.end_s)
        except ValueError as error:
            raise MisuseError(f"--length {length!r} {error}") from None
    return terms
