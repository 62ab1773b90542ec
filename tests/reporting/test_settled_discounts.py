"""What a subscription costs is settled when the first period of it is closed: by the settings of then, and the facts of now."""

from decimal import Decimal, localcontext

import pytest
from closed_world import more_facts
from discount_answers import said
from focus_world import exported, figures
from small_world import GIB, meter_of, polls, price, subscription

from metering.books.closings import ClosingSettings, canonical

# 365 GiB for 365 days at 0.10 for 30 days are 444.083…; a year's discount is a quarter.
YEAR = subscription("y", 365 * GIB, "2026-09-10T12:00:00Z", "", period="1 year")
QUARTER_OFF, HALF_OFF, TENTH_OFF = Decimal("333.0625"), Decimal("222.04166666666666666667"), Decimal("399.675")


@pytest.fixture
def meter(tmp_path):
    return meter_of(
        tmp_path, samples=polls("2026-09-10", "2026-09-14", {"s": 10 * GIB}), prices=[price("0.1", level=0), price("0.3")],
        subscriptions=[YEAR],
    )  # fmt: skip


def set_otherwise(meter, **discounts):
    """Open the same store with settings that name discounts."""
    named = {length.replace("_", " "): Decimal(rate) for length, rate in discounts.items()}
    return type(meter)(meter.settings.model_copy(update={"discounts": named}), clock=meter._clock)


def purchases(meter, folder, period):
    return [
        (row["CommitmentDiscountId"], row["ChargeClass"], *figures(row, "BilledCost"))
        for row in exported(meter, period, folder)
        if row["ChargeCategory"] == "Purchase"
    ]


def effective(meter, folder, *periods):
    with localcontext(prec=60):
        return sum(
            Decimal(row["EffectiveCost"])
            for period in periods
            for row in exported(meter, period, folder)
            if row["CommitmentDiscountId"] == "ZRH/y"
        )


def costs(meter, period):
    rows = meter.report_table("subscriptions", period).documents()
    return {row["id"]: (row["discount_percent"], Decimal(row["cost"])) for row in rows}


def test_a_list_of_discounts_that_is_read_late_corrects_what_was_bought_in_a_closed_period(meter, tmp_path):
    meter.close("2026-09-10")
    assert purchases(meter, tmp_path, "2026-09-10") == [("ZRH/y", "", QUARTER_OFF)]
    meter.ingest(said(tmp_path, "1", "2026-09-20T00:00:00Z", "ZRH", **{"1_year": "0.5"}))
    assert purchases(meter, tmp_path, "2026-09-10") == [("ZRH/y", "", QUARTER_OFF)]
    taken, brought = sorted(purchases(meter, tmp_path, "2026-09-11"), key=lambda row: row[2])
    assert (taken, brought) == (("ZRH/y", "Correction", -QUARTER_OFF), ("ZRH/y", "Correction", HALF_OFF))
    # a day and a half of 365
    assert round(effective(meter, tmp_path, "2026-09-10", "2026-09-11"), 18) == round(HALF_OFF * 3 / 730, 18)
    meter.close("2026-09-11")
    assert purchases(meter, tmp_path, "2026-09-12") == [], "corrected once"


def test_a_list_that_changes_no_discount_of_a_closed_period_restates_nothing(meter, tmp_path):
    meter.close("2026-09-10")
    meter.ingest(said(tmp_path, "1", "2026-09-20T00:00:00Z", "ZRH", **{"1_year": "0.25", "2_years": "0.9"}))
    meter.ingest(said(tmp_path, "2", "2026-09-20T00:00:00Z", "GVA", **{"1_year": "0.5"}))
    assert not [row for row in exported(meter, "2026-09-11", tmp_path) if row["ChargeClass"]]


def test_other_settings_are_for_what_is_bought_after_the_closing(meter, tmp_path):
    closed = (meter.close("2026-09-10").closing, exported(meter, "2026-09-10", tmp_path), costs(meter, "2026-09-10"))
    assert closed[2] == {"y": ("25", QUARTER_OFF)}
    with set_otherwise(meter, **{"1_year": "0.1"}) as other:
        assert exported(other, "2026-09-10", tmp_path) == closed[1]
        assert costs(other, "2026-09-10") == closed[2]
        late = subscription("z", 365 * GIB, "2026-09-11T12:00:00Z", "", period="1 year")
        more_facts(other, tmp_path, "late", subscriptions=[late])
        assert purchases(other, tmp_path, "2026-09-11") == [("ZRH/z", "", TENTH_OFF)], "and nothing is corrected"
        assert costs(other, "2026-09-11") == {"y": ("25", QUARTER_OFF), "z": ("10", TENTH_OFF)}
        assert round(effective(other, tmp_path, "2026-09-10", "2026-09-11"), 18) == round(QUARTER_OFF * 3 / 730, 18)
        assert other.close("2026-09-11").closing.said_settings.discounts[0][1] == Decimal("0.1")
    with set_otherwise(meter) as none:
        assert costs(none, "2026-09-12") == {"y": ("25", QUARTER_OFF), "z": ("10", TENTH_OFF)}


def test_what_the_settings_named_when_a_period_was_closed_outranks_a_list_that_comes_late(meter, tmp_path):
    with set_otherwise(meter, **{"1_year": "0.1"}) as other:
        other.close("2026-09-10")
    meter.ingest(said(tmp_path, "1", "2026-09-20T00:00:00Z", "ZRH", **{"1_year": "0.5"}))
    assert costs(meter, "2026-09-11") == {"y": ("10", TENTH_OFF)}
    assert not [row for row in exported(meter, "2026-09-11", tmp_path) if row["ChargeClass"]]


def test_a_closing_that_was_made_before_discounts_were_kept_verifies_and_says_what_is_said_today(meter, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(ClosingSettings, "text", property(_text_of_old))
        old = meter.close("2026-09-10").closing
    assert "discounts" not in old.settings
    assert meter.verify().differences == []
    assert costs(meter, "2026-09-10") == {"y": ("25", QUARTER_OFF)}
    with set_otherwise(meter, **{"1_year": "0.1"}) as other:
        assert costs(other, "2026-09-10") == {"y": ("10", TENTH_OFF)}
        assert purchases(other, tmp_path, "2026-09-10") == [("ZRH/y", "", TENTH_OFF)]
        assert not [row for row in exported(other, "2026-09-11", tmp_path) if row["ChargeClass"]]


def _text_of_old(said: ClosingSettings) -> str:
    return canonical(
        {
            "cycle": said.clock.cycle_s, "locations": sorted(said.locations), "max_hold": said.clock.max_hold_s,
            "missing_tolerance": said.missing_tolerance,
        }
    )  # fmt: skip
