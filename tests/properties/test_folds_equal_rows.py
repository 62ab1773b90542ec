"""Large Parquet files are folded before their rows are looked at: what is kept, rejected and counted is what row by row gives."""

from datetime import timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_frames import EPOCH, START_S, frame, ingested

from metering.ingest import folds, samples


def taken(place, files, folded_from, at_once=10**6):
    """What ingests into a new store tell and leave behind, how many files they folded, and whether folds were runs as they are."""
    folded, once = [], []

    def seen(*arguments):
        sql = folds.fold(*arguments)
        folded.append(sql is not None)
        return sql

    def told_once(*arguments):
        once.append(folds.are_told_once(*arguments))
        return once[-1]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(folds, "FOLDED_FROM_ROWS", folded_from)
        patched.setattr(samples, "fold", seen)
        patched.setattr(samples, "are_told_once", told_once)
        patched.setattr(samples, "FOLDS_AT_ONCE", at_once)
        told = ingested(place, files)
    return told, sum(folded), once


@given(seed=st.integers(0, 2**40))
@settings(max_examples=2 * settings.default.max_examples)
def test_folded_or_not_the_same_is_kept_rejected_and_counted(tmp_path_factory, seed):
    place = tmp_path_factory.mktemp("folds")
    left_out = [[], ["drive", "name"], ["endpoint", "drive", "status", "name"]][seed % 3]
    for number in range(2):
        frame(seed + number).drop(left_out).write_parquet(place / f"samples-{number}.parquet")
    files = [place / f"samples-{number}.parquet" for number in range(2)]
    folded, count, _ = taken(place / "folded.duckdb", files, 0, at_once=40)
    row_by_row, none, _ = taken(place / "row.duckdb", files, 2**62)
    assert (count, none) == (2, 0)
    assert folded == row_by_row


def hours(first, count, **columns):
    """Rows of two snapshots every five minutes for some hours, a size each hour."""
    polls = [(first * 12 + poll, snapshot) for poll in range(12 * count) for snapshot in ("s", "t")]
    rows = {
        "poll_time": [EPOCH + timedelta(seconds=START_S + 300 * poll) for poll, _ in polls], "location": "ZRH", "account": "a",
        "snapshot": [snapshot for _, snapshot in polls], "allocated_size": [1 + poll // 12 for poll, _ in polls],
    }  # fmt: skip
    return pl.DataFrame(rows | columns)


LABELS = {"endpoint": "ZRH", "drive": "d", "status": "available", "name": "n"}
# Files of one ingest, and whether what their folds say is told once.
ALIKE = {
    "one file": ([hours(0, 9)], True),
    "every label": ([hours(0, 9, **LABELS)], True),
    "numbers of another type": ([hours(0, 9).cast({"allocated_size": pl.UInt32})], True),
    "files of other blocks": ([hours(4, 4), hours(0, 4)], True),
    "files of one block": ([hours(0, 6), hours(6, 3)], False),
    "a file twice": ([hours(0, 4), hours(0, 4)], False),
    "sizes as text, which say 1 in two ways": ([hours(0, 9, allocated_size=["1", "01"] * 108)], False),
    "a label that is empty or is not there": ([hours(0, 9, name=[None, ""] * 108)], False),
    "a label that only is empty": ([hours(0, 9, name="")], False),
    "a size that is not there": ([hours(0, 9, allocated_size=[None, *[1] * 215])], False),
    "a heartbeat": ([hours(0, 9, snapshot=["", *["s"] * 215], allocated_size=0)], False),
    "columns that nobody asks for": ([hours(0, 9, drive_size=[10, 10, 12] * 72, owner=["a", "b"] * 108)], True),
}  # fmt: skip


@pytest.mark.parametrize("alike", ALIKE)
def test_folds_that_are_told_once_are_runs_as_they_are(tmp_path, alike):
    frames, is_once = ALIKE[alike]
    (tmp_path / "facts").mkdir()
    for number, rows in enumerate(frames):
        rows.write_parquet(tmp_path / "facts" / f"samples-{number}.parquet")
    folded, count, once = taken(tmp_path / "folded.duckdb", [tmp_path / "facts"], 0)
    row_by_row, none, _ = taken(tmp_path / "row.duckdb", [tmp_path / "facts"], 2**62)
    assert (count, none, once) == (len(frames), 0, [is_once])
    assert folded == row_by_row


def test_times_that_are_text_are_not_folded(tmp_path):
    rows = {"poll_time": ["2026-10-05T00:00:00Z"], "location": ["ZRH"], "account": ["a"], "snapshot": ["s"], "allocated_size": [1]}
    pl.DataFrame(rows).write_parquet(tmp_path / "samples.parquet")
    pl.DataFrame(rows | {"allocated_size": [2]}).write_parquet(tmp_path / "samples-2.parquet")
    files = [tmp_path / "samples.parquet", tmp_path / "samples-2.parquet"]
    (told, _), count, _ = taken(tmp_path / "s.duckdb", files, 0)
    assert ([one.polls.accepted for one in told], count) == ([1, 0], 0)


def test_many_folds_are_made_runs_in_parts(tmp_path, monkeypatch):
    parts = []

    def made(engine, part_count, make=samples._make_runs, **more):
        parts.append(part_count)
        make(engine, part_count, **more)

    monkeypatch.setattr(samples, "_make_runs", made)
    rows = {"poll_time": EPOCH + timedelta(seconds=START_S), "location": "ZRH", "allocated_size": 1, "name": ""}
    for number in range(2):
        snapshots = [{"account": f"a{i}", "snapshot": f"s{i}", **rows} for i in range(25)]
        pl.DataFrame(snapshots).with_columns(pl.col("poll_time").dt.offset_by(f"{number}d")).write_parquet(
            tmp_path / f"samples-{number}.parquet"
        )
    (told, _), _, _ = taken(tmp_path / "s.duckdb", [tmp_path, tmp_path], 0, at_once=20)
    assert [(one.polls.accepted, one.polls.duplicate) for one in told] == [(50, 0), (0, 50)]
    assert parts == [3, 3]
