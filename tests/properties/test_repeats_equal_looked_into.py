"""What the store has already is told by its runs: decided, kept and counted is what looking into every poll gives."""

from random import Random

import polars as pl
import pytest
from faulty import digest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_frames import START_S, frame

from metering import Meter
from metering.config import Settings
from metering.ingest import samples
from metering.model.errors import InputError


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
    repeated, outcomes = 0, []

    def found(engine, find=samples.find_repeated):
        nonlocal repeated
        find(engine)
        if not by_runs:
            engine.sql("delete from repeated_blocks")
        repeated += engine.scalar("select count(*) from repeated_blocks")

    with (
        pytest.MonkeyPatch.context() as patched,
        Meter(Settings(store=str(place), threads=1), clock=lambda: START_S + 10**6) as meter,
    ):
        patched.setattr(samples, "find_repeated", found)
        for file in files:
            try:
                outcomes.append(meter.ingest(file, supersede=supersede))
            except InputError as error:
                outcomes.append(str(error))
    return outcomes, digest(place) if place.exists() else None, repeated


@given(seed=st.integers(0, 2**40), supersede=st.booleans())
@settings(max_examples=2 * settings.default.max_examples)
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


@pytest.mark.parametrize("jitter", [0, 7])
def test_facts_that_come_again_are_not_looked_into_poll_by_poll(tmp_path, jitter):
    seconds = [START_S + poll * 300 + poll * 31 % (jitter + 1) for poll in range(192)]
    sizes = [[1, 1, 2, 3, 3, 3, 1, 1][poll // 5 % 8] for poll in range(192)]
    times = pl.from_epoch(pl.Series(seconds), time_unit="s").dt.replace_time_zone("UTC")
    rows = pl.DataFrame({"poll_time": times, "account": "a", "location": "ZRH", "snapshot": "s", "allocated_size": sizes})
    rows.write_parquet(tmp_path / "samples.parquet")
    rows.reverse().write_parquet(tmp_path / "samples-again.parquet")
    outcomes, _, repeated = told(tmp_path / "s.duckdb", [tmp_path / "samples.parquet", tmp_path / "samples-again.parquet"])
    assert [(one.polls.accepted, one.polls.duplicate) for one in outcomes] == [(192, 0), (0, 192)]
    assert repeated == 192 // 48
