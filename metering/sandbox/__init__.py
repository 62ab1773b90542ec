"""The emulated provider: a world with state, and a server that shows it. Imports nothing of the pipeline but its model."""

from typing import TYPE_CHECKING, Any

from metering.sandbox.world import World
from metering.sandbox.world_things import Timing

if TYPE_CHECKING:
    from metering.sandbox.server import Running, running
    from metering.sandbox.server_faults import Faults

__all__ = ["Faults", "Running", "Timing", "World", "running"]


def __getattr__(name: str) -> Any:
    if name in ("Running", "running"):
        from metering.sandbox import server  # noqa: PLC0415 -- the world needs no server, and no extra

        return getattr(server, name)
    if name == "Faults":
        from metering.sandbox.server_faults import Faults  # noqa: PLC0415 -- likewise

        return Faults
    raise AttributeError(f"module 'metering.sandbox' has no attribute {name!r}")
