"""What is polled and how: the `[endpoints.*]`, `[accounts.*]` and `[collect]` tables of `metering.toml`.

An endpoint is a location whose API is asked, an account is an owner of snapshots with the login that may list them. Every
account is polled at every endpoint, unless it names its own.
"""

import re
import unicodedata
from dataclasses import dataclass
from os.path import expanduser
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, field_validator, model_validator

from metering.model.limits import DEFAULT_LIMITS, ReadingLimits
from metering.model.settings import SettingsTable, listed

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", re.ASCII)
# Where plain http is allowed: it goes no further than this machine.
LOOPBACK = ("127.0.0.1", "::1", "localhost")

# Where a file or folder is; `~/` is the user's own, as in a shell, which reads no settings file.
PlaceText = Annotated[str, Field(min_length=1), AfterValidator(expanduser)]
Seconds = Annotated[int, Field(ge=1, le=86_400)]


class EndpointSettings(SettingsTable):
    """One location's API; its credentials never leave the host that `url` names."""

    url: str
    location: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    requests_per_minute: Annotated[int, Field(ge=1, le=1_000_000)] | None = None

    @field_validator("url")
    @classmethod
    def _address(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            host, _ = parts.hostname, parts.port
        except ValueError:
            raise ValueError("is no address such as https://zrh.cloudsigma.com/api/2.0/") from None
        if not host or parts.scheme not in ("http", "https") or parts.query or parts.fragment:
            raise ValueError("is no address such as https://zrh.cloudsigma.com/api/2.0/")
        if parts.username is not None or parts.password is not None:
            raise ValueError("holds a login: take it out, and name the account's username and password_file in [accounts.*]")
        if parts.scheme == "http" and host not in LOOPBACK:
            raise ValueError("is http, and would send passwords in the clear: write https (http is for this machine only)")
        return value.rstrip("/") + "/"


class AccountSettings(SettingsTable):
    """One account: the UUID that owns its snapshots, its login, and where its password is to be found."""

    account: Annotated[str, Field(min_length=1, max_length=128)]
    username: Annotated[str, Field(min_length=1, max_length=256)]
    name: Annotated[str, Field(max_length=200)] = ""
    endpoints: tuple[str, ...] | None = None
    password_env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] | None = None
    password_file: Path | None = None
    keyring: Annotated[str, Field(min_length=1)] | None = None

    @field_validator("endpoints", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return listed(value)

    @field_validator("username")
    @classmethod
    def _of_one_login(cls, value: str) -> str:
        # RFC 7617: what stands before the first colon is the name, and the rest is the password.
        if ":" in value or any(unicodedata.category(character) == "Cc" for character in value):
            raise ValueError("has a colon or a control character, which no login over HTTP can carry: is it the username?")
        return value

    @model_validator(mode="before")
    @classmethod
    def _no_password(cls, values: Any) -> Any:
        if isinstance(values, dict) and "password" in values:
            raise ValueError("a password does not belong into the settings: name a password_env, password_file or keyring")
        return values


class CollectSettings(SettingsTable):
    """How hard to ask and how long to wait; durations are whole seconds."""

    spool: PlaceText = "spool"
    clock: Literal["ours", "provider"] = "ours"
    concurrency: Annotated[int, Field(ge=1, le=256)] = 8
    requests_per_minute: Annotated[int, Field(ge=1, le=1_000_000)] = 6_000
    connect_timeout: Seconds = 10
    request_timeout: Seconds = 30
    cycle_deadline: Seconds | None = None
    attempts: Annotated[int, Field(ge=1, le=20)] = 4
    money_every: Annotated[int, Field(ge=0, le=86_400)] = 3_600
    clock_tolerance: Seconds = 30

    def deadline_s(self, every_s: int) -> int:
        """Give the seconds that a cycle may take: four fifths of the time to the next one, unless told less."""
        longest = max(1, every_s * 4 // 5)
        return longest if self.cycle_deadline is None else min(self.cycle_deadline, longest)


@dataclass(frozen=True, slots=True)
class Targets:
    """The tables together, by name and in the order of the settings."""

    endpoints: dict[str, EndpointSettings]
    accounts: dict[str, AccountSettings]
    collect: CollectSettings
    limits: ReadingLimits = DEFAULT_LIMITS

    def endpoints_of(self, account: AccountSettings) -> tuple[str, ...]:
        """Name the endpoints at which an account is polled; the first is where its currency is asked for."""
        return tuple(self.endpoints) if account.endpoints is None else account.endpoints


def assert_targets_fit(endpoints: dict[str, EndpointSettings], accounts: dict[str, AccountSettings]) -> None:
    """Check names, and the tables against each other.

    Raises:
        ValueError: a name is none, two are one to the environment, whose names have no case, an account names an endpoint
            without a table, or a collection would be polled twice.
    """
    for kind, names in (("endpoints", endpoints), ("accounts", accounts)):
        seen_names: dict[str, str] = {}
        for name in names:
            if not _NAME.fullmatch(name):
                raise ValueError(f"[{kind}.{name!r}] is no name of letters, digits, - and _")
            if (other := seen_names.setdefault(name.lower(), name)) != name:
                raise ValueError(f"[{kind}.{other}] and [{kind}.{name}] differ only by case: keep one")
    seen: set[tuple[str, str]] = set()
    for name, account in accounts.items():
        for endpoint in account.endpoints or endpoints:
            if endpoint not in endpoints:
                raise ValueError(f"[accounts.{name}] names the endpoint {endpoint!r}, for which there is no table")
            if (endpoint, account.account) in seen:
                raise ValueError(f"[accounts.{name}] polls {account.account!r} at {endpoint} a second time: once is enough")
            seen.add((endpoint, account.account))
