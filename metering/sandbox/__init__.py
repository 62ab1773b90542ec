"""The emulated provider: a world with state, and a server that shows it. Imports nothing of the pipeline but its model.

A world is stepped, served, broken and billed from a test or a notebook alike:

    world = seeded_world(7, start_s=1_790_812_800, days=7, accounts=2)   # or World(), and your own accounts and drives
    with running(world) as sandbox:
        sandbox.faults.add("hang", location="GVA", times=3)               # server_faults.KINDS says what there is
        for _ in range(7 * 288):
            sandbox.advance(300)                                          # then ask sandbox.endpoint("ZRH")
    world_bill(world, start_s, end_s, polls=polls)                        # what is owed, known without the pipeline

`world_*` know nothing of HTTP, `server_*` nothing of billing. How each thing behaves is in PROVIDER.md's words; where those are
silent: what is not in a fit state for a call is refused with 403 `permission`, an unknown object with 404 `notexist`, a field with
400 `validation`; a location's API lists what was taken there, and its money side bills what is stored there; a ledger line
charges what is held when the provider looks until it looks again; a deleted drive's snapshots keep their size.
"""

from typing import TYPE_CHECKING, Any

from metering.sandbox.world import World
from metering.sandbox.world_bill import world_bill
from metering.sandbox.world_life import seeded_world
from metering.sandbox.world_things import Timing

if TYPE_CHECKING:
    from metering.sandbox.server import Running, running
    from metering.sandbox.server_faults import Faults

__all__ = ["Faults", "Running", "Timing", "World", "running", "seeded_world", "world_bill"]


def __getattr__(name: str) -> Any:
    if name in ("Running", "running"):
        from metering.sandbox import server  # noqa: PLC0415 -- the world needs no server, and no extra

        return getattr(server, name)
    if name == "Faults":
        from metering.sandbox.server_faults import Faults  # noqa: PLC0415 -- likewise

        return Faults
    raise AttributeError(f"module 'metering.sandbox' has no attribute {name!r}")
