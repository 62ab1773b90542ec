"""Daily sizes ahead, by the theta method of statsmodels, which did best in the M3 competition and is hard to mislead.

Floats stay in here: whole bytes go in and come out. Days that were not observed are filled with the last one that was; with three
weeks or more, weekdays count where they tell. A size that never changes stays what it is. Below zero nothing is forecast.
"""

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from metering.model.errors import MisuseError
from metering.model.period import SECONDS_PER_DAY
from metering.planning.growth import Day

# From fewer days nothing is forecast; from fewer weeks, no weekday is told from another.
LEAST_DAYS = 10
_WEEK = 7
_LEAST_WEEKS = 3
_THREADS = "OPENBLAS_NUM_THREADS"


@dataclass(frozen=True, slots=True)
class Ahead:
    """The size of a day ahead: expected, and at the 5th and 95th percentile."""

    expected_bytes: int
    low_bytes: int
    high_bytes: int


@dataclass(frozen=True, slots=True)
class Backtest:
    """How far off the method was where the history's own last days were held back: per mille of what they were."""

    days: int
    error_permille: int


def daily_sizes(days: Sequence[Day]) -> list[int]:
    """Give the average sizes of days without a gap: days that were hardly observed are as the last one that was."""
    whole = [day for day in days if day.is_whole]
    sizes: list[int] = []
    for day, after in pairwise(whole):
        sizes += [day.mean_bytes] * ((after.date_s - day.date_s) // SECONDS_PER_DAY)
    return [*sizes, whole[-1].mean_bytes] if whole else []


def forecast(sizes: Sequence[int], days: int) -> list[Ahead]:
    """Forecast the sizes of the days that follow.

    Raises:
        MisuseError: statsmodels is not installed.
    """
    if len(set(sizes)) == 1:
        return [Ahead(sizes[0], sizes[0], sizes[0])] * days
    with _fitted(sizes) as fitted:
        bounds = fitted.prediction_intervals(days, alpha=1 / 10)
        columns = (fitted.forecast(days), bounds["lower"], bounds["upper"])
    return [Ahead(*map(_whole, told)) for told in zip(*columns, strict=True)]


def backtest(sizes: Sequence[int], days: int) -> Backtest | None:
    """Hold back the last days, at most a third of them, forecast them from the others and compare."""
    held = min(days, len(sizes) // 3)
    known, truth = sizes[: len(sizes) - held], sizes[len(sizes) - held :]
    if held == 0 or len(known) < LEAST_DAYS:
        return None
    error = sum(abs(expected - size) for expected, size in zip(_expected(known, held), truth, strict=True))
    return Backtest(held, 1_000 * error // max(1, sum(truth)))


def _expected(sizes: Sequence[int], days: int) -> list[int]:
    """Forecast what is expected, and no bounds of it: what they take, of which a backtest asks nothing, is most of a forecast."""
    if len(set(sizes)) == 1:
        return [sizes[0]] * days
    with _fitted(sizes) as fitted:
        return list(map(_whole, fitted.forecast(days)))


@contextmanager
def _fitted(sizes: Sequence[int]) -> Iterator[Any]:
    """Fit the model to sizes; within, the library keeps its own words, which are for its authors, to itself.

    How well it fits is told by the backtest, in a figure.
    """
    # When it is loaded, the library asks that its words be heard always: so it is loaded first.
    model, numpy = _libraries()
    seasons = len(sizes) >= _LEAST_WEEKS * _WEEK
    series = numpy.array(sizes, dtype="float64")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield model(series, period=_WEEK if seasons else None, deseasonalize=seasons, method="additive").fit()


def _whole(size: Any) -> int:
    return max(0, int(size))


def _libraries() -> tuple[Any, Any]:
    with _one_thread():
        try:
            import numpy  # noqa: ICN001, PLC0415 -- an extra, and heavy
            from statsmodels.tsa.forecasting.theta import ThetaModel  # noqa: PLC0415
        except ImportError:
            raise MisuseError("a forecast needs statsmodels: pip install 'metering[forecast]'") from None
    return ThetaModel, numpy


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let the library of matrices, which is told its number of threads when it is loaded, have one unless its user says otherwise.

    A forecast's matrices are of a few numbers: threads that wait for each other took sixteen times as long.
    """
    is_said = _THREADS in os.environ
    if not is_said:
        os.environ[_THREADS] = "1"
    try:
        yield
    finally:
        if not is_said:
            os.environ.pop(_THREADS, None)
