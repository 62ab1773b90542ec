"""Which month the facts have in full: what is billed where no period is named."""

from metering.engine.interface import QueryEngine
from metering.model.errors import NoDataError
from metering.model.period import Period, month_start, next_month_start


def last_full_month(engine: QueryEngine, max_hold_s: int) -> tuple[str, bool]:
    """Give the last full month in the facts, and whether it is full.

    A month that has polls is full where they reach its end; failing that, it is the last that has any, which is then not full. A
    poll reaches as far as it holds, `max_hold_s`.

    Raises:
        NoDataError: there is no poll.
    """
    last_s = engine.scalar("select max(poll_s) from polls")
    if last_s is None:
        raise NoDataError("the facts have no samples: there is nothing to bill")
    reach_s = last_s + max_hold_s
    # Floored towards the past also before 1970.
    days = engine.sql("select distinct poll_s - (poll_s % 86400 + 86400) % 86400 from polls")
    months = sorted({month_start(day_s) for (day_s,) in days})
    full = [start_s for start_s in months if next_month_start(start_s) <= reach_s]
    chosen = (full or months)[-1]
    return Period(chosen, next_month_start(chosen)).text, bool(full)
