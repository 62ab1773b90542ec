"""Every check of FOCUS rows catches the error that it is there for, and an export that fails one writes nothing."""

import copy
from dataclasses import replace
from decimal import Decimal

import pytest
from focus_world import FIRST, SECOND, bring_late, example
from small_world import GIB, meter_of, polls, subscription

from metering.model.errors import MeteringError
from metering.model.issuer import IssuerNames
from metering.model.period import SECONDS_PER_DAY
from metering.reporting.focus import export as focus_module
from metering.reporting.focus.checks import CHECKS, failures

CENT = Decimal("0.01")


def rows_of(meter, period):
    with meter._store.reading() as engine:
        terms = meter.terms(engine, period, None, None)
        return focus_module.focus_export(engine, meter._store, terms, IssuerNames(), None, lambda *_: None).focus


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """Give rows of every kind: a purchase, used, unused, burst, corrections, and the rounding of a statement."""
    folder = tmp_path_factory.mktemp("focus")
    meter = example(folder)
    meter.ingest(_more(folder))
    meter.close(FIRST)
    bring_late(meter, folder)
    focus = rows_of(meter, SECOND)
    assert failures(focus) == []
    assert {kind(row) for row in focus.rows} == {
        "purchase", "used", "unused", "burst", "rounding", "late burst", "late used", "late unused",
    }  # fmt: skip
    return focus


def _more(folder):
    """Another account, which buys and bursts a little in the second period, to be rounded."""
    from small_world import write  # noqa: PLC0415

    return write(
        folder / "more",
        samples=polls("2026-11-03", "2026-11-04", {"t": 7 * GIB}, account="B"),
        accounts=[{"account": "B", "currency": "USD", "name": "Other Ltd"}],
        subscriptions=[subscription("7", 5 * GIB, "2026-11-03T00:00:00Z", "2026-11-10T00:00:00Z", account="B")],
    )


def kind(row):
    if row["ChargeCategory"] != "Usage":
        return {"Purchase": "purchase", "Adjustment": "rounding"}[row["ChargeCategory"]]
    return ("late " if row["ChargeClass"] else "") + (row["CommitmentDiscountStatus"] or "burst").lower()


def changed(focus, which, **values):
    """Change the first row of a kind: by a value, or by what a function makes of the old one."""
    rows = copy.deepcopy(focus.rows)
    row = next(row for row in rows if kind(row) == which)
    row.update({name: value(row[name]) if callable(value) else value for name, value in values.items()})
    return replace(focus, rows=rows)


def more(amount=CENT):
    return lambda value: value + amount


def without(focus, which):
    row = next(row for row in focus.rows if kind(row) == which)
    return replace(focus, rows=[each for each in focus.rows if each is not row])


def twice(focus, which, **values):
    row = next(row for row in focus.rows if kind(row) == which)
    return replace(focus, rows=[*focus.rows, row | values])


def scaled(focus, which):
    """Say a day more of a part: consistent by itself, wrong in the sum."""
    day = 5 * GIB * SECONDS_PER_DAY
    rows = copy.deepcopy(focus.rows)
    row = next(row for row in rows if kind(row) == which)
    for name in ("x_MeteredByteSeconds", "x_PricedByteSeconds"):
        row[name] = str(int(row[name]) + day)
    for name in ("CommitmentDiscountQuantity", "PricingQuantity", *(["ConsumedQuantity"] if row["ConsumedQuantity"] else [])):
        row[name] += 5
    row["ListCost"] += 5 * row["ListUnitPrice"]
    row["ContractedCost"] += 5 * row["ContractedUnitPrice"]
    return replace(focus, rows=rows)


def moved(focus):
    """Use an hour of what went unused: each subscription adds up still, but not what is occupied."""
    rows = copy.deepcopy(focus.rows)
    used = next(row for row in rows if kind(row) == "used")
    unused = next(r for r in rows if kind(r) == "unused" and r["CommitmentDiscountId"] == used["CommitmentDiscountId"])
    gib_day = GIB * SECONDS_PER_DAY
    for row, sign in ((used, 1), (unused, -1)):
        for name in ("x_MeteredByteSeconds", "x_PricedByteSeconds"):
            row[name] = str(int(row[name]) + sign * gib_day)
        for name in ("CommitmentDiscountQuantity", "PricingQuantity", *(["ConsumedQuantity"] if row["ConsumedQuantity"] else [])):
            row[name] += sign
        row["ListCost"] += sign * row["ListUnitPrice"]
        row["ContractedCost"] += sign * row["ContractedUnitPrice"]
    return replace(focus, rows=rows)


PLANTED = {
    "every column is one of FOCUS or begins with x_, and none is missing": lambda f: changed(f, "burst", CostCentre="7"),
    "every decimal is an exact one of at most 20 places": lambda f: changed(f, "burst", ListCost=6),
    "ChargeCategory is Usage, Purchase or Adjustment": lambda f: changed(f, "burst", ChargeCategory="Credits"),
    "the four costs are there": lambda f: changed(f, "used", EffectiveCost=None),
    "byte-seconds are whole numbers written as text": lambda f: changed(f, "used", x_MeteredByteSeconds="1.5"),
    "the unit prices of usage and purchases are there": lambda f: changed(f, "purchase", ListUnitPrice=None),
    "ChargeClass is empty or Correction": lambda f: changed(f, "burst", ChargeClass="Regular"),
    "the billing account is named": lambda f: changed(f, "burst", BillingAccountName=""),
    "BillingCurrency is a code of three letters": lambda f: changed(f, "burst", BillingCurrency="usd"),
    "the billing period is the exported one": lambda f: changed(f, "late burst", BillingPeriodStart=0),
    "a charge period ends after its start": lambda f: changed(f, "burst", ChargePeriodEnd=0),
    "usage is charged by usage, and nothing else is": lambda f: changed(f, "purchase", ChargeFrequency="Usage-Based"),
    "what is not usage is charged once or recurs": lambda f: changed(f, "purchase", ChargeFrequency="Monthly"),
    "a charge is described": lambda f: changed(f, "burst", ChargeDescription=None),
    "the invoice is that of account, currency and period": lambda f: changed(f, "burst", InvoiceId="INV-11"),
    "the provider is named alike under its old and new names": lambda f: changed(f, "burst", HostProviderName="Other"),
    "the invoice's issuer is named": lambda f: changed(f, "burst", InvoiceIssuerName=None),
    "the service is backup storage": lambda f: changed(f, "burst", ServiceCategory="Compute"),
    "the run is the one that writes": lambda f: changed(f, "burst", x_RunId="draft"),
    "ListCost is ListUnitPrice × PricingQuantity": lambda f: changed(f, "used", ListCost=more()),
    "ContractedCost is ContractedUnitPrice × PricingQuantity": lambda f: changed(f, "unused", ContractedCost=more()),
    "PricingQuantity is the byte-seconds in the price's unit": lambda f: changed(f, "burst", PricingQuantity=more()),
    "usage is priced by what was metered": lambda f: changed(f, "burst", x_MeteredByteSeconds="1"),
    "PricingUnit is there with PricingQuantity, and only with it": lambda f: changed(f, "burst", PricingUnit=None),
    "no contracted price is above the list's": lambda f: changed(f, "used", ContractedUnitPrice=more(), ContractedCost=more(1)),
    "usage and purchases name SKU and SKU price": lambda f: changed(f, "burst", SkuPriceId=None),
    "usage and purchases name region and resource": lambda f: changed(f, "burst", RegionId=None),
    "figures in the pricing currency are those in the billing currency": lambda f: changed(f, "burst", PricingCurrency="CHF"),
    "PricingCategory is Committed on what a subscription covers, else Standard": lambda f: changed(
        f, "used", PricingCategory="Standard"
    ),
    "the columns of a commitment are there together": lambda f: changed(f, "used", CommitmentDiscountType=None),
    "a purchase names the commitment": lambda f: changed(
        f, "purchase", **{f"CommitmentDiscount{n}": None for n in ("Category", "Id", "Name", "Quantity", "Type", "Unit")}
    ),
    "Used and Unused stand on committed usage only": lambda f: changed(f, "purchase", CommitmentDiscountStatus="Used"),
    "CommitmentDiscountQuantity is the byte-seconds in GiB-days": lambda f: changed(f, "used", CommitmentDiscountQuantity=more()),
    "ConsumedQuantity is there on burst and used rows, and only there": lambda f: changed(
        f, "unused", ConsumedQuantity=Decimal(1), ConsumedUnit="GiB-Days"
    ),
    "ConsumedQuantity is the byte-seconds in GiB-days": lambda f: changed(f, "burst", ConsumedQuantity=more()),
    "an unused row's resource is the subscription, a used one's is account and location": lambda f: changed(
        f, "unused", ResourceId="A/ZRH"
    ),
    "what a subscription covers bills nothing": lambda f: changed(f, "used", BilledCost=more()),
    "a purchase that covers usage has no effective cost": lambda f: changed(f, "purchase", EffectiveCost=more()),
    "a purchase bills its contracted cost": lambda f: changed(f, "purchase", BilledCost=more()),
    "burst bills its contracted cost": lambda f: changed(f, "burst", BilledCost=more()),
    "what is billed without a commitment is its effective cost": lambda f: changed(f, "burst", EffectiveCost=more()),
    "burst names its charge": lambda f: changed(f, "burst", x_ChargeId=None),
    "a correction, and nothing else, names the run that it corrects": lambda f: changed(f, "late burst", x_PriorRunId=None),
    "a correction is of a period that was closed before": lambda f: changed(
        f, "burst", ChargeClass="Correction", x_PriorRunId="closing-9-0123456789ab"
    ),
    "a charge that corrects nothing is of the billing period": lambda f: changed(
        f, "late used", ChargeClass=None, x_PriorRunId=None
    ),
    "only corrections and roundings take something back": lambda f: changed(f, "used", EffectiveCost=lambda cost: -cost),
    "the burst of a statement adds up to its exact sum": lambda f: without(f, "burst"),
    "an invoice adds up to what is due": lambda f: without(f, "rounding"),
    "a subscription that starts in the period is bought once, at its cost": lambda f: without(f, "purchase"),
    "Used and Unused add up to what a subscription entitles to": lambda f: scaled(f, "unused"),
    "effective costs add up to the subscription's share by time": lambda f: changed(
        f, "used", EffectiveCost=more(), PricingCurrencyEffectiveCost=more()
    ),
    "what is used of subscriptions is what is occupied and does not burst": moved,
    "a correction of use moves cost between Used and Unused": lambda f: without(f, "late unused"),
    "no charge stands twice": lambda f: twice(f, "used"),
    "the Contract Commitment dataset tells every subscription": lambda f: replace(f, commitments=f.commitments[1:]),
}


def test_there_are_some_forty_checks_and_an_error_is_planted_for_each():
    assert sorted(PLANTED) == sorted(CHECKS)
    assert len(CHECKS) >= 40


@pytest.mark.parametrize("check", PLANTED)
def test_a_planted_error_is_caught_by_its_check(check, sound):
    assert check in {failure.check for failure in failures(PLANTED[check](sound))}


def test_an_export_that_fails_a_check_writes_nothing_and_says_why(sound, tmp_path, monkeypatch):
    wrong = changed(sound, "burst", BilledCost=more())
    monkeypatch.setattr("metering.reporting.focus.export.focus_export", lambda *_: focus_module.FocusExport(wrong))
    meter = meter_of(tmp_path, samples=polls("2026-11-03", "2026-11-04", {}))
    with pytest.raises(MeteringError, match=r"burst bills its contracted cost, but not Usage of B from 2026-11-03"):
        meter.export("focus", tmp_path / "focus.csv", period=SECOND)
    assert not list(tmp_path.glob("focus*"))
