"""Large Parquet files are folded before their rows are looked at: what is kept, rejected and counted is what row by row gives."""

from datetime import UTC, datetime, timedelta
from random import Random

import polars as pl
import pytest
from faulty import digest
from hypothesis import given, settings
from hypothesis import strategies as st

from metering import Meter
from metering.config import Settings
from metering.ingest import folds
from metering.model.errors import InputError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
START_S = 1_791_158_400


def frame(seed):
    """Rows of a few series over some hours: mostly on time and alike, with everything that a typed file can hold mixed in."""
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


def taken(place, first, second, folded_from):
    """What two ingests into a new store tell and leave behind, and how many files they folded."""
    folded = []

    def seen(*arguments):
        sql = folds.fold(*arguments)
        folded.append(sql is not None)
        return sql

    told = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(folds, "FOLDED_FROM_ROWS", folded_from)
        patched.setattr("metering.ingest.samples.fold", seen)
        with Meter(Settings(store=str(place), threads=1), clock=lambda: START_S + 10**6) as meter:
            for file in (first, second):
                try:
                    told.append(meter.ingest(file))
                except InputError as error:
                    told.append(str(error))
    return told, digest(place) if place.exists() else None, sum(folded)


@given(seed=st.integers(0, 2**40))
@settings(max_examples=2 * settings.default.max_examples)
def test_folded_or_not_the_same_is_kept_rejected_and_counted(tmp_path_factory, seed):
    place = tmp_path_factory.mktemp("folds")
    for number in range(2):
        frame(seed + number).write_parquet(place / f"samples-{number}.parquet")
    files = [place / f"samples-{number}.parquet" for number in range(2)]
    *folded, count = taken(place / "folded.duckdb", *files, 0)
    *row_by_row, none = taken(place / "row.duckdb", *files, 2**62)
    assert (count, none) == (2, 0)
    assert folded == row_by_row


def test_times_that_are_text_are_not_folded(tmp_path):
    rows = {"poll_time": ["2026-10-05T00:00:00Z"], "location": ["ZRH"], "account": ["a"], "snapshot": ["s"], "allocated_size": [1]}
    pl.DataFrame(rows).write_parquet(tmp_path / "samples.parquet")
    pl.DataFrame(rows | {"allocated_size": [2]}).write_parquet(tmp_path / "samples-2.parquet")
    told, _, count = taken(tmp_path / "s.duckdb", tmp_path / "samples.parquet", tmp_path / "samples-2.parquet", 0)
    assert ([one.polls.accepted for one in told], count) == ([1, 0], 0)
