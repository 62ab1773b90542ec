"""What subscriptions cover, added up by the query and step by step: the same, whatever overlaps, begins and ends."""

import random
from collections import defaultdict
from itertools import pairwise

import duckdb
import pytest

from metering.engine.queries import load_query

DAY = 86_400
TABLES = (
    "create table known_subscriptions (location varchar, id varchar, account varchar, amount decimal(38, 0), start_s bigint, "
    "end_s bigint)",
    "create table usage_steps (unit_key bigint, account varchar, location varchar, starts_at_s bigint, ends_at_s bigint, "
    "step_seconds bigint, occupied_bytes decimal(38, 0), state varchar, rate_key bigint)",
)


def world(seed: int):
    """Make up four days of three units: subscriptions at random, and steps that are cut wherever one begins or ends."""
    dice = random.Random(seed)
    subscriptions, steps = [], []
    for unit_key, (account, location) in enumerate((("A", "GVA"), ("A", "ZRH"), ("B", "ZRH"))):
        cuts = {*range(0, 4 * DAY + 1, DAY), *(dice.randrange(4 * DAY) for _ in range(24))}
        for i in range(dice.randrange(9)):
            start_s = dice.choice([dice.randrange(-2 * DAY, 4 * DAY), dice.randrange(-2, 4) * DAY])
            end_s = start_s + dice.choice([1, DAY, dice.randrange(1, 4 * DAY)])
            amount = dice.choice([0, 10, dice.randrange(30), 10**29])
            subscriptions.append((location, f"{dice.randrange(3)}-{i}", account, amount, start_s, end_s))
            cuts |= {start_s, end_s}
        ends = sorted(cut for cut in cuts if 0 <= cut <= 4 * DAY)
        for start_s, end_s in pairwise(ends):
            state, size = (
                dice.choice(["measured", "held", "missing"]),
                dice.choice([0, 10, 20, dice.randrange(60), dice.randrange(60), 10**24]),
            )
            steps.append((unit_key, account, location, start_s, end_s, end_s - start_s, size, state, dice.randrange(2)))
    return subscriptions, steps


@pytest.mark.parametrize("seed", range(12))
def test_what_subscriptions_cover_is_what_they_cover_step_by_step(seed):
    subscriptions, steps = world(seed)
    connection = duckdb.connect()
    for table, rows in zip(TABLES, (subscriptions, steps), strict=True):
        connection.execute(table)
        if rows:
            connection.executemany(f"insert into {table.split()[2]} values ({', '.join('?' * len(rows[0]))})", rows)
    covered: defaultdict[tuple, int] = defaultdict(int)
    for _, account, location, start_s, end_s, seconds, size, state, rate_key in steps:
        left = size if state != "missing" else 0
        for where, name, whose, amount, from_s, until_s in sorted(subscriptions, key=lambda row: (row[4], row[1])):
            if (whose, where) == (account, location) and from_s <= start_s and end_s <= until_s and min(left, amount):
                covered[account, location, name, start_s - start_s % DAY, rate_key] += min(left, amount) * seconds
                left -= min(left, amount)
    found = connection.execute(load_query("focus/covered_usage").sql).fetchall()
    assert [(*row[:-1], int(row[-1])) for row in found] == sorted((*key, byte_seconds) for key, byte_seconds in covered.items())
