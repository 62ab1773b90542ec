"""What an audit puts up with before it speaks, and how much may be read at once; configuration, `[audit]` and `[limits]`."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from metering.model.settings import SettingsTable

_MIB = 2**20
_GIB = 2**30
# What a capture says beside the response: when, where, whose.
_HEAD_BYTES = 64 * 2**10


class AuditLimits(SettingsTable):
    """The limits of the checks; durations are in whole seconds, factors and percents whole numbers."""

    stuck_seconds: Annotated[int, Field(ge=1)] = 86_400
    skew_seconds: Annotated[int, Field(ge=0)] = 60
    growth_factor: Annotated[int, Field(ge=1)] = 10
    price_factor: Annotated[int, Field(ge=1)] = 3
    expiry_seconds: Annotated[int, Field(ge=1)] = 14 * 86_400
    used_percent: Annotated[int, Field(ge=0, le=100)] = 10


class ReadingLimits(SettingsTable):
    """The bounds of what comes from outside: beyond them is refused and said, never read into memory, never half taken.

    Each is far above what anybody means, and far below what a machine cannot bear. Sizes are of what is unfolded, not of what
    travels or lies packed.
    """

    files: Annotated[int, Field(ge=1)] = 100_000
    columns: Annotated[int, Field(ge=16, le=10_000)] = 1_000
    unpacked_bytes: Annotated[int, Field(ge=1_024)] = 32 * _GIB
    line_bytes: Annotated[int, Field(ge=1_024, le=16 * _MIB)] = 2 * _MIB
    # A line may be a whole listing of some 100 000 snapshots.
    listing_bytes: Annotated[int, Field(ge=1_024, le=_GIB)] = 128 * _MIB
    response_bytes: Annotated[int, Field(ge=1_024, le=_GIB)] = 64 * _MIB
    objects: Annotated[int, Field(ge=1)] = 200_000
    depth: Annotated[int, Field(ge=4, le=200)] = 32
    # Byte-seconds of a number of 30 digits still fit the 38 that are counted with.
    digits: Annotated[int, Field(ge=1, le=30)] = 30
    rejections: Annotated[int, Field(ge=1)] = 100_000
    # Rows of subscriptions, prices and the like are compared in memory: 300 000 took 690 MB.
    facts: Annotated[int, Field(ge=1)] = 400_000

    @model_validator(mode="after")
    def _what_comes_can_be_kept(self) -> Self:
        if self.response_bytes + _HEAD_BYTES > self.listing_bytes:
            raise ValueError(
                f"response_bytes is {self.response_bytes}, and listing_bytes {self.listing_bytes}: what is collected could not be "
                f"taken in; let listing_bytes be larger by {_HEAD_BYTES} or more"
            )
        return self


def raised_by(name: str) -> str:
    """Say how a limit is raised, for the message of what went beyond it."""
    return f"limits.{name} (METERING_LIMITS__{name.upper()}) raises it"


DEFAULT_LIMITS = ReadingLimits()
