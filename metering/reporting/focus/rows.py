"""Rows of FOCUS from parts of subscriptions, charge lines and statements; each a dictionary by column.

Byte-seconds are exact integers beside every quantity; quantities are these in GiB-days, or in the unit of the price, rounded to 20
decimals. What is occupied is metered by account and location as a whole, so that is the resource: no burst is of one snapshot.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any

from metering.billing.money import AMOUNT_PLACES, from_units, in_units, less, quotient_amount, total_known
from metering.model.currency import minor_places
from metering.model.period import SECONDS_PER_DAY, Period, parse_period
from metering.model.records import ChargeLine, Statement
from metering.model.units import GIB_BYTES
from metering.reporting.focus.columns import COLUMNS
from metering.reporting.focus.commitments import Commitment, Figures, PartKey, UnitPrice, joined

Row = dict[str, Any]
GIB_DAY_BYTE_SECONDS = GIB_BYTES * SECONDS_PER_DAY
GIB_DAYS = "GiB-Days"
_EMPTY: Row = dict.fromkeys((column.name for column in COLUMNS), None)


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who bills what, when: the same on all rows of an export."""

    period: Period
    provider: str
    invoice_issuer: str
    run_id: str
    names: dict[str, str | None]

    def invoice_id(self, account: str, currency: str) -> str:
        """Name the invoice of an account, currency and period, in which its subscriptions and its statement stand."""
        return f"{self.period.text}/{account}/{currency}"

    def row(self, account: str, currency: str) -> Row:
        """Give what every row of an account has."""
        return _EMPTY | {
            "BillingAccountId": account, "BillingAccountName": self.names.get(account) or account, "BillingAccountType": "Account",
            "BillingCurrency": currency, "PricingCurrency": currency, "BillingPeriodStart": self.period.start_s,
            "BillingPeriodEnd": self.period.end_s, "InvoiceId": self.invoice_id(account, currency),
            "InvoiceIssuerName": self.invoice_issuer, "ProviderName": self.provider, "PublisherName": self.provider,
            "ServiceProviderName": self.provider, "HostProviderName": self.provider, "ServiceCategory": "Storage",
            "ServiceSubcategory": "Backup Storage", "ServiceName": "Remote snapshots", "x_RunId": self.run_id,
        }  # fmt: skip


def part_row(issuer: Issuer, key: PartKey, figures: Figures, corrects: str | None = None) -> Row:
    """Write a part of a subscription; `corrects` names the run in which another figure of it stood."""
    commitment = key.commitment
    place = joined(commitment.account, commitment.location)
    kinds = {
        "purchase": ("Purchase", "Standard", None, commitment.name, "Backup subscription"),
        "used": ("Usage", "Committed", "Used", place, "Backup covered by subscription"),
        "unused": ("Usage", "Committed", "Unused", commitment.name, "Unused part of subscription"),
    }
    category, pricing, status, resource, told = kinds[key.kind]
    quantity = _quantity(figures.metered, GIB_DAY_BYTE_SECONDS)
    row = issuer.row(commitment.account, commitment.currency) | _located(commitment.location) | {
        "ChargeCategory": category, "PricingCategory": pricing, "ChargeFrequency": "Usage-Based",
        "ChargeDescription": f"{told} {commitment.name}", "ChargePeriodStart": key.start_s, "ChargePeriodEnd": key.end_s,
        "CommitmentDiscountCategory": "Usage", "CommitmentDiscountId": commitment.name,
        "CommitmentDiscountName": f"Subscription {commitment.id} in {commitment.location}",
        "CommitmentDiscountType": "Subscription", "CommitmentDiscountStatus": status, "CommitmentDiscountQuantity": quantity,
        "CommitmentDiscountUnit": GIB_DAYS, "ResourceId": resource, "ResourceName": f"Backup in {commitment.location}",
        "ResourceType": "Backup storage" if key.kind == "used" else "Backup subscription",
    }  # fmt: skip
    if key.kind == "used":
        row |= {"ConsumedQuantity": quantity, "ConsumedUnit": GIB_DAYS}
    if key.kind == "purchase":
        row["ChargeFrequency"] = "Recurring" if commitment.is_recurring else "One-Time"
    return _finished(row, key.price, figures, corrects)


def line_row(issuer: Issuer, line: ChargeLine, corrects: str | None = None) -> Row:
    """Write a charge line that has an amount; an adjustment is the correction of a run that was invoiced."""
    price = _price_of_line(line.level, line.unit or "", line.multiplier or 1, line.price or "0")
    within = issuer.period if line.adjusts is None else parse_period(line.adjusts)
    billed = in_units(line.amount or Decimal(0), AMOUNT_PLACES)
    row = issuer.row(line.account, line.currency or "") | _located(line.location) | {
        "ChargeCategory": "Usage", "PricingCategory": "Standard", "ChargeFrequency": "Usage-Based",
        "ChargeDescription": f"Burst of backup in {line.location} at level {line.level}",
        "ChargePeriodStart": max(line.date, within.start_s), "ChargePeriodEnd": min(line.date + SECONDS_PER_DAY, within.end_s),
        "ConsumedQuantity": _quantity(line.burst_byte_seconds, GIB_DAY_BYTE_SECONDS), "ConsumedUnit": GIB_DAYS,
        "ResourceId": joined(line.account, line.location), "ResourceName": f"Backup in {line.location}",
        "ResourceType": "Backup storage", "x_ChargeId": line.charge_id,
    }  # fmt: skip
    figures = Figures(line.burst_byte_seconds, line.burst_byte_seconds, billed, billed)
    return _finished(row, price, figures, corrects)


def rounding_row(issuer: Issuer, statement: Statement) -> Row | None:
    """Write what makes the exact lines of a statement the amount that is due; None where nothing is missing."""
    if statement.amount_due is None or statement.currency is None:
        return None
    difference = less(statement.amount_due, statement.burst_amount)
    if not difference:
        return None
    unit = f"{from_units(1, minor_places(statement.currency) or 0):f} {statement.currency}"
    return issuer.row(statement.account, statement.currency) | {
        "ChargeCategory": "Adjustment", "ChargeFrequency": "One-Time", "ChargeDescription": f"Rounding of the statement to {unit}",
        "ChargePeriodStart": issuer.period.start_s, "ChargePeriodEnd": issuer.period.end_s, "BilledCost": difference,
        "EffectiveCost": difference, "ListCost": difference, "ContractedCost": difference,
        "PricingCurrencyEffectiveCost": difference, "x_MeteredByteSeconds": "0",
    }  # fmt: skip


def commitment_row(issuer: Issuer, commitment: Commitment, billed: Decimal) -> Row:
    """Write a subscription for the Contract Commitment dataset."""
    return {
        "BillingCurrency": commitment.currency, "ContractCommitmentCategory": "Usage", "ContractCommitmentCost": billed,
        "ContractCommitmentDescription": f"Backup subscription {commitment.id} in {commitment.location}",
        "ContractCommitmentId": commitment.name, "ContractCommitmentPeriodStart": commitment.start_s,
        "ContractCommitmentPeriodEnd": commitment.end_s,
        "ContractCommitmentQuantity": _quantity(commitment.byte_seconds, GIB_DAY_BYTE_SECONDS),
        "ContractCommitmentType": "Subscription", "ContractCommitmentUnit": GIB_DAYS, "ContractId": commitment.account,
        "ContractPeriodStart": commitment.start_s, "ContractPeriodEnd": commitment.end_s,
        "x_MeteredByteSeconds": str(commitment.byte_seconds), "x_RunId": issuer.run_id,
    }  # fmt: skip


def row_order(row: Row) -> tuple[str, ...]:
    """Give what rows are sorted by: account, then invoice, time and kind."""
    names = (
        "BillingAccountId", "BillingCurrency", "ChargeCategory", "RegionId", "ChargePeriodStart", "ChargePeriodEnd",
        "CommitmentDiscountId", "CommitmentDiscountStatus", "ChargeClass", "SkuPriceId", "x_ChargeId",
    )  # fmt: skip
    return tuple(f"{row[name]:020d}" if isinstance(row[name], int) else row[name] or "" for name in names)


# What all lines of a price say alike is made once.
@lru_cache(maxsize=4096)
def _price_of_line(level: int, unit: str, multiplier: int, price: str) -> UnitPrice:
    listed = Fraction(price)
    return UnitPrice(level, unit, multiplier, listed, listed)


def _located(location: str) -> Row:
    return {"RegionId": location, "RegionName": location, "SkuId": "backup", "SkuMeter": "Backup capacity"}


def _finished(row: Row, price: UnitPrice, figures: Figures, corrects: str | None) -> Row:
    listed, contracted = price.amounts
    effective = from_units(figures.effective, AMOUNT_PLACES)
    row |= {
        "BilledCost": from_units(figures.billed, AMOUNT_PLACES), "EffectiveCost": effective,
        "ListCost": _cost(price.listed, figures.priced, price.multiplier),
        "ContractedCost": _cost(price.contracted, figures.priced, price.multiplier),
        "ListUnitPrice": listed, "ContractedUnitPrice": contracted, "PricingCurrencyListUnitPrice": listed,
        "PricingCurrencyContractedUnitPrice": contracted, "PricingCurrencyEffectiveCost": effective,
        "PricingQuantity": _quantity(figures.priced, price.multiplier), "PricingUnit": pricing_unit(price.unit),
        "SkuPriceId": f"backup/{row['RegionId']}/{price.level_name}/{row['BillingCurrency']}/{price.name}/{price.unit}",
        "x_MeteredByteSeconds": str(figures.metered), "x_PricedByteSeconds": str(figures.priced),
        "x_PricingMultiplier": str(price.multiplier),
    }  # fmt: skip
    if corrects is not None:
        row |= {"ChargeClass": "Correction", "x_PriorRunId": corrects}
    return row


def pricing_unit(unit: str) -> str:
    """Write a price's unit as FOCUS has units: `GB/month`, which is a GiB for 30 days, as `GiB-Months`."""
    size, _, time = unit.partition("/")
    binary = f"{size[0]}iB" if len(size) == len("GB") else size
    return f"{binary}-{time.capitalize()}s"


def _cost(price: Fraction, byte_seconds: int, multiplier: int) -> Decimal:
    return quotient_amount(price.numerator * byte_seconds, price.denominator * multiplier)


def _quantity(byte_seconds: int, unit: int) -> Decimal:
    return quotient_amount(byte_seconds, unit)


def sum_of(rows: Iterable[Row], column: str) -> Decimal:
    """Add a column up exactly; what is empty counts nothing."""
    return total_known(row[column] for row in rows)
