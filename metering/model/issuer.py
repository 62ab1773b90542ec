"""Who provides the service and who sends the invoices, by name; configuration, as `[focus]` in `metering.toml`."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class IssuerNames(BaseModel):
    """The names that stand on every row of a FOCUS export."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    provider: Annotated[str, Field(min_length=1)] = "CloudSigma"
    invoice_issuer: Annotated[str, Field(min_length=1)] = "CloudSigma"
