"""What must hold of all FOCUS rows together: sums by statement, invoice, subscription and place."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from decimal import Decimal

from metering.billing.money import AMOUNT_PLACES, in_units
from metering.model.period import instant_text
from metering.reporting.focus.columns import COMMITMENT_COLUMNS
from metering.reporting.focus.commitments import Commitment, share
from metering.reporting.focus.rows import GIB_DAY_BYTE_SECONDS, Row, sum_of
from metering.reporting.focus.truth import Focus, Truth, is_burst, is_part, is_quantity, metered

SetCheck = Callable[[Focus], Iterator[str]]


def _statements_are_billed(focus: Focus) -> Iterator[str]:
    """The burst of each statement adds up to its exact sum."""
    billed: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in focus.rows:
        if is_burst(row):
            billed[row["BillingAccountId"], row["BillingCurrency"]].append(row)
    for key in billed.keys() | focus.truth.statements.keys():
        asked = focus.truth.statements.get(key, (Decimal(0), Decimal(0)))[0]
        if (said := sum_of(billed[key], "BilledCost")) != asked:
            yield f"of {key[0]}: {said:f} {key[1]}, and the statement {asked:f}"


def _invoices_are_due(focus: Focus) -> Iterator[str]:
    """What an invoice bills beside purchases is what its statement asks for."""
    billed: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in focus.rows:
        if row["ChargeCategory"] != "Purchase":
            billed[row["BillingAccountId"], row["BillingCurrency"]].append(row)
    for key in billed.keys() | focus.truth.statements.keys():
        due = focus.truth.statements.get(key, (Decimal(0), Decimal(0)))[1]
        if (said := sum_of(billed[key], "BilledCost")) != due:
            yield f"of {key[0]}: {said:f} {key[1]}, and {due:f} is due"


def _purchases_are_billed_once(focus: Focus) -> Iterator[str]:
    """Each subscription that starts in the period is bought once, at its cost."""
    truth = focus.truth
    bought = [row for row in focus.rows if row["ChargeCategory"] == "Purchase" and row["ChargeClass"] is None]
    said = {row["CommitmentDiscountId"]: in_units(row["BilledCost"], AMOUNT_PLACES) for row in bought}
    asked = {
        name: share(each, each.byte_seconds)
        for name, each in truth.commitments.items()
        if truth.period.start_s <= each.start_s < truth.stop_s
    }
    if len(said) != len(bought):
        yield "of one that is bought twice"
    for name in said.keys() | asked.keys():
        if said.get(name) != asked.get(name):
            yield f"of {name}"


def _own_parts(focus: Focus) -> dict[str, list[Row]]:
    found: defaultdict[str, list[Row]] = defaultdict(list)
    for row in focus.rows:
        if is_part(row) and row["ChargeClass"] is None:
            found[row["CommitmentDiscountId"]].append(row)
    return found


def _bounds(commitment: Commitment, truth: Truth) -> tuple[int, int]:
    """Give how many of a subscription's byte-seconds lie before the period, and before its end."""
    first_s = max(commitment.start_s, truth.period.start_s)
    last_s = max(first_s, min(commitment.end_s, truth.stop_s))
    return commitment.amount_bytes * (first_s - commitment.start_s), commitment.amount_bytes * (last_s - commitment.start_s)


def _used_and_unused_are_all(focus: Focus) -> Iterator[str]:
    """Used and Unused of a subscription add up to what it entitles to in the period."""
    parts = _own_parts(focus)
    for name, commitment in focus.truth.commitments.items():
        first, last = _bounds(commitment, focus.truth)
        if sum(map(metered, parts.get(name, ()))) != last - first:
            yield f"of {name}"


def _costs_are_spread(focus: Focus) -> Iterator[str]:
    """The effective cost of a subscription in the period is its share of the cost by time."""
    parts = _own_parts(focus)
    for name, commitment in focus.truth.commitments.items():
        first, last = _bounds(commitment, focus.truth)
        asked = share(commitment, last) - share(commitment, first)
        if in_units(sum_of(parts.get(name, ()), "EffectiveCost"), AMOUNT_PLACES) != asked:
            yield f"of {name}"


def _covered_is_used(focus: Focus) -> Iterator[str]:
    """What subscriptions cover in a location is what is occupied there and does not burst."""
    used: Counter[tuple[str, str]] = Counter()
    for rows in _own_parts(focus).values():
        for row in rows:
            if row["CommitmentDiscountStatus"] == "Used":
                used[row["BillingAccountId"], row["RegionId"]] += metered(row)
    for key in used.keys() | focus.truth.covered.keys():
        if used[key] != focus.truth.covered.get(key, 0):
            yield f"of {key[0]} in {key[1]}: {used[key]} byte-seconds, not {focus.truth.covered.get(key, 0)}"


def _corrected_use_nets_to_nothing(focus: Focus) -> Iterator[str]:
    """Where only the use of a subscription is corrected, what is used more goes unused less."""
    moved: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in focus.rows:
        key = (row["CommitmentDiscountId"], row["x_PriorRunId"])
        if is_part(row) and row["ChargeClass"] and key in focus.truth.unchanged:
            moved[key].append(row)
    for (name, _), rows in moved.items():
        if sum(map(metered, rows)) or sum_of(rows, "EffectiveCost"):
            yield f"of {name}"


def _rows_are_different(focus: Focus) -> Iterator[str]:
    """No charge stands twice."""
    names = (
        "BillingAccountId", "BillingCurrency", "ChargeCategory", "ChargePeriodStart", "ChargePeriodEnd", "RegionId",
        "CommitmentDiscountId", "CommitmentDiscountStatus", "SkuPriceId", "ContractedUnitPrice", "x_ChargeId", "x_PriorRunId",
        "x_PricingMultiplier",
    )  # fmt: skip
    counts = Counter(tuple(row[name] for name in names) for row in focus.rows if row["ChargeClass"] is None)
    for key, count in counts.items():
        if count > 1:
            yield f"of {key[0]}: {key[2]} of {instant_text(key[3])}"


def _commitments_are_told(focus: Focus) -> Iterator[str]:
    """The second dataset has each subscription that the rows name, once, with its cost and quantity."""
    said = {row["ContractCommitmentId"]: row for row in focus.commitments}
    if len(said) != len(focus.commitments):
        yield "of one that stands twice"
    named = {row["CommitmentDiscountId"] for row in focus.rows} - {None}
    for name in named | said.keys() | focus.truth.told.keys():
        row, commitment = said.get(name), focus.truth.told.get(name)
        if row is None or commitment is None or not _is_told(row, commitment):
            yield f"of {name}"


def _is_told(row: Row, commitment: Commitment) -> bool:
    return (
        row.keys() == {column.name for column in COMMITMENT_COLUMNS}
        and None not in row.values()
        and in_units(row["ContractCommitmentCost"], AMOUNT_PLACES) == share(commitment, commitment.byte_seconds)
        and row["x_MeteredByteSeconds"] == str(commitment.byte_seconds)
        and is_quantity(row["ContractCommitmentQuantity"], commitment.byte_seconds, GIB_DAY_BYTE_SECONDS)
        and (row["ContractCommitmentPeriodStart"], row["ContractCommitmentPeriodEnd"]) == (commitment.start_s, commitment.end_s)
    )


SET_CHECKS: dict[str, SetCheck] = {
    "the burst of a statement adds up to its exact sum": _statements_are_billed,
    "an invoice adds up to what is due": _invoices_are_due,
    "a subscription that starts in the period is bought once, at its cost": _purchases_are_billed_once,
    "Used and Unused add up to what a subscription entitles to": _used_and_unused_are_all,
    "effective costs add up to the subscription's share by time": _costs_are_spread,
    "what is used of subscriptions is what is occupied and does not burst": _covered_is_used,
    "a correction of use moves cost between Used and Unused": _corrected_use_nets_to_nothing,
    "no charge stands twice": _rows_are_different,
    "the Contract Commitment dataset tells every subscription": _commitments_are_told,
}
