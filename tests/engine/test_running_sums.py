"""Running sums, of which levels and usage are made: DuckDB adds them up in the order of rows; here, without SQL."""

import re
from itertools import accumulate, groupby
from operator import itemgetter
from random import Random

import pytest
from hour_facts import sample, write_facts
from hypothesis import given
from hypothesis import strategies as st

import metering
from metering.engine.duckdb import Engine, connect
from metering.model.errors import EngineError
from metering.model.period import instant_text

START_S = 1_767_225_600  # 2026-01-01


@pytest.fixture(scope="module")
def engine():
    connection = connect(":memory:", read_only=False, spill_folder=None)
    yield Engine(connection)
    connection.close()


def added_up(rows):
    """Give rows of key, instant, word, change and count with the next instant of the key and both sums so far, in no way of SQL."""
    found = []
    for _, group in groupby(sorted(rows, key=itemgetter(0, 1)), key=itemgetter(0)):
        own = list(group)
        following = [*(row[1] for row in own[1:]), None]
        sums = zip(accumulate(row[3] for row in own), accumulate(row[4] for row in own), strict=True)
        found += [(*row[:3], after, *both) for row, after, both in zip(own, following, sums, strict=True)]
    return found


def summed(engine, rows):
    columns = {"key": "bigint", "at_s": "bigint", "word": "varchar", "change": "decimal(38, 0)", "number": "bigint"}
    engine.load("changes", columns, rows)
    engine.accumulate("changes", "sums", by="key", along="at_s", sums={"change": "level", "number": "total"})
    read = "select key, at_s, word, next_at_s, cast(level as varchar), cast(total as varchar) from sums order by key, at_s"
    return [(*row[:4], int(row[4]), int(row[5])) for row in engine.sql(read)]


KEYS = st.integers(-3, 3)
INSTANTS = st.integers(-(2**40), 2**40)
# What all of them make together, in any order, must not pass 38 digits.
CHANGES = st.one_of(st.integers(-5, 5), st.integers(-(10**36), 10**36))


@given(
    rows=st.dictionaries(st.tuples(KEYS, INSTANTS), st.tuples(st.sampled_from(["a", "b"]), CHANGES, st.integers(-(2**62), 2**62)))
)
def test_each_row_has_what_was_added_up_until_it_and_who_comes_next(engine, rows):
    told = [(*key, *values) for key, values in rows.items()]
    assert summed(engine, told) == added_up(told)


def test_more_rows_than_a_thread_takes_at_once_stay_in_order_and_thousands_that_end_high_overflow_nothing(engine):
    random = Random(7)
    rows = [(key, 60 * at, "w", random.choice([10**36, -7, 11]), at) for key in range(2_000) for at in range(150)]
    assert sum(row[3] for row in rows) > 10**38
    random.shuffle(rows)
    assert summed(engine, rows) == added_up(rows)


class Forgetful:
    """A connection that keeps no order of rows."""

    def __init__(self, connection):
        self.connection = connection

    def execute(self, text, *parameters):
        return self.connection.execute(re.sub(r" order by .*", "", text), *parameters)


@pytest.mark.parametrize(
    "rows",
    [
        [(1, 60, "w", 5, 0), (1, 0, "w", 7, 0)],
        [(1, 0, "w", 5, 0), (2, 0, "w", 7, 0), (1, 60, "w", 5, 0)],
        [(2, 0, "w", 5, 1), (1, 0, "w", 5, 1), (2, 60, "w", 0, 0)],
    ],
)
def test_rows_that_do_not_lie_in_their_order_are_no_sums(rows):
    connection = connect(":memory:", read_only=False, spill_folder=None)
    engine = Engine(connection)
    assert summed(engine, rows) == added_up(rows)
    engine.connection = Forgetful(connection)
    with pytest.raises(EngineError, match=r"mixed up the order of rows \(sums\)"):
        summed(engine, rows)
    connection.close()


def test_thousands_of_gaps_are_told_apart_however_their_changes_are_added(tmp_path):
    hours = 4_000
    rows = [sample(instant_text(START_S + 3_600 * hour), 5, "s", "a", "ZRH") for hour in range(hours)]
    with metering.open(str(tmp_path / "store.duckdb")) as meter:
        meter.ingest(write_facts(tmp_path / "facts", {"samples": rows}))
        end_s = START_S + 3_600 * hours
        (row,) = meter.bill(f"{instant_text(START_S)}..{instant_text(end_s)}", as_of=instant_text(end_s)).usage
    assert (row.measured_seconds, row.held_seconds, row.missing_seconds) == (hours * 300, hours * 600, hours * 2_700)
    assert row.occupied_byte_seconds == 5 * hours * 900
