"""Settings: `metering.toml` (or `--config`), overridden by environment variables that begin with METERING_."""

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from itertools import takewhile
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from metering.billing.money import plain_decimal
from metering.billing.subscriptions import DISCOUNTS, Discounts
from metering.books.closings import ClosingSettings
from metering.collector.targets import AccountSettings, CollectSettings, EndpointSettings, PlaceText, Targets, assert_targets_fit
from metering.model.clock import Clock
from metering.model.errors import MisuseError
from metering.model.issuer import IssuerNames
from metering.model.limits import AuditLimits, ReadingLimits
from metering.model.settings import SettingsTable, listed, without_truth
from metering.model.terms import parse_term

CONFIG_FILE = "metering.toml"
# The parser's time grows with the square of a key's dots: what is longer than any setting is not given to it.
_MOST_BYTES, _MOST_LINE_BYTES = 2**18, 4_096
# What a part of a variable's name may be: two underscores are between parts.
_VARIABLE = re.compile(r"[A-Za-z0-9]+(_[A-Za-z0-9]+)*", re.ASCII)
# Decimals of a share: 1e-999999 is a number too, and would be written out.
_MOST_PLACES = 20


class SparkSettings(SettingsTable):
    """Where Spark is, and properties of its own (`spark.executor.memory`), for `--engine spark`."""

    master: Annotated[str, Field(min_length=1)] = "local[*]"
    conf: dict[str, str] = Field(default_factory=dict)


class Settings(BaseSettings):
    """What a run may be told beside its facts; durations are in whole seconds, `missing_tolerance` is a share of one."""

    model_config = SettingsConfigDict(
        env_prefix="METERING_",
        env_ignore_empty=True,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    store: PlaceText = "metering.duckdb"
    store_wait: Annotated[int, Field(ge=0, le=86_400)] = 30
    cycle: Annotated[int, Field(ge=1, le=86_400)] = 300
    max_hold: Annotated[int, Field(ge=1, le=31 * 86_400)] = 900
    missing_tolerance: Annotated[Decimal, Field(ge=0, le=1, allow_inf_nan=False, decimal_places=_MOST_PLACES)] = Decimal("0.01")
    by: Annotated[str, Field(min_length=1)] | None = None
    locations: Annotated[frozenset[str], NoDecode] = frozenset({"GVA", "ZRH", "FRA", "CWL", "LON", "DUB"})
    discounts: dict[str, Annotated[Decimal, Field(ge=0, lt=1, decimal_places=_MOST_PLACES)]] = {
        term.text: plain_decimal(rate) or Decimal(0) for term, rate in DISCOUNTS
    }
    memory: Annotated[str, Field(pattern=r"^[1-9][0-9]{0,6}(MB|GB)$")] = "1200MB"
    threads: Annotated[int, Field(ge=1, le=1024)] | None = None
    engine: Literal["duckdb", "spark"] = "duckdb"
    spark: SparkSettings = SparkSettings()
    endpoints: dict[str, EndpointSettings] = {}
    accounts: dict[str, AccountSettings] = {}
    collect: CollectSettings = CollectSettings()
    audit: AuditLimits = AuditLimits()
    limits: ReadingLimits = ReadingLimits()
    focus: IssuerNames = IssuerNames()

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth(cls, value: Any) -> Any:
        return without_truth(value)

    @field_validator("locations", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return listed(value)

    @field_validator("discounts")
    @classmethod
    def _name_lengths(cls, value: dict[str, Decimal]) -> dict[str, Decimal]:
        named: dict[tuple[int, str], str] = {}
        for length in value:
            try:
                same = parse_term(length).in_calendar
            except ValueError as error:
                raise ValueError(f"{length!r} {error}") from None
            if (other := named.setdefault(same, length)) != length:
                raise ValueError(f"{other!r} and {length!r} are one length: keep one")
        return value

    @model_validator(mode="after")
    def _hold_at_least_a_cycle(self) -> Self:
        if self.max_hold < self.cycle:
            raise ValueError(
                f"max_hold is {self.max_hold} s, less than the cycle of {self.cycle} s: a poll holds at least that long"
            )
        return self

    @model_validator(mode="after")
    def _targets_fit(self) -> Self:
        assert_targets_fit(self.endpoints, self.accounts)
        return self

    @property
    def targets(self) -> Targets:
        """What is to be collected, and how."""
        return Targets(self.endpoints, self.accounts, self.collect, self.limits)

    @property
    def clock(self) -> Clock:
        """The seconds that decide how polls are classed."""
        return Clock(cycle_s=self.cycle, max_hold_s=self.max_hold)

    @property
    def discount_table(self) -> Discounts:
        """The discounts of subscriptions by length, as exact ratios: `DISCOUNTS` itself where the settings name none."""
        if "discounts" not in self.model_fields_set:
            return DISCOUNTS
        return tuple((parse_term(length), Fraction(rate)) for length, rate in self.discounts.items())

    @property
    def for_closing(self) -> ClosingSettings:
        """The settings that can change what is frozen, or what subscriptions cost."""
        return ClosingSettings(self.clock, self.locations, format(self.missing_tolerance, "f"), self.discount_table)

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *_places: Any, **_others: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment override the file, whose values come as arguments."""
        return _Environment(settings_cls, init_settings()), init_settings


class _Decided(Settings):
    """Settings that are all given, so that neither file nor environment is asked again."""

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *_places: Any, **_others: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take what comes as arguments, and nothing else."""
        del settings_cls
        return (init_settings,)


class _Environment(EnvSettingsSource):
    """The environment, whose names have no case: what users name themselves is spelled as in the file."""

    def __init__(self, settings_cls: type[BaseSettings], file: dict[str, Any]) -> None:
        super().__init__(settings_cls)
        self._file = file

    def __call__(self) -> dict[str, Any]:
        found = super().__call__()
        for table in ("endpoints", "accounts"):
            # An endpoint that the file does not name is called like its location: those are capitals.
            _spell(found, self._file, table, str.upper if table == "endpoints" else str)
        if isinstance(spark := found.get("spark"), dict):
            _spell(spark, self._file.get("spark"), "conf", str)
        return found


def _spell(found: dict[str, Any], file: Any, table: str, new: Callable[[str], str]) -> None:
    """Call the entries of a table as the file calls them; two that would be called alike keep their names."""
    if not isinstance(entries := found.get(table), dict):
        return
    known = file.get(table) if isinstance(file, dict) else None
    spellings = {name.lower(): name for name in known} if isinstance(known, dict) else {}
    spelled: dict[str, Any] = {}
    for name, value in entries.items():
        spelling = spellings.get(name.lower()) or new(name)
        spelled[name if spelling in spelled else spelling] = value
    found[table] = spelled


# What pydantic would say in its own words.
_PLAINLY = {"extra_forbidden": "there is no such setting; is it spelled right?", "missing": "is missing"}


def load_settings(path: Path | None = None, given: Mapping[str, Any] | None = None) -> Settings:
    """Read the settings: a named file must be there, `metering.toml` in the working directory may.

    Args:
        path: the file.
        given: what stands above file and environment; of a table, what it does not name stays as it is.

    Raises:
        MisuseError: the file is not there, is no TOML, or a setting is unknown or wrong.
    """
    settings = _read_settings(path)
    if not given:
        return settings
    try:
        return _Decided(**_laid_over(settings.model_dump(exclude_unset=True), given))
    except ValidationError as error:
        loc, said = _first_said(error)
        named = f"{_named(loc)}, as given" if loc else "the settings, with what is given"
        raise MisuseError(f"{named}: {said}") from None


def _laid_over(below: dict[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Lay a table over another: what is a table in both is laid over too."""
    tables = {
        name: _laid_over(below[name], value)
        for name, value in above.items()
        if isinstance(value, Mapping) and isinstance(below.get(name), dict)
    }
    return below | dict(above) | tables


def _read_settings(path: Path | None) -> Settings:
    found: dict[str, Any] = {}
    place = path or Path(CONFIG_FILE)
    try:
        if path is not None or place.is_file():
            found = tomllib.loads(_bounded_text(place), parse_float=_decimal)
        return Settings(**found)
    except OSError as error:
        raise MisuseError(f"{place} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeError) as error:
        raise MisuseError(f"{place} is no TOML: {error}") from None
    except ValidationError as error:
        loc, said = _first_said(error)
        raise MisuseError(f"{_where(loc, place)}: {said}") from None
    except SettingsError as error:
        variable = _variable_that_is_no_json(error)
        raise MisuseError(f"{variable} is no JSON: set its parts one by one, as {variable}__NAME, or in {place}") from None
    except RecursionError:
        raise MisuseError(f"{place} or the environment is nested too deeply: no setting is") from None
    except ValueError:
        raise MisuseError(f"{place} is no TOML: a number in it is larger or smaller than any") from None


def _first_said(error: ValidationError) -> tuple[tuple[int | str, ...], str]:
    """Give where the first error is, and what it says; a name that is wrong is the reason of one that is missing."""
    first = min(error.errors(include_url=False, include_input=False), key=lambda each: each["type"] != "extra_forbidden")
    return first["loc"], _PLAINLY.get(first["type"], first["msg"].removeprefix("Value error, "))


def _named(loc: tuple[int | str, ...]) -> str:
    return ".".join(_printable(str(part)) for part in loc)


def _where(loc: tuple[int | str, ...], place: Path) -> str:
    """Name a setting, and the variable that sets it or the smallest table around it of which there is a variable."""
    if not loc:
        return f"{place} or the environment"
    named = _named(loc)
    parts = list(takewhile(lambda part: isinstance(part, str) and _VARIABLE.fullmatch(part), loc))
    # Variables of no setting are nobody's, and not looked at.
    if not parts or parts[0] not in Settings.model_fields:
        return f"{named} (in {place})"
    return f"{named} (in {place}, or METERING_{'__'.join(map(str, parts)).upper()})"


def _variable_that_is_no_json(error: SettingsError) -> str:
    """Name the variable: the error names the setting, in quotes, and its cause holds the text, which is not told."""
    whole = f"METERING_{str(error).split(chr(34))[1].upper()}"
    text = getattr(error.__cause__, "doc", None)
    return next((name for name, value in os.environ.items() if name.upper().startswith(whole) and value == text), whole)


def _decimal(text: str) -> Decimal:
    """Read a number of TOML exactly; one whose exponent no arithmetic can hold is none."""
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError("is no number") from None


def _bounded_text(place: Path) -> str:
    with place.open("rb") as file:
        content = file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise MisuseError(f"{place} is longer than {_MOST_BYTES} bytes: no settings are")
    if any(len(line) > _MOST_LINE_BYTES for line in content.splitlines()):
        raise MisuseError(f"{place} has a line of more than {_MOST_LINE_BYTES} bytes: no setting has")
    # Windows' editors begin a file with a mark.
    return content.decode("utf-8-sig")


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)
