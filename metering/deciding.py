"""What FinOps and buyers ask, as a part of the meter: FOCUS."""

from collections.abc import Callable
from pathlib import Path

from metering.publishing import Publishing
from metering.reporting.focus.export import focus_export, focus_format, write_focus

Progress = Callable[[str, int, int], None]


def _silent(_step: str, _done: int, _all: int) -> None:
    """Show no progress."""


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
        progress: Progress = _silent,
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
            tell: called with what was left out, a line each.

        Raises:
            MeteringError: the rows fail a check of ours; nothing is written.
        """
        place = Path(path)
        focus_format(place)
        with self._store.reading() as engine:
            terms, settings = self.terms(engine, period, as_of, known_at), self.settings
            made = focus_export(engine, self._store, terms, settings.discount_table, settings.focus, account, progress)
            for text in made.left_out:
                tell(text)
            return write_focus(engine, made, place)
