"""Settings: `metering.toml` (or `--config`), overridden by environment variables that begin with METERING_."""

import tomllib
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from metering.billing.money import plain_decimal
from metering.billing.subscriptions import DISCOUNTS, Discounts
from metering.books.closings import ClosingSettings
from metering.ingest.targets import AccountSettings, CollectSettings, EndpointSettings, Targets, assert_targets_fit
from metering.model.clock import Clock
from metering.model.errors import MisuseError
from metering.model.issuer import IssuerNames
from metering.model.limits import AuditLimits, ReadingLimits
from metering.model.terms import parse_term

CONFIG_FILE = "metering.toml"
# The parser's time grows with the square of a key's dots: what is longer than any setting is not given to it.
_MOST_BYTES, _MOST_LINE_BYTES = 2**18, 4_096
# Decimals of a share: 1e-999999 is a number too, and would be written out.
_MOST_PLACES = 20


class SparkSettings(BaseModel):
    """Where Spark is, and properties of its own (`spark.executor.memory`), for `--engine spark`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    master: Annotated[str, Field(min_length=1)] = "local[*]"
    conf: dict[str, str] = {}


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

    store: str = "metering.duckdb"
    store_wait: Annotated[int, Field(ge=0, le=86_400)] = 30
    cycle: Annotated[int, Field(ge=1, le=86_400)] = 300
    max_hold: Annotated[int, Field(ge=1, le=31 * 86_400)] = 900
    missing_tolerance: Annotated[Decimal, Field(ge=0, le=1, allow_inf_nan=False, decimal_places=_MOST_PLACES)] = Decimal("0.01")
    by: Annotated[str, Field(min_length=1)] | None = None
    locations: Annotated[frozenset[str], NoDecode] = frozenset({"GVA", "ZRH", "FRA", "CWL", "LON", "DUB"})
    discounts: dict[str, Annotated[Decimal, Field(ge=0, lt=1, decimal_places=_MOST_PLACES)]] = {
        term.text: plain_decimal(rate) or Decimal(0) for term, rate in DISCOUNTS
    }
    memory: Annotated[str, Field(pattern=r"^[0-9]+(MB|GB)$")] = "1200MB"
    threads: Annotated[int, Field(ge=1, le=1024)] | None = None
    engine: Literal["duckdb", "spark"] = "duckdb"
    spark: SparkSettings = SparkSettings()
    endpoints: dict[str, EndpointSettings] = {}
    accounts: dict[str, AccountSettings] = {}
    collect: CollectSettings = CollectSettings()
    audit: AuditLimits = AuditLimits()
    limits: ReadingLimits = ReadingLimits()
    focus: IssuerNames = IssuerNames()

    @field_validator("locations", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return [code.strip() for code in value.split(",")] if isinstance(value, str) else value

    @field_validator("discounts")
    @classmethod
    def _name_lengths(cls, value: dict[str, Decimal]) -> dict[str, Decimal]:
        for length in value:
            try:
                parse_term(length)
            except ValueError as error:
                raise ValueError(f"{length!r} {error}") from None
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
        """The settings that can change what is frozen."""
        return ClosingSettings(self.clock, self.locations, format(self.missing_tolerance, "f"))

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment override the file, whose values come as arguments."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings


# What pydantic would say in its own words.
_PLAINLY = {"extra_forbidden": "there is no such setting; is it spelled right?", "missing": "is missing"}


def load_settings(path: Path | None = None) -> Settings:
    """Read the settings: a named file must be there, `metering.toml` in the working directory may.

    Raises:
        MisuseError: the file is not there, is no TOML, or a setting is unknown or wrong.
    """
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
        # Of a name that is wrong and one that is missing, the wrong one is the reason.
        first = min(error.errors(include_url=False, include_input=False), key=lambda each: each["type"] != "extra_forbidden")
        parts = [_printable(str(part)) for part in first["loc"]]
        variable = "__".join(parts).upper()
        where = f"{'.'.join(parts)} (in {place}, or METERING_{variable})" if parts else f"{place} or the environment"
        said = _PLAINLY.get(first["type"], first["msg"].removeprefix("Value error, "))
        raise MisuseError(f"{where}: {said}") from None
    except SettingsError as error:
        variable = f"METERING_{str(error).split(chr(34))[1].upper()}"  # it names the field, in quotes, and no more
        raise MisuseError(f"{variable} is no JSON: set its parts one by one, as {variable}__NAME, or in {place}") from None
    except RecursionError:
        raise MisuseError(f"{place} or the environment is nested too deeply: no setting is") from None
    except ValueError:
        raise MisuseError(f"{place} is no TOML: a number in it is larger or smaller than any") from None


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
    return content.decode("utf-8")


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)
