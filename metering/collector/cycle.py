"""What a cycle polls, and what came of it."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from metering.collector.credentials import Login, find_login
from metering.collector.targets import AccountSettings, Targets
from metering.ingest.captures import SNAPSHOTS, Source
from metering.ingest.failure import RequestFailure
from metering.model.errors import InputError, MisuseError
from metering.model.period import instant_text

_NAMED = 3


@dataclass(frozen=True, slots=True)
class Failure:
    """What could not be had in a cycle, and why; or what is odd about what was had."""

    endpoint: str
    account: str
    resource: str
    cause: str
    detail: str
    account_name: str = ""

    @property
    def text(self) -> str:
        """The failure as one line."""
        return _told((self.endpoint,), (self.account_name or self.account,), self.resource, self.cause, self.detail)


@dataclass(frozen=True, slots=True)
class Collection:
    """One account at one endpoint: what is polled."""

    source: Source
    name: str
    account: AccountSettings

    def login(self) -> Login:
        """Give what it is asked with.

        Raises:
            RequestFailure: there is no password, or it may be read by others.
        """
        try:
            return find_login(self.name, self.account)
        except InputError as error:
            raise RequestFailure("credential", str(error)) from None

    def failed(self, resource: str, failure: RequestFailure) -> Failure:
        """Say of which account and endpoint a request failed, and for what."""
        source = self.source
        return Failure(source.endpoint, source.account, resource, failure.cause, failure.detail, source.account_name)


def told_together(failures: Sequence[Failure]) -> list[tuple[str, int]]:
    """Give failures that are alike as one line each, and how many each stands for: a login fails everywhere, a location for all."""
    places: defaultdict[tuple[str, ...], dict[str, None]] = defaultdict(dict)
    for each in failures:
        places[each.account_name or each.account, each.resource, each.cause, each.detail][each.endpoint] = None
    accounts: defaultdict[tuple[Any, ...], list[str]] = defaultdict(list)
    for (account, *what), endpoints in places.items():
        accounts[tuple(sorted(endpoints)), *what].append(account)
    return [
        (_told(endpoints, sorted(names), resource, cause, detail), len(endpoints) * len(names))
        for (endpoints, resource, cause, detail), names in accounts.items()
    ]


def _told(endpoints: Sequence[str], accounts: Sequence[str], resource: str, cause: str, detail: str) -> str:
    asked = "" if resource == SNAPSHOTS else f" {resource}"
    who = ", ".join(accounts) if len(accounts) <= _NAMED else f"{len(accounts)} accounts"
    return f"{', '.join(endpoints)} {who}{asked}: {cause}: {detail}"


@dataclass(slots=True)
class CycleReport:
    """What a cycle brought: polls that are durable, their samples, the bytes that travelled, what failed, how long it took."""

    started_us: int
    polls: int = 0
    samples: int = 0
    shared: int = 0
    received_bytes: int = 0
    failures: list[Failure] = field(default_factory=list)
    flags: list[Failure] = field(default_factory=list)
    skews: dict[str, int] = field(default_factory=dict)
    elapsed_ms: int = 0
    polled: Counter[str] = field(default_factory=Counter)
    sampled: Counter[str] = field(default_factory=Counter)
    # Why what is durable is not in the store yet; None where it is.
    store_trouble: str | None = None
    waiting_files: int = 0
    # Files of the spool that were set aside, and lines that were rejected: evidence that nobody is billed for.
    not_taken: int = 0

    @property
    def seconds_text(self) -> str:
        """How long it took, in seconds with one decimal, for the eye."""
        tenths = (self.elapsed_ms + 50) // 100
        return f"{tenths // 10}.{tenths % 10}"

    @property
    def text(self) -> str:
        """The cycle as one line."""
        return (
            f"{instant_text(self.started_us // 1_000_000)} {self.polls} polls, {self.samples} samples, "
            f"{self.received_bytes} bytes, {len(self.failures)} failures, {self.seconds_text} s"
        )


def collections_of(targets: Targets) -> list[Collection]:
    """List what is to be polled, in the order of the settings.

    Raises:
        MisuseError: there is no endpoint or no account.
    """
    for kind, names in (("endpoints", targets.endpoints), ("accounts", targets.accounts)):
        if not names:
            raise MisuseError(f"the settings name no {kind}: `metering collect --init` writes a metering.toml to begin with")
    return [
        Collection(Source(endpoint, targets.endpoints[endpoint].location or endpoint, account.account, account.name), name, account)
        for name, account in targets.accounts.items()
        for endpoint in targets.endpoints_of(account)
    ]
