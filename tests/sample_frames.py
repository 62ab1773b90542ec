"""Polls of a few series as a frame, mostly on time and alike, with what a typed file can hold mixed in; and ingests of such."""

from datetime import UTC, datetime, timedelta
from random import Random

import polars as pl
from faulty import digest

from metering import Meter
from metering.config import Settings
from metering.model.errors import InputError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
START_S = 1_791_158_400


def frame(seed):
    """Rows of a few series over some hours, from a seed."""
    random = Random(seed)
    hostile = random.choice([0, 0, 0.01, 0.1])
    jitter = random.choice([0, 0, 7, 200])
    begin = START_S + random.choice([0, -14_400, -START_S - 7_000])
    rows = []
    for series in range(random.randint(1, 6)):
        size, name = random.choice([0, 5, 2**40]), random.choice(["", "daily"])
        account, drive = random.choice(["a", "b"]), random.choice(["", "d"])
        for poll in range(random.randint(1, 120)):
            if random.random() < 0.1:
                size += random.choice([1, 4096])
            second = begin + poll * 300 + random.randint(0, jitter)
            endpoint = random.choice(["", "ZRH"]) if hostile else "ZRH"
            row = [second, account, "ZRH", f"s{series}", size, endpoint, drive, "available", name]
            if random.random() < hostile:
                field = random.randrange(len(row))
                wrong = {0: None, 4: random.choice([None, -1])}
                row[field] = wrong.get(field, random.choice([None, "", "x" * 129, "a\u200bb", "GVA"]))
            rows += [row] * random.choice([1] * 50 + [2])
    if random.random() < 0.3:
        rows += [[begin + poll * 300, "c", "GVA", "", 0, "GVA", "", "", ""] for poll in range(60)]
    random.shuffle(rows)
    if random.random() < 0.5:
        rows.sort(key=str)
    columns = ("poll_time", "account", "location", "snapshot", "allocated_size", "endpoint", "drive", "status", "name")
    data = {column: [row[i] for row in rows] for i, column in enumerate(columns)}
    data["poll_time"] = [None if s is None else EPOCH + timedelta(seconds=s, milliseconds=s % 1000) for s in data["poll_time"]]
    types = dict.fromkeys(columns, pl.String) | {"poll_time": pl.Datetime("us", "UTC"), "allocated_size": pl.Int64}
    return pl.DataFrame(data, schema=types)


def ingested(place, files, *, supersede=False):
    """What ingests of files, one after the other, into a new store tell, and a digest of what they leave behind."""
    told = []
    with Meter(Settings(store=str(place), threads=1), clock=lambda: START_S + 10**6) as meter:
        for file in files:
            try:
                told.append(meter.ingest(file, supersede=supersede))
            except InputError as error:
                told.append(str(error))
    return told, digest(place) if place.exists() else None
