"""Which month is billed where none is named: the last that the polls reach the end of."""

import pytest
from small_world import meter_of, polls

from metering.model.errors import NoDataError
from metering.model.period import instant_seconds, instant_text

# A poll reaches as far as it holds, 900 s: from here to the end of October, and from a second before it not quite.
EDGE = instant_seconds("2026-11-01") - 900


@pytest.mark.parametrize(
    ("polled", "month", "is_full"),
    [
        (["2026-09-01T00:00:00Z", "2026-10-02T00:00:00Z"], "2026-09", True),
        (["2026-09-15T00:00:00Z", "2026-10-02T00:00:00Z"], "2026-09", True),
        (["2026-09-15T00:00:00Z", "2026-10-02T00:00:00Z", instant_text(EDGE)], "2026-10", True),
        (["2026-09-15T00:00:00Z", "2026-10-02T00:00:00Z", instant_text(EDGE - 1)], "2026-09", True),
        ([instant_text(EDGE)], "2026-10", True),
        ([instant_text(EDGE - 1)], "2026-10", False),
        # nobody polled in October and November: that they are over makes them none that the facts have
        (["2026-09-15T00:00:00Z", "2026-12-02T00:00:00Z"], "2026-09", True),
        (["1969-11-30T12:00:00Z", "1969-12-31T12:00:00Z"], "1969-11", True),
    ],
)
def test_the_last_month_whose_end_the_polls_reach_is_billed(tmp_path, polled, month, is_full):
    samples = [{"poll_time": instant, "endpoint": "ZRH", "account": "A", "location": "ZRH"} for instant in polled]
    assert meter_of(tmp_path, samples=samples).last_full_month() == (month, is_full)


def test_without_samples_there_is_no_month(tmp_path):
    with pytest.raises(NoDataError, match="the facts have no samples"):
        meter_of(tmp_path).last_full_month()


def test_the_settings_say_how_far_a_poll_reaches(tmp_path):
    samples = polls("2026-10-31T20:00:00Z", "2026-10-31T20:00:01Z", {})
    settings = {"cycle": 3_600, "max_hold": 4 * 3_600}
    assert meter_of(tmp_path, samples=samples, settings=settings).last_full_month() == ("2026-10", True)
