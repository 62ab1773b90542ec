"""What the store has already is told by its runs: decided, kept and counted is what looking into every poll gives."""

from dataclasses import asdict
from random import Random

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_frames import START_S, frame, ingested

from metering.ingest import samples


def changed(rows, random):
    """The same rows, or with a few left out, altered, late or new."""
    hit = pl.Series([random.random() < 0.01 for _ in range(len(rows))], dtype=pl.Boolean)
    middle = rows["poll_time"].drop_nulls().sort().gather([rows["poll_time"].count() // 2])[0]
    ways = {
        "same": rows,
        "size": rows.with_columns(pl.col("allocated_size") + hit.cast(pl.Int64)),
        "name": rows.with_columns(pl.when(hit).then(pl.lit("other")).otherwise(pl.col("name")).alias("name")),
        "left out": rows.filter(~hit),
        "second": rows.with_columns(pl.col("poll_time") + pl.duration(seconds=hit.cast(pl.Int64))),
        "later": pl.concat([rows, rows.with_columns(pl.col("poll_time").dt.offset_by("1d"))]),
        "part": rows.filter(pl.col("poll_time") < middle),
    }
    return ways[random.choice([*ways, "same"])]


def parts(seed):
    """Files that come one after the other, the last of which repeats much of what came before."""
    random = Random(seed)
    whole = frame(seed)
    first = changed(whole, random)
    if random.random() < 0.4:
        late = pl.Series([random.random() < random.choice([0.02, 0.5]) for _ in range(len(first))], dtype=pl.Boolean)
        first = [first.filter(~late), first.filter(late)]
    else:
        first = [first]
    return [*first, changed(whole, random), changed(whole, random)]


def told(place, files, *, supersede=False, by_runs=True):
    """What ingests into a new store tell and leave behind, and how many blocks were told by their runs."""
    repeated = 0

    def found(engine, find=samples.find_repeated):
        nonlocal repeated
        find(engine)
        if not by_runs:
            engine.sql("delete from repeated_blocks")
        repeated += engine.scalar("select count(*) from repeated_blocks")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(samples, "find_repeated", found)
        return *ingested(place, files, supersede=supersede), repeated


@given(seed=st.integers(0, 2**40), supersede=st.booleans())
def test_told_by_runs_or_looked_into_the_same_is_kept_and_counted(tmp_path_factory, seed, supersede):
    place = tmp_path_factory.mktemp("repeats")
    files = []
    for number, rows in enumerate(parts(seed)):
        files.append(place / f"samples-{number}.parquet")
        rows.write_parquet(files[-1])
    *by_runs, _ = told(place / "runs.duckdb", files, supersede=supersede)
    *looked_into, none = told(place / "polls.duckdb", files, supersede=supersede, by_runs=False)
    assert none == 0
    assert by_runs == looked_into


def two_snapshots(jitter):
    """Rows of four blocks of polls of two snapshots, whose sizes also come back."""
    seconds = [START_S + poll * 300 + poll * 31 % (jitter + 1) for poll in range(192)]
    times = pl.from_epoch(pl.Series(seconds), time_unit="s").dt.replace_time_zone("UTC")
    sizes = [[1, 1, 2, 3, 3, 3, 1, 1][poll // 5 % 8] for poll in range(192)]
    rows = pl.DataFrame({"poll": range(192), "poll_time": times, "account": "a", "location": "ZRH", "allocated_size": sizes})
    return pl.concat([rows.with_columns(pl.lit(snapshot).alias("snapshot")) for snapshot in ("s", "t")])


SECOND = pl.col("snapshot") == "t"
# What comes again with a difference, and how many of its polls then say something else, in how many blocks.
DIFFERENT = {
    "nothing": (lambda rows: rows.reverse(), 0, 0),
    "a size once": (
        lambda rows: rows.with_columns(pl.col("allocated_size") + (SECOND & (pl.col("poll") == 50)).cast(pl.Int64)),
        1, 1,
    ),
    "a size through a block": (
        lambda rows: rows.with_columns(pl.col("allocated_size") + (SECOND & pl.col("poll").is_between(48, 95)).cast(pl.Int64) * 10),
        48, 1,
    ),
    "a snapshot is not listed once": (lambda rows: rows.filter(~(SECOND & (pl.col("poll") == 50))), 1, 1),
    "a snapshot is not listed in a block": (lambda rows: rows.filter(~(SECOND & pl.col("poll").is_between(48, 95))), 48, 1),
    "a snapshot is listed beside": (
        lambda rows: pl.concat([rows, rows.filter(SECOND & (pl.col("poll") > 143)).with_columns(pl.lit("u").alias("snapshot"))]),
        48, 1,
    ),
    "two sizes trade places": (
        lambda rows: rows.with_columns(
            pl.when(SECOND & pl.col("poll").is_in([49, 50])).then(3 - pl.col("allocated_size")).otherwise(pl.col("allocated_size"))
            .alias("allocated_size")
        ),
        2, 1,
    ),
}  # fmt: skip


def last_of(tmp_path, *frames):
    """What became of the polls of the last of a few files, and how many of its blocks were told by their runs."""
    files = [tmp_path / f"samples-{number}.parquet" for number in range(len(frames))]
    for file, rows in zip(files, frames, strict=True):
        rows.drop("poll").write_parquet(file)
    outcomes, _, repeated = told(tmp_path / "s.duckdb", files)
    return asdict(outcomes[-1].polls), repeated


def polls(**outcomes):
    return dict.fromkeys(("accepted", "duplicate", "conflicting", "rejected", "ignored"), 0) | outcomes


@pytest.mark.parametrize("jitter", [0, 7])
@pytest.mark.parametrize("difference", DIFFERENT)
def test_only_blocks_that_differ_are_looked_into_poll_by_poll(tmp_path, jitter, difference):
    change, conflicting, blocks = DIFFERENT[difference]
    rows = two_snapshots(jitter)
    told_of_last = last_of(tmp_path, rows, change(rows))
    assert told_of_last == (polls(duplicate=192 - conflicting, conflicting=conflicting), 4 - blocks)


def test_polls_of_other_seconds_are_other_polls(tmp_path):
    rows = two_snapshots(0)
    block = pl.col("poll").is_between(48, 95)
    later = rows.with_columns(pl.col("poll_time") + pl.duration(seconds=block.cast(pl.Int64)))
    assert last_of(tmp_path, rows, later) == (polls(accepted=48, duplicate=144), 3)


def test_a_block_with_a_row_that_is_no_sample_is_looked_into(tmp_path):
    rows = two_snapshots(0)
    wrong = rows.filter(SECOND & (pl.col("poll") == 50)).with_columns(allocated_size=pl.lit(-1, pl.Int64), snapshot=pl.lit("u"))
    assert last_of(tmp_path, rows, pl.concat([rows, wrong])) == (polls(duplicate=191, rejected=1), 3)


def test_a_block_with_a_poll_that_came_late_is_looked_into(tmp_path):
    rows = two_snapshots(0).with_columns(allocated_size=pl.lit(7, pl.Int64))
    late = pl.col("poll") == 50
    other = rows.filter(late).with_columns(allocated_size=pl.lit(8, pl.Int64))
    assert last_of(tmp_path, rows.filter(~late), other, rows) == (polls(duplicate=191, conflicting=1), 3)


def test_a_block_with_a_poll_that_is_new_is_looked_into(tmp_path):
    rows = two_snapshots(0).with_columns(allocated_size=pl.lit(7, pl.Int64))
    new = pl.col("poll").is_in([48, 143])
    assert last_of(tmp_path, rows.filter(~new), rows) == (polls(accepted=2, duplicate=190), 2)
