"""The drives and snapshots that occupied most, summed where they are many and read where they are few."""

from metering.billing.usage import Computation
from metering.engine.duckdb import Engine
from metering.model.tables import Table, columns_of
from metering.reporting.observed import forget_observed, observe


def tops(engine: Engine, computation: Computation, account: str | None, most: int) -> tuple[Table, Table]:
    """Give the drives and the snapshots of a computed period that occupied most, of one account or of all."""
    observe(engine, computation, account)
    engine.create("reports/snapshot_days", computation.parameters)
    drives = columns_of(account="text", location="text", drive="text", snapshot_count="count", occupied_byte_seconds="byte_seconds")
    snapshots = columns_of(
        account="text", location="text", snapshot="text", drive="text", name="text", status="text",
        occupied_byte_seconds="byte_seconds", peak_occupied_bytes="bytes", last_occupied_bytes="bytes", last_poll="instant",
    )  # fmt: skip
    found = (
        Table("top drives", drives, [
            (row["account"], row["location"], row["drive"], row["snapshot_count"], int(row["occupied_byte_seconds"]))
            for row in engine.rows("reports/top_drives", {"most": most})
        ]),
        Table("top snapshots", snapshots, [
            (row["account"], row["location"], row["snapshot"], row["drive"], row["name"], row["status"],
             int(row["occupied_byte_seconds"]), row["peak_occupied_bytes"], row["last_occupied_bytes"], row["last_poll_s"])
            for row in engine.rows("reports/top_snapshots", {"most": most})
        ]),
    )  # fmt: skip
    engine.drop("snapshot_days")
    forget_observed(engine)
    return found
