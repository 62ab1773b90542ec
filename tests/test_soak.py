"""A few days of the soak, and that the soak cannot pass where something grows; a year of it is `python -m tests.soak`."""

from dataclasses import replace

import pytest
from soak import RSS_GROWTH_KIB, Measure, Soak, SoakError

WEEK_S = 7 * 86_400


def test_days_under_faults_across_the_end_of_a_month_are_billed_exactly_and_nothing_grows(tmp_path):
    soak = Soak(tmp_path, days=4, cycle_s=10_800, seed=1, start="2026-10-29")
    soak.run()
    assert list(soak.frozen) == ["2026-10"]
    for what in ("second collectors", "deliveries", "polls that came late", "lines of the bills", "failures"):
        assert soak.told[what] > 0, what


@pytest.fixture
def year(tmp_path):
    """A soak that measured a year in which nothing grew but what may."""
    soak = Soak(tmp_path, days=365, cycle_s=10_800, seed=5)
    soak.measures = [
        Measure(
            at_s=soak.start_s + week * WEEK_S, rss_kib=120_000 + week, peak_kib=150_000 + week, polls=1 + 300 * week,
            store_bytes=5_000_000 + 100_000 * week, waiting=30, done=14 * week + 10, spool_bytes=week, hidden=0, temporary=0,
            state=3,
        )
        for week in range(53)
    ]  # fmt: skip
    return soak


def test_a_year_in_which_only_polls_came_passes(year):
    year.assert_nothing_grew()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"rss_kib": 120_000 + 60 + RSS_GROWTH_KIB}, "memory grew: rss_kib"),
        ({"peak_kib": 150_000 + 60 + RSS_GROWTH_KIB}, "memory grew: peak_kib"),
        ({"store_bytes": 40_000_000}, "the store grew faster than its polls"),
        ({"waiting": 300}, "files pile up: 300 waiting, 240 at most"),
        ({"done": 2_000}, "files pile up: 2000 done"),
        ({"hidden": 1}, "files pile up: 1 hidden, 0 at most"),
        ({"temporary": 1}, "files pile up: 1 temporary, 0 at most"),
        ({"state": 4}, "files pile up: 4 state, 3 at most"),
    ],
)
def test_what_grows_fails(year, changed, said):
    year.measures[-1] = replace(year.measures[-1], **changed)
    with pytest.raises(SoakError, match=said):
        year.assert_nothing_grew()
