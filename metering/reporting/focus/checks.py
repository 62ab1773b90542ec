"""What must hold of FOCUS rows, as named checks: of each row by itself, and of all rows with the statements and subscriptions.

The validator of the FOCUS project misses a wrong ListCost, a changed BilledCost and a custom column without `x_`, and contradicts
its own text in three rules; so these decide. A check is a sentence; a failure names it and the row.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from metering.billing.money import AMOUNT_PLACES, LAST_PLACE, in_units
from metering.model.period import Period, instant_text
from metering.reporting.focus.columns import COLUMNS
from metering.reporting.focus.commitments import joined
from metering.reporting.focus.rows import GIB_DAY_BYTE_SECONDS, GIB_DAYS, Row
from metering.reporting.focus.sums import SET_CHECKS
from metering.reporting.focus.truth import Focus, Truth, is_burst, is_part, is_quantity, metered

_NAMES = frozenset(column.name for column in COLUMNS)
_DECIMALS = tuple(column.name for column in COLUMNS if column.kind == "money")
_COSTS = ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost")
_COMMITMENT = ("Category", "Id", "Name", "Quantity", "Type", "Unit")
_INTEGER = re.compile(r"-?[0-9]+", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Failure:
    """A check that does not hold, and where."""

    check: str
    where: str

    def __str__(self) -> str:
        """Say it in one line."""
        return f"{self.check}, but not {self.where}"


RowCheck = Callable[[Row, Truth], bool]


def _is_priced(row: Row) -> bool:
    return row["ChargeCategory"] in ("Usage", "Purchase")


def _is_product(cost: Decimal, each: Decimal, row: Row) -> bool:
    """Tell whether a cost is its unit price times the quantity, as exact as 20 decimals of the price allow."""
    byte_seconds, multiplier = int(row["x_PricedByteSeconds"]), int(row["x_PricingMultiplier"])
    # Both sides times the multiplier, in units of the 20th decimal.
    difference = in_units(cost, AMOUNT_PLACES) * multiplier - in_units(each, AMOUNT_PLACES) * byte_seconds
    return abs(difference) <= abs(byte_seconds) + multiplier


def _is_within(row: Row, period: Period) -> bool:
    """Tell whether a charge belongs to a period: its usage lies in it, its purchase starts in it."""
    if row["ChargeCategory"] == "Purchase":
        return bool(period.start_s <= row["ChargePeriodStart"] < period.end_s)
    return bool(period.start_s <= row["ChargePeriodStart"] and row["ChargePeriodEnd"] <= period.end_s)


def _corrects_closed(row: Row, truth: Truth) -> bool:
    period = truth.closed.get(row["x_PriorRunId"] or "")
    return row["ChargeClass"] is None or (period is not None and period.end_s <= truth.period.start_s and _is_within(row, period))


def _is_alike_in_pricing_currency(row: Row) -> bool:
    return all(
        row[f"PricingCurrency{name}"] == row[name] for name in ("ContractedUnitPrice", "EffectiveCost", "ListUnitPrice")
    ) and bool(row["PricingCurrency"] == row["BillingCurrency"])


def _resource_of(row: Row) -> Any:
    """Give what a part of a subscription is of: what went unused of the subscription itself."""
    is_unused = row["CommitmentDiscountStatus"] == "Unused"
    return row["CommitmentDiscountId"] if is_unused else joined(row["BillingAccountId"], row["RegionId"])


def _decimals_are_exact(row: Row, _truth: Truth) -> bool:
    values = [row[name] for name in _DECIMALS if row[name] is not None]
    return all(
        isinstance(value, Decimal) and value.is_finite() and int(value.as_tuple().exponent) >= -AMOUNT_PLACES for value in values
    )


def _integers_are_text(row: Row, _truth: Truth) -> bool:
    figures = [row["x_MeteredByteSeconds"], *([row["x_PricedByteSeconds"], row["x_PricingMultiplier"]] if _is_priced(row) else [])]
    return all(isinstance(figure, str) and _INTEGER.fullmatch(figure) for figure in figures)


# What must hold before any other check can look at a row.
SHAPE_CHECKS: dict[str, RowCheck] = {
    "every column is one of FOCUS or begins with x_, and none is missing": lambda row, _: row.keys() == _NAMES,
    "every decimal is an exact one of at most 20 places": _decimals_are_exact,
    "ChargeCategory is Usage, Purchase or Adjustment": lambda r, _: r["ChargeCategory"] in ("Usage", "Purchase", "Adjustment"),
    "the four costs are there": lambda row, _: all(row[name] is not None for name in _COSTS),
    "byte-seconds are whole numbers written as text": _integers_are_text,
    "the unit prices of usage and purchases are there": lambda row, _: (
        not _is_priced(row) or (row["ListUnitPrice"] is not None and row["ContractedUnitPrice"] is not None)
    ),
}

ROW_CHECKS: dict[str, RowCheck] = {
    "ChargeClass is empty or Correction": lambda row, _: row["ChargeClass"] in (None, "Correction"),
    "the billing account is named": lambda row, _: bool(row["BillingAccountId"] and row["BillingAccountName"]),
    "BillingCurrency is a code of three letters": lambda row, _: bool(_CURRENCY.fullmatch(row["BillingCurrency"] or "")),
    "the billing period is the exported one": lambda row, truth: (
        (row["BillingPeriodStart"], row["BillingPeriodEnd"]) == (truth.period.start_s, truth.period.end_s)
    ),
    "a charge period ends after its start": lambda row, _: row["ChargePeriodStart"] < row["ChargePeriodEnd"],
    "usage is charged by usage, and nothing else is": lambda row, _: (
        (row["ChargeFrequency"] == "Usage-Based") == (row["ChargeCategory"] == "Usage")
    ),
    "what is not usage is charged once or recurs": lambda row, _: (
        row["ChargeCategory"] == "Usage" or row["ChargeFrequency"] in ("One-Time", "Recurring")
    ),
    "a charge is described": lambda row, _: bool(row["ChargeDescription"]),
    "the invoice is that of account, currency and period": lambda row, truth: (
        row["InvoiceId"] == f"{truth.period.text}/{row['BillingAccountId']}/{row['BillingCurrency']}"
    ),
    "the provider is named alike under its old and new names": lambda row, _: (
        bool(row["ProviderName"] and row["PublisherName"])
        and (row["ProviderName"], row["PublisherName"]) == (row["ServiceProviderName"], row["HostProviderName"])
    ),
    "the invoice's issuer is named": lambda row, _: bool(row["InvoiceIssuerName"]),
    "the service is backup storage": lambda row, _: (
        (row["ServiceCategory"], row["ServiceSubcategory"]) == ("Storage", "Backup Storage") and bool(row["ServiceName"])
    ),
    "the run is the one that writes": lambda row, truth: row["x_RunId"] == truth.run_id,
    "ListCost is ListUnitPrice × PricingQuantity": lambda row, _: (
        not _is_priced(row) or _is_product(row["ListCost"], row["ListUnitPrice"], row)
    ),
    "ContractedCost is ContractedUnitPrice × PricingQuantity": lambda row, _: (
        not _is_priced(row) or _is_product(row["ContractedCost"], row["ContractedUnitPrice"], row)
    ),
    "PricingQuantity is the byte-seconds in the price's unit": lambda row, _: (
        not _is_priced(row) or is_quantity(row["PricingQuantity"], int(row["x_PricedByteSeconds"]), int(row["x_PricingMultiplier"]))
    ),
    "usage is priced by what was metered": lambda row, _: (
        row["ChargeCategory"] != "Usage" or row["x_PricedByteSeconds"] == row["x_MeteredByteSeconds"]
    ),
    "PricingUnit is there with PricingQuantity, and only with it": lambda row, _: (
        (row["PricingUnit"] is None) == (row["PricingQuantity"] is None) == (not _is_priced(row))
    ),
    "no contracted price is above the list's": lambda r, _: not _is_priced(r) or r["ContractedUnitPrice"] <= r["ListUnitPrice"],
    "usage and purchases name SKU and SKU price": lambda row, _: not _is_priced(row) or bool(row["SkuId"] and row["SkuPriceId"]),
    "usage and purchases name region and resource": lambda row, _: (
        not _is_priced(row) or bool(row["RegionId"] and row["RegionName"] and row["ResourceId"] and row["ResourceType"])
    ),
    "figures in the pricing currency are those in the billing currency": lambda row, _: _is_alike_in_pricing_currency(row),
    "PricingCategory is Committed on what a subscription covers, else Standard": lambda row, _: (
        row["PricingCategory"] == ("Committed" if is_part(row) else "Standard" if _is_priced(row) else None)
    ),
    "the columns of a commitment are there together": lambda row, _: (
        len({row[f"CommitmentDiscount{name}"] is None for name in _COMMITMENT}) == 1
    ),
    "a purchase names the commitment": lambda r, _: r["ChargeCategory"] != "Purchase" or r["CommitmentDiscountId"] is not None,
    "Used and Unused stand on committed usage only": lambda row, _: (
        (row["CommitmentDiscountStatus"] in ("Used", "Unused")) if is_part(row) else row["CommitmentDiscountStatus"] is None
    ),
    "CommitmentDiscountQuantity is the byte-seconds in GiB-days": lambda row, _: (
        row["CommitmentDiscountId"] is None
        or (
            row["CommitmentDiscountUnit"] == GIB_DAYS
            and is_quantity(row["CommitmentDiscountQuantity"], metered(row), GIB_DAY_BYTE_SECONDS)
        )
    ),
    "ConsumedQuantity is there on burst and used rows, and only there": lambda row, _: (
        (row["ConsumedQuantity"] is not None)
        == (row["ConsumedUnit"] is not None)
        == (is_burst(row) or row["CommitmentDiscountStatus"] == "Used")
    ),
    "ConsumedQuantity is the byte-seconds in GiB-days": lambda row, _: (
        row["ConsumedQuantity"] is None
        or (row["ConsumedUnit"] == GIB_DAYS and is_quantity(row["ConsumedQuantity"], metered(row), GIB_DAY_BYTE_SECONDS))
    ),
    "an unused row's resource is the subscription, a used one's is account and location": lambda row, _: (
        not is_part(row) or row["ResourceId"] == _resource_of(row)
    ),
    "what a subscription covers bills nothing": lambda row, _: not is_part(row) or row["BilledCost"] == 0,
    "a purchase that covers usage has no effective cost": lambda r, _: r["ChargeCategory"] != "Purchase" or r["EffectiveCost"] == 0,
    "a purchase bills its contracted cost": lambda row, _: (
        row["ChargeCategory"] != "Purchase" or abs(Fraction(row["BilledCost"]) - Fraction(row["ContractedCost"])) <= LAST_PLACE
    ),
    "burst bills its contracted cost": lambda row, _: (
        not is_burst(row) or abs(Fraction(row["BilledCost"]) - Fraction(row["ContractedCost"])) <= LAST_PLACE
    ),
    "what is billed without a commitment is its effective cost": lambda row, _: (
        row["CommitmentDiscountId"] is not None or row["EffectiveCost"] == row["BilledCost"]
    ),
    "burst names its charge": lambda row, _: is_burst(row) == (row["x_ChargeId"] is not None),
    "a correction, and nothing else, names the run that it corrects": lambda row, _: (
        (row["ChargeClass"] is None) == (row["x_PriorRunId"] is None)
    ),
    "a correction is of a period that was closed before": _corrects_closed,
    "a charge that corrects nothing is of the billing period": lambda row, truth: (
        row["ChargeClass"] is not None or _is_within(row, truth.period)
    ),
    "only corrections and roundings take something back": lambda row, _: (
        row["ChargeClass"] is not None or not _is_priced(row) or (metered(row) >= 0 and min(row[name] for name in _COSTS) >= 0)
    ),
}


CHECKS: tuple[str, ...] = (*SHAPE_CHECKS, *ROW_CHECKS, *SET_CHECKS)


def failures(focus: Focus) -> list[Failure]:
    """Run every check; the first failing row of each is told. Sums are looked at only where every row has the right shape."""
    for checks in (SHAPE_CHECKS, ROW_CHECKS):
        found: dict[str, Row] = {}
        # Row by row: to go through all of them once a check finds none of them in the processor's cache.
        for row in focus.rows:
            for name, holds in checks.items():
                if not holds(row, focus.truth):
                    found.setdefault(name, row)
        if found:
            return [Failure(name, _told(found[name])) for name in checks if name in found]
    return [Failure(name, where) for name, check in SET_CHECKS.items() for where in sorted(check(focus))[:1]]


def _told(row: dict[str, Any]) -> str:
    start_s = row.get("ChargePeriodStart")
    of = instant_text(start_s) if isinstance(start_s, int) else "no time"
    return f"{row.get('ChargeCategory')} of {row.get('BillingAccountId')} from {of}"
