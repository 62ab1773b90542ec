"""The columns: those of FOCUS 1.2, the names that 1.3 and 1.4 add, the Contract Commitment dataset of 1.3, and ours.

Decimals have 20 places in Parquet and CSV alike. Source: the FOCUS specification; FOCUS.md.
"""

from metering.model.tables import Column, columns_of

COLUMNS: tuple[Column, ...] = columns_of(
    AvailabilityZone="text", BilledCost="money", BillingAccountId="text", BillingAccountName="text", BillingAccountType="text",
    BillingCurrency="text", BillingPeriodEnd="instant", BillingPeriodStart="instant", CapacityReservationId="text",
    CapacityReservationStatus="text", ChargeCategory="text", ChargeClass="text", ChargeDescription="text", ChargeFrequency="text",
    ChargePeriodEnd="instant", ChargePeriodStart="instant", CommitmentDiscountCategory="text", CommitmentDiscountId="text",
    CommitmentDiscountName="text", CommitmentDiscountQuantity="money", CommitmentDiscountStatus="text",
    CommitmentDiscountType="text", CommitmentDiscountUnit="text", ConsumedQuantity="money", ConsumedUnit="text",
    ContractedCost="money", ContractedUnitPrice="money", EffectiveCost="money", InvoiceId="text", InvoiceIssuerName="text",
    ListCost="money", ListUnitPrice="money", PricingCategory="text", PricingCurrency="text",
    PricingCurrencyContractedUnitPrice="money", PricingCurrencyEffectiveCost="money", PricingCurrencyListUnitPrice="money",
    PricingQuantity="money", PricingUnit="text", ProviderName="text", PublisherName="text", RegionId="text", RegionName="text",
    ResourceId="text", ResourceName="text", ResourceType="text", ServiceCategory="text", ServiceName="text",
    ServiceSubcategory="text", SkuId="text", SkuMeter="text", SkuPriceDetails="text", SkuPriceId="text", SubAccountId="text",
    SubAccountName="text", SubAccountType="text", Tags="text",
    # what 1.3 and 1.4 call the provider and the publisher
    ServiceProviderName="text", HostProviderName="text",
    # ours: exact integers as text, the run that wrote the row, the one that it corrects, and our name of the charge
    x_MeteredByteSeconds="text", x_PricedByteSeconds="text", x_PricingMultiplier="text", x_RunId="text", x_PriorRunId="text",
    x_ChargeId="text",
)  # fmt: skip

COMMITMENT_COLUMNS: tuple[Column, ...] = columns_of(
    BillingCurrency="text", ContractCommitmentCategory="text", ContractCommitmentCost="money", ContractCommitmentDescription="text",
    ContractCommitmentId="text", ContractCommitmentPeriodEnd="instant", ContractCommitmentPeriodStart="instant",
    ContractCommitmentQuantity="money", ContractCommitmentType="text", ContractCommitmentUnit="text", ContractId="text",
    ContractPeriodEnd="instant", ContractPeriodStart="instant", x_MeteredByteSeconds="text", x_RunId="text",
)  # fmt: skip

# Plain integers that stay what they are in CSV; other text is neutralised where a spreadsheet would take it for a formula.
FIGURES_AS_TEXT = frozenset({"x_MeteredByteSeconds", "x_PricedByteSeconds", "x_PricingMultiplier"})
