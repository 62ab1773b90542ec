"""A small world of facts that a test states row by row, and a meter that holds them."""

import csv
from pathlib import Path

from metering import Meter
from metering.config import Settings
from metering.model.period import instant_seconds, instant_text

GIB = 2**30
GB_MONTH = 2_783_138_807_808_000
LATER = instant_seconds("2026-12-01")

COLUMNS = {
    "samples": ("poll_time", "endpoint", "account", "location", "snapshot", "allocated_size", "drive", "status", "name"),
    "subscriptions": (
        "id", "account", "location", "amount", "start_time", "end_time", "period", "price", "currency", "auto_renew",
    ),
    "prices": ("location", "resource", "currency", "level", "price", "unit", "multiplier", "effective_from"),
    "burst_levels": ("location", "resource", "level", "effective_from"),
    "accounts": ("account", "currency", "name"),
}  # fmt: skip


def polls(start, end, sizes, *, account="A", endpoint="ZRH", location=None, step=300, status="available", drive="d"):
    """Give the samples of polls every `step` seconds over `[start, end)`: `sizes` by snapshot; none is a heartbeat."""
    rows = []
    for poll_s in range(instant_seconds(start), instant_seconds(end), step):
        told = {"poll_time": instant_text(poll_s), "endpoint": endpoint, "account": account, "location": location or endpoint}
        listed = [
            {**told, "snapshot": snapshot, "allocated_size": size, "drive": f"{drive}-{snapshot}", "status": status, "name": "n"}
            for snapshot, size in sizes.items()
        ]
        rows += listed or [told]
    return rows


def price(amount, *, level=1, location="", currency="CHF", since="2020-01-01", unit="GB/month", multiplier=GB_MONTH):
    return {
        "location": location, "resource": "backup", "currency": currency, "level": level, "price": amount, "unit": unit,
        "multiplier": multiplier, "effective_from": since,
    }  # fmt: skip


def subscription(name, amount, start, end, *, account="A", location="ZRH", **more):
    told = {"id": name, "account": account, "location": location, "amount": amount, "start_time": start, "end_time": end}
    return told | more


PRICES = (price("0.105", level=0), price("0.28"))
ACCOUNTS = ({"account": "A", "currency": "CHF", "name": "Müller & <Co>"},)


def write(folder: Path, **tables) -> Path:
    """Write tables of rows as a facts directory of CSV files."""
    folder.mkdir(parents=True, exist_ok=True)
    for table, rows in tables.items():
        with (folder / f"{table}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS[table], restval="")
            writer.writeheader()
            writer.writerows(rows)
    return folder


def meter_of(folder: Path, *, now: int = LATER, prices=PRICES, accounts=ACCOUNTS, settings=None, **tables) -> Meter:
    """Open a meter at the clock `now` with these facts in its store."""
    meter = Meter(Settings(store=str(folder / "store.duckdb"), threads=1, **(settings or {})), clock=lambda: now)
    meter.ingest(write(folder / "facts", prices=prices, accounts=accounts, **tables))
    return meter
