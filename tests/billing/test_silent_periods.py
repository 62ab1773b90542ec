"""A period in which nothing was observed: a gap is reported as missing time, a month without any data is refused."""

import pytest

import metering
from metering.model.errors import NoDataError

SAMPLES = "poll_time,location,account,snapshot,allocated_size\n2026-03-05T00:00:00Z,ZRH,a1,s1,5\n2026-03-05T23:50:00Z,ZRH,a1,s1,5\n"


@pytest.fixture(scope="module")
def meter(tmp_path_factory):
    facts = tmp_path_factory.mktemp("silent")
    (facts / "samples.csv").write_text(SAMPLES)
    with metering.open(":memory:") as opened:
        opened.ingest(facts)
        yield opened


@pytest.mark.parametrize("period", ["2026-03-05T00:15:00Z..2026-03-05T23:50:00Z", "2026-03-20", "2026-03-31T00:00:00Z..2026-04-01"])
def test_a_gap_or_the_silent_rest_of_a_month_is_missing_time(meter, period):
    bill = meter.bill(period, as_of="2026-05-01T00:00:00Z")
    seconds = bill.period.end - bill.period.start
    assert [(row.location, row.missing_seconds, row.measured_seconds) for row in bill.usage] == [("ZRH", seconds, 0)]
    assert bill.usage[0].occupied_byte_seconds == 0
    assert bill.lines == bill.episodes == []


@pytest.mark.parametrize("period", ["2026-04", "2026-02", "2025-03", "2026-03-04", "2026-04-02"])
def test_a_month_after_the_last_poll_and_time_before_the_first_have_no_data(meter, period):
    with pytest.raises(NoDataError, match="nothing was observed in"):
        meter.bill(period, as_of="2026-05-01T00:00:00Z")


def test_a_clock_that_stands_before_all_polls_is_told_as_the_reason(meter):
    # Such as ours, where the polls are dated by the clock of a sandbox that runs ahead.
    said = "polls are known from .* to .*, and time ends before them, at 2026-03-04T22:00:00Z; --as-of sets the clock"
    with pytest.raises(NoDataError, match=said):
        meter.bill("2026-03-04..2026-03-06", as_of="2026-03-04T22:00:00Z")
