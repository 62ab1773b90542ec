"""Who provides the service and who sends the invoices, by name; configuration, as `[focus]` in `metering.toml`."""

from typing import Annotated

from pydantic import Field

from metering.model.settings import SettingsTable


class IssuerNames(SettingsTable):
    """The names that stand on every row of a FOCUS export."""

    provider: Annotated[str, Field(min_length=1)] = "CloudSigma"
    invoice_issuer: Annotated[str, Field(min_length=1)] = "CloudSigma"
