"""Daily sizes ahead, by the theta method of statsmodels, which did best in the M3 competition and is hard to mislead.

Floats stay in here: whole bytes go in and come out. Days that were not observed are filled with the last one that was; with three
weeks or more, weekdays count where they tell. A size that never changes stays what it is. Below zero nothing is forecast.
"""

import warnings
from collections.abc import Sequence
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
    model, numpy = _libraries()
    seasons = len(sizes) >= _LEAST_WEEKS * _WEEK
    series = numpy.array(sizes, dtype="float64")
    with warnings.catch_warnings():
        # How well it fits is told by the backtest, in a figure; the library's own words are for its authors.
        warnings.simplefilter("ignore")
        fitted = model(series, period=_WEEK if seasons else None, deseasonalize=seasons, method="additive").fit()
        expected = numpy.asarray(fitted.forecast(days))
        bounds = numpy.asarray(fitted.prediction_intervals(days, alpha=1 / 10))
    return [Ahead(*map(_whole, (middle, low, high))) for middle, (low, high) in zip(expected, bounds, strict=True)]


def backtest(sizes: Sequence[int], days: int) -> Backtest | None:
    """Hold back the last days, at most a third of them, forecast them from the others and compare."""
    held = min(days, len(sizes) // 3)
    known, truth = sizes[: len(sizes) - held], sizes[len(sizes) - held :]
    if held == 0 or len(known) < LEAST_DAYS:
        return None
    error = sum(abs(ahead.expected_bytes - size) for ahead, size in zip(forecast(known, held), truth, strict=True))
    return Backtest(held, 1_000 * error // max(1, sum(truth)))


def _whole(size: Any) -> int:
    return max(0, int(size))


def _libraries() -> tuple[Any, Any]:
    try:
        import numpy  # noqa: ICN001, PLC0415 -- an extra, and heavy
        from statsmodels.tsa.forecasting.theta import ThetaModel  # noqa: PLC0415
    except ImportError:
        raise MisuseError("a forecast needs statsmodels: pip install 'metering[forecast]'") from None
    return ThetaModel, numpy
