"""What every table of the settings has in common: no unknown name, no truth in the place of a number, lists in two forms."""

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator


class SettingsTable(BaseModel):
    """A table of `metering.toml`; its values never change, and are never told where they are wrong."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth(cls, value: Any) -> Any:
        return without_truth(value)


def without_truth(value: Any) -> Any:
    """Pass on what is neither true nor false, which would be read as the numbers 1 and 0.

    Raises:
        ValueError: it is one of them.
    """
    if isinstance(value, bool):
        raise ValueError("is true or false, and no setting is")  # noqa: TRY004 -- pydantic tells where of a ValueError
    return value


def listed(value: Any) -> Any:
    """Read a list that is text, as a variable of the environment is: `GVA,ZRH`, or JSON.

    Raises:
        ValueError: the text begins as JSON does, and is none.
    """
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except ValueError:
            raise ValueError('is no list: write GVA,ZRH or ["GVA", "ZRH"]') from None
    return [part.strip() for part in value.split(",") if part.strip()]
