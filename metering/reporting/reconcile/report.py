"""A reconciliation: the provider's rows sorted to our accounts and locations, each held against ours, and everything added up."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from metering.billing.bill import computed_lines
from metering.billing.money import AMOUNT_PLACES, ZERO, amount_of, in_units
from metering.billing.usage import Computation
from metering.engine.duckdb import Engine
from metering.ingest.fact_models import BILLED_RESOURCE
from metering.ingest.provider_rows import DayRow, LedgerRow, SampleRow
from metering.model.errors import MisuseError
from metering.model.period import SECONDS_PER_DAY, instant_text
from metering.model.reconciliation import Against, Mismatch, Reconciliation
from metering.model.records import BilledPeriod, ChargeLine, Severity
from metering.model.units import counted
from metering.reporting.reconcile.daily import Days, compare_days
from metering.reporting.reconcile.ledger import compare_ledger
from metering.reporting.reconcile.lines import Ledger
from metering.reporting.reconcile.places import Beat
from metering.reporting.reconcile.samples import compare_samples
from metering.reporting.reconcile.strayed import Stranger, strayed
from metering.reporting.reconcile.tally import Tally
from metering.reporting.unit_steps import Unit, steps_of, units_of

if TYPE_CHECKING:
    from metering.collector.cycle import Failure

ProviderRow = LedgerRow | SampleRow | DayRow

_NOUNS: dict[Against, str] = {"ledger": "line", "usage": "row", "dailyburst": "row"}


@dataclass(frozen=True, slots=True)
class Asked:
    """What is reconciled: against which list, of whom, with which tolerances."""

    against: Against
    account: str | None = None
    location: str | None = None
    jitter_s: int = 2
    tolerance: Fraction = Fraction(0)
    # Units whose list could not be had, and why.
    failures: "tuple[Failure, ...]" = ()
    # Only these were asked for; None where the file is all there is.
    answered: frozenset[tuple[str, str]] | None = None


@dataclass(slots=True)
class _Sorted:
    """Rows by unit, and what belongs to none."""

    by_unit: defaultdict[tuple[str, str], list[Any]] = field(default_factory=lambda: defaultdict(list))
    findings: list[Mismatch] = field(default_factory=list)
    strangers: list[Stranger] = field(default_factory=list)


def reconcile_rows(engine: Engine, computation: Computation, rows: Sequence[ProviderRow], asked: Asked) -> Reconciliation:
    """Hold the provider's rows of a period against what was computed of it.

    Raises:
        MisuseError: the rows name no account and location, and neither was said.
    """
    tally = Tally(asked.tolerance)
    known = units_of(engine)
    units = [unit for unit in known if _is_asked(unit, asked)]
    own_rows = _sort(rows, units, {unit.account for unit in known}, asked, tally, computation)
    prices = _price_texts(engine, computation)
    beat = Beat(computation.clock.cycle_s, asked.jitter_s)
    start_s, stop_s = computation.period.start_s, computation.stop_s
    lines = computed_lines(engine, computation)
    own_lines: defaultdict[tuple[str, str], list[ChargeLine]] = defaultdict(list)
    for line in lines:
        own_lines[line.account, line.location].append(line)
    for own in steps_of(engine, computation, units):
        unit = own.unit
        tally.know(unit)
        theirs = own_rows.by_unit[unit.account, unit.location]
        if asked.against == "ledger":
            compare_ledger(Ledger(own, beat, prices[unit.currency]), theirs, tally, start_s, stop_s)
        elif asked.against == "usage":
            compare_samples(Ledger(own, beat, prices[unit.currency]), theirs, tally, start_s, stop_s)
        else:
            mine = own_lines[unit.account, unit.location]
            compare_days(Days(own, beat, mine, start_s, stop_s), theirs, tally)
    billed: Counter[str] = Counter()
    wanted = {(unit.account, unit.location): unit.currency for unit in units}
    for line in lines:
        if line.amount is not None and (line.account, line.location) in wanted:
            billed[wanted[line.account, line.location]] += in_units(line.amount, AMOUNT_PLACES)
    found, settled = strayed([*own_rows.findings, *tally.findings], own_rows.strangers, asked.jitter_s)
    tally.pass_over("lines of a wrong account or location, which are none of ours", settled)
    order = {"error": 0, "warning": 1, "info": 2}
    findings = sorted(
        found,
        key=lambda each: (order[each.severity], each.account, each.location, each.start, each.check, each.place or ""),
    )
    return Reconciliation(
        period=BilledPeriod(start=computation.period.start_s, end=computation.period.end_s, as_of=computation.as_of_s),
        against=asked.against, totals=tally.currency_totals(dict(billed)), outcomes=tally.outcome_totals(),
        causes=tally.cause_totals(), units=tally.unit_totals(), findings=findings, passed_over=tally.passed_over(),
    )  # fmt: skip


def _is_asked(unit: Unit, asked: Asked) -> bool:
    return (
        asked.account in (None, unit.account)
        and asked.location in (None, unit.location)
        and (asked.answered is None or (unit.account, unit.location) in asked.answered)
    )


def _sort(
    rows: Sequence[ProviderRow], units: list[Unit], accounts: set[str], asked: Asked, tally: Tally, computation: Computation
) -> _Sorted:
    found = _Sorted()
    known = {(unit.account, unit.location) for unit in units}
    currencies = {unit.account: unit.currency for unit in units}
    strangers: defaultdict[tuple[str, str, str, str], list[ProviderRow]] = defaultdict(list)
    for row in rows:
        owner, place, currency = row.account or asked.account, row.location or asked.location, _currency_of(row)
        if owner is None or place is None:
            raise MisuseError(f"{row.place} names no account and location: say whose list it is, with --account and --location")
        if row.resource is None:
            tally.pass_over("lines that are none of burst (payments, purchases)")
        elif asked.account not in (None, owner) or owner not in accounts:
            strangers["other_account", owner, place, currency].append(row)
        elif (owner, place) not in known:
            strangers["other_location", owner, place, currency].append(row)
        elif row.resource != BILLED_RESOURCE:
            strangers[f"other_resource {row.resource}", owner, place, currency].append(row)
        elif currency and currencies[owner] not in ("", currency):
            strangers["other_currency", owner, place, currency].append(row)
        else:
            found.by_unit[owner, place].append(row)
    _tell_strangers(found, strangers, _NOUNS[asked.against], currencies, computation.clock.cycle_s)
    whole = computation.period.start_s, computation.stop_s
    for failure in asked.failures:
        said = f"{failure.cause}: {failure.detail}; nothing compared"
        found.findings.append(_finding("no_answer", "error", failure.account, failure.endpoint, said, Fraction(0), whole))
    return found


def _tell_strangers(
    found: _Sorted, strangers: dict[tuple[str, str, str, str], list[ProviderRow]], noun: str, currencies: dict[str, str],
    cycle_s: int,
) -> None:  # fmt: skip
    """Tell of rows that are held against nothing of ours, by what they are, account, location and the currency that they name."""
    for (kind, owner, place, currency), several in sorted(strangers.items()):
        check, _, resource = kind.partition(" ")
        said = {
            "other_account": f"{counted(len(several), noun)} of an account that is not asked for, or has no usage",
            "other_location": f"{counted(len(several), noun)} of a location that is not asked for, or has no usage of the account",
            "other_resource": f"{counted(len(several), noun)} of {resource}, which is not billed here",
            "other_currency": f"{counted(len(several), noun)} in {currency}, and the account is charged in "
            f"{currencies.get(owner)}: what it charges is not compared",
        }[check]
        if check in ("other_account", "other_location"):
            number = len(found.findings)
            found.strangers += [Stranger(row, number) for row in several if isinstance(row, LedgerRow)]
        found.findings.append(_stranger(check, owner, place, several, said, cycle_s, currency or currencies.get(owner)))


def _stranger(
    check: str, account: str, location: str, rows: list[ProviderRow], said: str, cycle_s: int, currency: str | None
) -> Mismatch:
    amount = sum((row.amount or Fraction(0) for row in rows if not isinstance(row, SampleRow)), Fraction(0))
    severity: Severity = "info" if check == "other_resource" else "error"
    starts, ends = zip(*(_span(row, cycle_s) for row in rows), strict=True)
    return _finding(check, severity, account, location, said, amount, (min(starts), max(ends)), rows[0].place, currency)


def _finding(
    check: str, severity: Severity, account: str, location: str, message: str, amount: Fraction,
    span: tuple[int, int], place: str | None = None, currency: str | None = None,
) -> Mismatch:  # fmt: skip
    """Make a finding about rows that were not compared: they are in no total."""
    theirs = amount_of(amount)
    return Mismatch(
        check=check, severity=severity, account=account, location=location, start=span[0], end=span[1], currency=currency or None,
        ours=ZERO, theirs=theirs, difference=theirs, place=place, message=message,
    )  # fmt: skip


def _currency_of(row: ProviderRow) -> str:
    """Give the currency that a row names, empty where it names none."""
    return "" if isinstance(row, SampleRow) else row.currency or ""


def _span(row: ProviderRow, cycle_s: int) -> tuple[int, int]:
    """Give the time that a row is of; a look is of a cycle."""
    if isinstance(row, LedgerRow):
        return row.start_s, row.end_s
    return (row.poll_s, row.poll_s + cycle_s) if isinstance(row, SampleRow) else (row.day_s, row.day_s + SECONDS_PER_DAY)


def _price_texts(engine: Engine, computation: Computation) -> defaultdict[str, dict[Fraction, str]]:
    """Name every price of each currency, by its price of a byte-second."""
    names: defaultdict[str, dict[Fraction, str]] = defaultdict(dict)
    for row in engine.rows("billing/known_prices", computation.parameters):
        where = f" in {row['location']}" if row["location"] else ""
        since = instant_text(row["effective_from_s"])[:10]
        price = Fraction(row["price"]) / int(row["multiplier"])
        names[row["currency"]].setdefault(price, f"the price of level {row['level']}{where} from {since}")
    return names
