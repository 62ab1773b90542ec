"""What must always hold (ACCOUNTING §9, FAULTS G1 to G13): the product is compared with itself, not with the oracle."""

import os
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from random import Random

from always import (
    QUANTITIES,
    SECONDS,
    assert_alike_but_for_states,
    assert_balanced,
    assert_larger,
    assert_more_entitled,
    assert_parts_add_up,
    assert_statements_add_up,
    larger,
    more_entitled,
    quantities,
    refined,
    spread,
    where,
)
from fact_files import LAYOUTS, write_tables
from hypothesis import assume, given
from hypothesis import strategies as st
from judge import bill, billed, books_of, meter_of, take
from oracle_facts import DAY, bounds, instant, shown
from worlds import FAR, World, written

from metering import Meter
from metering.config import Settings

SEEDS = st.integers(min_value=0, max_value=2**40)
INSTANTS = ("poll_time", "start_time", "end_time", "effective_from")


def clean(seed: int) -> World:
    """A world without anything broken or contradicting, and one that has a bill."""
    return World.random(seed, clean=True)


# --- 1: order, batching, duplicates and format ---


@given(seed=SEEDS, layout=st.sampled_from(LAYOUTS), parts=st.sampled_from([1, 3, 50]))
def test_order_batching_duplicates_and_file_format_change_no_byte(seed, layout, parts):
    world, random = clean(seed), Random(seed)
    with tempfile.TemporaryDirectory() as directory, meter_of(world) as meter:
        for number, tables in enumerate(spread(world, random).commands):
            place = write_tables(Path(directory) / str(number), tables, layout, parts, random)
            first, second = take(meter, place), take(meter, place)
            assert first is None or second.ingest_seq is None, "the same files again add nothing"
        assert bill(meter, world.period, world.as_of) == billed(world)


# --- 2: splitting a period ---


@given(seed=SEEDS, at=st.fractions(0, 1, max_denominator=1000))
def test_the_parts_of_a_period_add_up_to_the_whole(seed, at):
    world = clean(seed)
    start, end = bounds(world.period)
    cut = start + int((end - start) * at)
    # A part that begins in a month after the last poll is refused, not reported as missing.
    assume(start < cut < end and shown(cut)[:7] == shown(start)[:7])
    with tempfile.TemporaryDirectory() as directory, meter_of(world) as meter:
        take(meter, write_tables(Path(directory) / "facts", world.tables))
        whole = bill(meter, world.period, world.as_of)
        parts = [bill(meter, f"{shown(a)}..{shown(b)}", world.as_of) for a, b in ((start, cut), (cut, end))]
    assert_parts_add_up(whole, parts, cut)


# --- 3: parts and wholes ---


@given(seed=SEEDS)
def test_snapshots_hours_days_and_lines_add_up(seed):
    world = clean(seed)
    with tempfile.TemporaryDirectory() as directory, meter_of(world) as meter:
        take(meter, write_tables(Path(directory) / "facts", world.tables))
        whole = bill(meter, world.period, world.as_of)
        if not whole["usage"]:
            return
        reports = {
            (name, by): meter.report_table(name, world.period, by=by, as_of=shown(world.as_of)).documents()
            for name, by in [("snapshots", "snapshot"), ("snapshots", "account,location,day"), ("usage", "account,location,hour"),
                             ("usage", "location"), ("burst", "account,location,hour"), ("statement", None)]
        }  # fmt: skip
    occupied = Counter({where(row): int(row["occupied_byte_seconds"]) for row in whole["usage"]})
    for name, by in [("snapshots", "snapshot"), ("snapshots", "account,location,day"), ("usage", "account,location,hour")]:
        added = Counter()
        for row in reports[name, by]:
            added[where(row)] += int(row["occupied_byte_seconds"])
        assert +added == +occupied, (name, by)
    assert sum(int(row["occupied_byte_seconds"]) for row in reports["usage", "location"]) == occupied.total()
    assert_statements_add_up(whole)
    for row in whole["statements"]:
        shown_amounts = [
            Fraction(line["shown_amount"]) for line in reports["statement", None]
            if line["account"] == row["account"] and line["kind"] == "burst" and line["shown_amount"] is not None
        ]  # fmt: skip
        if row["state"] == "draft":
            assert sum(shown_amounts) == Fraction(row["amount_due"])
    hours, lines = Counter(), Counter()
    for into, rows in ((hours, reports["burst", "account,location,hour"]), (lines, whole["lines"])):
        for row in rows:
            into[where(row)] += Fraction(row["amount"] or 0)
    if all(row["amount"] is not None for row in whole["lines"]):
        assert +hours == +lines


@given(seed=SEEDS)
def test_each_second_is_in_one_state_and_no_row_is_lost(seed):
    world = World.random(seed)
    _, taken = books_of(world)
    with tempfile.TemporaryDirectory() as directory, meter_of(world) as meter:
        for number, tables in enumerate(world.commands):
            outcome = take(meter, write_tables(Path(directory) / str(number), tables), supersede=number in world.supersede)
            if outcome is None or not tables.get("samples"):
                continue
            polls = {name: getattr(outcome.polls, name) for name in ("accepted", "duplicate", "conflicting", "rejected")}
            assert +Counter(polls) == +taken[number].polls
            if not tables.get("captures"):
                rows = outcome.tables["samples"]
                assert rows.total == len(tables["samples"])
                assert (rows.accepted, rows.duplicate) == (taken[number].rows["accepted"], taken[number].rows["duplicate"])
            for table, total in outcome.tables.items():
                if table != "samples":
                    assert total.total == len(tables[table])
        document = bill(meter, world.period, world.as_of)
    start, end = bounds(world.period)
    for row in document["usage"]:
        assert 0 < sum(row[name] for name in SECONDS) <= min(end, world.as_of) - start


# --- 4, 5: monotone and bounded ---


@given(seed=SEEDS)
def test_more_entitlement_never_raises_burst_and_a_larger_snapshot_never_lowers_occupied(seed):
    world, random = clean(seed), Random(seed)
    before = billed(world)
    assert_more_entitled(before, billed(more_entitled(world, list(quantities(before)), random)))
    assert_larger(before, billed(larger(world, random)))


@given(seed=SEEDS)
def test_burst_lies_between_its_bounds_and_the_balance_is_exact(seed):
    assert_balanced(billed(World.random(seed)))


# --- 6: refinement ---


@given(seed=SEEDS)
def test_repeating_a_value_inside_observed_time_changes_only_the_state_of_the_time(seed):
    world = clean(seed)
    assert_alike_but_for_states(billed(world), billed(refined(world, Random(seed))))


# --- 7: isolation ---


@given(seed=SEEDS)
def test_the_facts_of_other_accounts_change_nothing(seed):
    world = clean(seed)
    document = billed(world)
    accounts = {row["account"] for row in document["usage"]}
    assume(accounts)
    alone = min(accounts)
    own = {name: [row for row in rows if row.get("account", alone) == alone] for name, rows in world.tables.items()}
    left = billed(world.having(**own))
    assert left == {name: [row for row in rows if row["account"] == alone] for name, rows in document.items()}


# --- 8, G13: threads, time zone, one store or another ---


@contextmanager
def time_zone(name):
    before = os.environ.get("TZ")
    os.environ["TZ"] = name
    time.tzset()
    try:
        yield
    finally:
        os.environ.pop("TZ") if before is None else os.environ.update(TZ=before)
        time.tzset()


@given(seed=SEEDS, zone=st.sampled_from(["Pacific/Kiritimati", "America/St_Johns", "Europe/Zurich"]))
def test_time_zone_threads_and_a_store_on_disk_change_no_byte(seed, zone):
    world = clean(seed)
    expected = billed(world)
    with tempfile.TemporaryDirectory() as directory, time_zone(zone):
        settings = Settings(store=f"{directory}/a store.duckdb", cycle=world.cycle, max_hold=world.max_hold, threads=4)
        with Meter(settings, clock=lambda: world.now) as meter:
            take(meter, write_tables(Path(directory) / "facts", world.tables, "parquet", 7))
        with Meter(settings, clock=lambda: FAR) as meter:
            assert bill(meter, world.period, world.as_of) == expected


# --- G8, G11: scaling, shifting, renaming ---


@given(seed=SEEDS, days=st.integers(-400, 4000), factor=st.sampled_from([2, 3, 1024]))
def test_scaling_sizes_scales_usage_and_shifting_by_whole_days_shifts_it(seed, days, factor):
    world = clean(seed)
    bounded = [row | {"allocated_size": str(int(row["allocated_size"] or 0) % 2**50)} for row in world.tables["samples"]]
    plain = [row for row in world.tables["subscriptions"] if not row["period"]]
    start, end = bounds(world.period)
    world = replace(world.having(samples=bounded, subscriptions=plain), period=f"{shown(start)}..{shown(end)}")
    before = quantities(billed(world), (*QUANTITIES, "peak_occupied_bytes"))
    larger = world.having(
        samples=[row | {"allocated_size": str(int(row["allocated_size"]) * factor)} for row in bounded],
        subscriptions=[row | {"amount": str(int(row["amount"]) * factor)} for row in plain],
    )
    scaled = quantities(billed(larger), (*QUANTITIES, "peak_occupied_bytes"))
    assert scaled == {key: tuple(factor * value for value in values) for key, values in before.items()}
    moved = {
        table: [
            row | {name: written(instant(row[name]) + days * DAY) for name in INSTANTS if row.get(name)}
            for row in rows
            if all(instant(row[name]) + days * DAY >= 0 for name in INSTANTS if row.get(name))
        ]
        for table, rows in world.tables.items()
    }
    period = f"{shown(start + days * DAY)}..{shown(end + days * DAY)}"
    shifted = replace(world.having(**moved), period=period, as_of=world.as_of + days * DAY, now=world.now + days * DAY)
    after = quantities(billed(shifted), (*QUANTITIES, "peak_occupied_bytes"))
    # Whether a silent month is refused or reported as missing depends on the calendar; its quantities are zero in any case.
    assert {key: values for key, values in after.items() if any(values)} == {key: v for key, v in before.items() if any(v)}


@given(seed=SEEDS)
def test_renaming_accounts_snapshots_and_places_permutes_results_only(seed):
    world = clean(seed)
    names = sorted({row["account"] for rows in world.tables.values() for row in rows if row.get("account")})
    account_of = dict(zip(names, [f"account {number:03}" for number in range(len(names), 0, -1)], strict=True))
    # A prefix keeps the order of endpoints, which decides where a snapshot counts that several of them list.
    place_of = {name: f"X{name}" for name in {row.get("location") or "" for rows in world.tables.values() for row in rows}} | {
        "": ""
    }
    snapshot_of = {row["snapshot"]: row["snapshot"][::-1] + "'" for row in world.tables["samples"] if row["snapshot"]} | {"": ""}
    assume(len(set(snapshot_of.values())) == len(snapshot_of))

    def renamed(row):
        new = dict(row)
        if "account" in row:
            new["account"] = account_of[row["account"]]
        if "location" in row:
            new["location"] = place_of[row["location"]]
        if "snapshot" in row:
            new |= {"snapshot": snapshot_of[row["snapshot"]], "endpoint": f"X{row['endpoint']}" if row["endpoint"] else ""}
        return new

    document = billed(world)
    other = billed(world.having(**{table: [renamed(row) for row in rows] for table, rows in world.tables.items()}))

    def named(row):
        return row | {"account": account_of[row["account"]]} | ({"location": f"X{row['location']}"} if "location" in row else {})

    for part, rows in document.items():
        assert sorted(map(named, rows), key=repr) == sorted(other[part], key=repr), part
