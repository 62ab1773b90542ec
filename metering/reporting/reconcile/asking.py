"""What is to be reconciled with which list of the provider: from a file, or asked for now."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from metering.billing.usage import Computation
from metering.collector.targets import Targets
from metering.engine.duckdb import Engine
from metering.ingest.provider_lists import Listed, read_list
from metering.ingest.provider_rows import day_rows, ledger_rows, sample_rows
from metering.model.errors import InputError, MisuseError
from metering.model.period import Period
from metering.model.reconciliation import AGAINST, Against, Reconciliation
from metering.reporting.reconcile.report import Asked, ProviderRow, reconcile_rows

if TYPE_CHECKING:
    from metering.collector.cycle import Failure

_JITTER_S = 2
_MOST_JITTER_S = 60
# A tolerance of more characters is no amount that anybody means, and could take long to read.
_MOST_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class ReconcileRequest:
    """One of `ledger`, `usage`, `dailyburst` is a file, or `live` names the list that is asked for now.

    Args:
        ledger: lines of `/ledger/`.
        usage: rows of `/usage/`.
        dailyburst: rows of `/dailyburstusage/`.
        live: which of the three is asked for, at every endpoint of every account that is configured.
        account: whose list the file is; only this account is compared.
        location: where; only this location is compared.
        tolerance: differences of a row up to this amount are no findings.
        jitter: by how many seconds lines of a ledger may be longer or shorter than the time to the next one; 2 unless given.
    """

    ledger: str | Path | None = None
    usage: str | Path | None = None
    dailyburst: str | Path | None = None
    live: str | None = None
    account: str | None = None
    location: str | None = None
    tolerance: str = "0"
    jitter: int | None = None

    @property
    def against(self) -> Against:
        """Which list is held against ours.

        Raises:
            MisuseError: none or several are named, or one that there is not.
        """
        named = [str(kind) for kind in AGAINST if getattr(self, kind) is not None]
        named += [] if self.live is None else [self.live]
        if len(named) != 1:
            raise MisuseError("reconcile takes one of --ledger FILE, --usage FILE, --dailyburst FILE and --live")
        kind = next((kind for kind in AGAINST if kind == named[0]), None)
        if kind is None:
            raise MisuseError(f"there is no list {named[0]!r}: choose from {', '.join(AGAINST)}")
        return kind

    def asked(self) -> Asked:
        """Read the tolerances.

        Raises:
            MisuseError: the tolerance is no amount, or the jitter no few seconds, or of a list without lines.
        """
        try:
            tolerance = Fraction(self.tolerance) if len(self.tolerance) <= _MOST_CHARACTERS else Fraction(-1)
        except (ValueError, ZeroDivisionError):
            tolerance = Fraction(-1)
        if tolerance < 0:
            raise MisuseError(f"tolerance {self.tolerance!r} is no amount such as 0.01")
        if self.jitter is not None and self.against != "ledger":
            raise MisuseError(f"jitter is of the lines of a ledger: leave it out for {self.against}")
        jitter_s = _JITTER_S if self.jitter is None else self.jitter
        if not 0 <= jitter_s <= _MOST_JITTER_S:
            raise MisuseError(f"jitter is from 0 to {_MOST_JITTER_S} seconds, not {jitter_s}")
        return Asked(self.against, self.account, self.location, jitter_s, tolerance)


@dataclass(frozen=True, slots=True)
class ProviderList:
    """The provider's rows, and whose could not be had; `answered` is None where a file is all there is."""

    rows: Sequence[ProviderRow]
    failures: "tuple[Failure, ...]" = ()
    answered: frozenset[tuple[str, str]] | None = None


def obtain(request: ReconcileRequest, period: Period, targets: Targets) -> ProviderList:
    """Read the file, or ask the provider; nothing of the store is needed for that.

    Raises:
        MisuseError: the request does not say what to read or whom to ask.
        InputError: the file cannot be read as such a list.
    """
    against = request.asked().against
    place = getattr(request, against)
    if place is not None:
        return ProviderList(_parsed(against, read_list(Path(place), targets.limits)))
    # Only here the network's libraries are needed.
    from metering.collector.cycle import Failure  # noqa: PLC0415
    from metering.collector.provider_live import fetch_lists  # noqa: PLC0415

    rows: list[ProviderRow] = []
    failures: list[Failure] = []
    answered = set()
    for each in fetch_lists(targets, against, period, request.account, request.location):
        failure = each.failure
        if failure is None:
            try:
                rows += _parsed(against, each.objects)
            except InputError as error:
                failure = Failure(each.location, each.account, against, "malformed", str(error))
        if failure is None:
            answered.add((each.account, each.location))
        else:
            failures.append(failure)
    return ProviderList(rows, tuple(failures), frozenset(answered))


def _parsed(against: Against, objects: Iterable[Listed]) -> Sequence[ProviderRow]:
    if against == "ledger":
        return ledger_rows(objects)
    return sample_rows(objects) if against == "usage" else day_rows(objects)


def reconcile_request(
    engine: Engine, computation: Computation, request: ReconcileRequest, obtained: ProviderList
) -> Reconciliation:
    """Hold what was obtained against a computed period."""
    asked = replace(request.asked(), failures=obtained.failures, answered=obtained.answered)
    return reconcile_rows(engine, computation, obtained.rows, asked)
