"""Large Parquet files are folded before their rows are looked at: what is kept, rejected and counted is what row by row gives."""

from datetime import timedelta

import polars as pl
import pytest
from faulty import digest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_frames import EPOCH, START_S, frame

from metering import Meter
from metering.config import Settings
from metering.ingest import folds, samples
from metering.model.errors import InputError


def taken(place, first, second, folded_from, at_once=10**6):
    """What two ingests into a new store tell and leave behind, and how many files they folded."""
    folded = []

    def seen(*arguments):
        sql = folds.fold(*arguments)
        folded.append(sql is not None)
        return sql

    told = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(folds, "FOLDED_FROM_ROWS", folded_from)
        patched.setattr(samples, "fold", seen)
        patched.setattr(samples, "FOLDS_AT_ONCE", at_once)
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
    *folded, count = taken(place / "folded.duckdb", *files, 0, at_once=40)
    *row_by_row, none = taken(place / "row.duckdb", *files, 2**62)
    assert (count, none) == (2, 0)
    assert folded == row_by_row


def test_times_that_are_text_are_not_folded(tmp_path):
    rows = {"poll_time": ["2026-10-05T00:00:00Z"], "location": ["ZRH"], "account": ["a"], "snapshot": ["s"], "allocated_size": [1]}
    pl.DataFrame(rows).write_parquet(tmp_path / "samples.parquet")
    pl.DataFrame(rows | {"allocated_size": [2]}).write_parquet(tmp_path / "samples-2.parquet")
    told, _, count = taken(tmp_path / "s.duckdb", tmp_path / "samples.parquet", tmp_path / "samples-2.parquet", 0)
    assert ([one.polls.accepted for one in told], count) == ([1, 0], 0)


def test_many_folds_are_made_runs_in_parts(tmp_path, monkeypatch):
    parts = []

    def made(engine, part_count, make=samples._make_runs):
        parts.append(part_count)
        make(engine, part_count)

    monkeypatch.setattr(samples, "_make_runs", made)
    rows = {"poll_time": EPOCH + timedelta(seconds=START_S), "location": "ZRH", "allocated_size": 1}
    for number in range(2):
        snapshots = [{"account": f"a{i}", "snapshot": f"s{i}", **rows} for i in range(25)]
        pl.DataFrame(snapshots).with_columns(pl.col("poll_time").dt.offset_by(f"{number}d")).write_parquet(
            tmp_path / f"samples-{number}.parquet"
        )
    told, _, _ = taken(tmp_path / "s.duckdb", tmp_path, tmp_path, 0, at_once=20)
    assert [(one.polls.accepted, one.polls.duplicate) for one in told] == [(50, 0), (0, 50)]
    assert parts == [3, 3]
