"""Meters and bills remote snapshots by the capacity they occupy: exact, repeatable, explainable.

>>> import metering
>>> with metering.open(":memory:") as meter:  # doctest: +SKIP
...     meter.ingest("sample_data")
...     bill = meter.bill("2026-10")
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from metering.api import Meter

__version__ = "0.1.0"
__all__ = ["Meter", "__version__", "open"]


def open(store: str | None = None, **settings: Any) -> "Meter":  # noqa: A001 -- metering.open is the promised name
    """Open a store (a DuckDB file, or `:memory:`) for the same operations as the command line has.

    Args:
        store: the file; made by the first ingest. Unless given, as `metering.toml` and METERING_STORE say.
        **settings: what `metering.toml` may say too, such as `cycle=300`; above it and the environment. Of a table, what is not
            given stays as it is there.

    Raises:
        metering.model.errors.MisuseError: a setting is unknown or wrong.
    """
    from metering.api import Meter  # noqa: PLC0415 -- importing the package must stay cheap

    return Meter.opened(store, **settings)


def __getattr__(name: str) -> Any:
    if name == "Meter":
        from metering.api import Meter  # noqa: PLC0415 -- importing the package must stay cheap

        return Meter
    raise AttributeError(f"module 'metering' has no attribute {name!r}")
