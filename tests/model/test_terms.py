"""What start, end and period of a subscription mean together (ACCOUNTING §5)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle_facts import interval

from metering.model.period import instant_seconds as at
from metering.model.period import instant_text
from metering.model.terms import parse_term, resolve_interval

NOW = "2026-10-05T10:00:00Z"
START, END, PERIOD = "2026-10-01T08:00:00Z", "2026-12-01T09:00:00Z", "1 month"


def resolved(start, end, period, now=NOW):
    parts = [None if one is None else at(one) for one in (start, end)]
    found = resolve_interval(*parts, parse_term(period) if period else None, at(now))
    return instant_text(found.start_s), instant_text(found.end_s), found.nominal_seconds


@pytest.mark.parametrize(
    ("start", "end", "period", "result", "days"),
    [
        (START, END, None, (START, END), None),
        (START, None, PERIOD, (START, "2026-11-01T12:00:00Z"), 31),
        (None, END, PERIOD, ("2026-11-01T09:00:00Z", END), 30),
        (None, END, None, (NOW, END), None),
        (None, None, PERIOD, (NOW, "2026-11-05T12:00:00Z"), 31),
    ],
    ids=["start and end", "period from start", "period until end", "now until end", "period from now"],
)
def test_each_combination_that_says_enough(start, end, period, result, days):
    starts, ends, nominal = resolved(start, end, period)
    assert (starts, ends) == result
    assert nominal == (at(ends) - at(starts) if days is None else days * 86_400)


@pytest.mark.parametrize(
    ("start", "end", "period", "reason"),
    [
        (START, END, PERIOD, "ambiguous"),
        (START, None, None, "not specific enough"),
        (None, None, None, "not specific enough"),
        (END, START, None, "not after"),
        (START, START, None, "not after"),
    ],
)
def test_each_combination_that_says_too_much_or_too_little_is_refused(start, end, period, reason):
    with pytest.raises(ValueError, match=reason):
        resolved(start, end, period)


@pytest.mark.parametrize(
    ("start", "period", "ends", "days"),
    [
        ("2026-01-31T12:00:00Z", "1 month", "2026-02-28T12:00:00Z", 28),
        ("2024-01-31T12:00:00Z", "1 month", "2024-02-29T12:00:00Z", 29),
        ("2024-02-29T12:00:00Z", "1 year", "2025-02-28T12:00:00Z", 365),
        ("2026-08-31T12:00:01Z", "6 months", "2027-03-01T12:00:00Z", 181),
        ("2026-10-01T12:00:00Z", "30 days", "2026-10-31T12:00:00Z", 30),
        ("2026-10-01T11:59:59Z", "2 weeks", "2026-10-15T12:00:00Z", 14),
        ("2026-12-31T00:00:00Z", "2 months", "2027-02-28T12:00:00Z", 59),
    ],
)
def test_a_period_is_calendar_arithmetic_and_its_end_moves_up_to_noon(start, period, ends, days):
    starts, end, nominal = resolved(start, None, period, now="2030-01-01T00:00:00Z")
    assert (starts, end, nominal) == (start, ends, days * 86_400)


@pytest.mark.parametrize(
    ("start", "starts", "ends"),
    [
        ("2026-10-06T11:59:59Z", "2026-10-05T12:00:00Z", "2026-11-05T12:00:00Z"),
        ("2026-10-06T12:00:00Z", "2026-10-06T12:00:00Z", "2026-11-06T12:00:00Z"),
        ("2026-10-06T23:00:00Z", "2026-10-06T12:00:00Z", "2026-11-06T12:00:00Z"),
        (NOW, NOW, "2026-11-05T12:00:00Z"),
        ("2026-10-05T09:59:59Z", "2026-10-05T09:59:59Z", "2026-11-05T12:00:00Z"),
    ],
    ids=["before noon", "at noon", "after noon", "now stays", "the past stays"],
)
def test_a_start_in_the_future_moves_back_to_the_noon_before_it(start, starts, ends):
    assert resolved(start, None, "1 month")[:2] == (starts, ends)


@settings(deadline=None)
@given(st.integers(0, 4 * 10**9), st.integers(0, 4 * 10**9), st.integers(1, 40), st.sampled_from(["day", "week", "month", "year"]))
def test_the_interval_of_any_purchase_is_what_the_oracle_says(start_s, now_s, count, unit):
    length = f"{count} {unit}s"
    for start, end in ((start_s, None), (None, start_s + 4 * 10**9), (None, None)):
        expected = interval(start, end, length, now_s)
        found = resolve_interval(start, end, parse_term(length), now_s)
        assert (found.start_s, found.end_s) == expected
