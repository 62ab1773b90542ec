"""What an audit puts up with before it speaks; configuration, as `[audit]` in `metering.toml`."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class AuditLimits(BaseModel):
    """The limits of the checks; durations are in whole seconds, factors and percents whole numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    stuck_seconds: Annotated[int, Field(ge=1)] = 86_400
    skew_seconds: Annotated[int, Field(ge=0)] = 60
    growth_factor: Annotated[int, Field(ge=1)] = 10
    price_factor: Annotated[int, Field(ge=1)] = 3
    expiry_seconds: Annotated[int, Field(ge=1)] = 14 * 86_400
    used_percent: Annotated[int, Field(ge=0, le=100)] = 10
