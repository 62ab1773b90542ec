"""Money: rounded in one place, exactly where the rules say, and shared out without a remainder."""

from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.billing.money import Price, amount_due, charge_amount, round_ratio, shown_amounts, spread, total


@pytest.mark.parametrize(
    ("value", "places", "half_even", "half_up"),
    [
        ("0.125", 2, "0.12", "0.13"),
        ("0.135", 2, "0.14", "0.14"),
        ("0.1249999999999999999999999", 2, "0.12", "0.12"),
        ("0.1250000000000000000000001", 2, "0.13", "0.13"),
        ("0.5", 0, "0", "1"),
        ("1.5", 0, "2", "2"),
        ("2.5", 0, "2", "3"),
        ("0.0005", 3, "0.000", "0.001"),
        ("0.0015", 3, "0.002", "0.002"),
        ("-0.125", 2, "-0.12", "-0.13"),
        ("-0.135", 2, "-0.14", "-0.14"),
        ("-2.5", 0, "-2", "-3"),
        ("0", 2, "0.00", "0.00"),
        ("9.995", 2, "10.00", "10.00"),
        ("99999999999999999999999999999999999999.5", 0, "1" + 38 * "0", "1" + 38 * "0"),
    ],
)
def test_a_tie_goes_to_the_even_digit_or_away_from_zero(value, places, half_even, half_up):
    assert format(round_ratio(Fraction(value), places, "half-even"), "f") == half_even
    assert format(round_ratio(Fraction(value), places, "half-up"), "f") == half_up


@pytest.mark.parametrize(
    ("amount", "currency", "due"),
    [
        ("0.005", "CHF", "0.01"), ("0.00499999999999999999", "CHF", "0.00"), ("2.675", "USD", "2.68"), ("0.5", "JPY", "1"),
        ("0.49999999999999999999", "JPY", "0"), ("1.5", "JPY", "2"), ("0.0005", "KWD", "0.001"),
        ("0.00049999999999999999", "KWD", "0.000"),
        ("-0.005", "CHF", "-0.01"), ("0", "JPY", "0"), ("0", "KWD", "0.000"),
    ],
)  # fmt: skip
def test_what_is_due_is_rounded_half_up_to_the_minor_unit(amount, currency, due):
    assert format(amount_due(Decimal(amount), currency), "f") == due


def test_the_decimal_context_of_the_process_changes_nothing():
    price = Price("0.12345678901234567891", "GB/month", 2_783_138_807_808_000)
    expected = charge_amount(10**37, price)
    with localcontext() as context:
        context.prec = 3
        assert charge_amount(10**37, price) == expected
        assert Fraction(total([expected, expected])) == 2 * Fraction(expected)
        assert amount_due(expected, "CHF") == round_ratio(Fraction(expected), 2, "half-up")


def test_eighty_one_thirds_are_shown_so_that_they_add_up():
    third = round_ratio(Fraction(1, 3), 20, "half-even")
    shown = shown_amounts([third] * 81, "CHF")
    assert sum(shown) == Decimal("27.00")
    assert set(shown) == {Decimal("0.33"), Decimal("0.34")}


def test_the_remainder_goes_to_the_largest_remainders_the_first_of_equals_first():
    assert spread(10, [Fraction("3.3"), Fraction("3.4"), Fraction("3.3")]) == [3, 4, 3]
    assert spread(2, [Fraction("0.5"), Fraction("0.5"), Fraction("0.5"), Fraction("0.5")]) == [1, 1, 0, 0]
    assert spread(1, [Fraction("0.1"), Fraction("0.9")]) == [0, 1]


@given(st.lists(st.decimals(0, 10**9, places=20), max_size=40), st.sampled_from(["CHF", "JPY", "KWD"]))
def test_shown_amounts_add_up_to_what_is_due_and_each_is_within_a_unit_of_its_line(amounts, currency):
    shown = shown_amounts(amounts, currency)
    assert sum(map(Fraction, shown), Fraction(0)) == Fraction(amount_due(total(amounts), currency))
    unit = Fraction(1, {"CHF": 100, "JPY": 1, "KWD": 1000}[currency])
    assert all(abs(Fraction(one) - Fraction(line)) < unit for one, line in zip(shown, amounts, strict=True))
