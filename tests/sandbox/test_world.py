"""The world keeps its own books straight, whatever happens in it and however its clock is stepped."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sandbox_help import START_S, account_of, ready_drive, small_world, taken

from metering.sandbox.refusal import Refusal
from metering.sandbox.world_life import seeded_world
from metering.sandbox.world_money import in_units
from metering.sandbox.world_naming import STRATEGIES, clone_name

DAY_S = 86_400


def held(world, instant_s):
    sizes = Counter()
    for snapshot in world.history():
        sizes[snapshot.owner, snapshot.location] += snapshot.size_at(instant_s)
    return {book: size for book, size in sizes.items() if size}


def test_what_is_occupied_is_the_sum_of_the_snapshots_at_every_moment():
    world = seeded_world(3, start_s=START_S, days=2, elsewhere=True)
    seen = []
    for _ in range(40):
        world.advance(4_321)
        now = {book: size for book, size in world.occupied.items() if size}
        assert now == held(world, world.now_s)
        assert sum(s.size for s in world.snapshots.values()) == sum(now.values())
        seen.append((world.now_s, now))
    # The past is as it was.
    assert all(held(world, instant_s) == then for instant_s, then in seen)
    assert any(then for _, then in seen)


def test_the_steps_of_the_clock_change_nothing():
    worlds = [seeded_world(4, start_s=START_S, days=1) for _ in range(2)]
    worlds[0].advance(DAY_S)
    for step in (1, 299, 1, 86_400 - 301 - 7_000, 7_000):
        worlds[1].advance(step)
    one, other = (
        ([(s.uuid, s.changes, s.gone_s) for s in world.history()], dict(world.money.ledger), list(world.money.levels()))
        for world in worlds
    )
    assert one == other
    assert one[0]


def test_the_clock_does_not_go_back():
    world = small_world()
    world.advance(100)
    assert world.advance_to(START_S) == START_S + 100


def test_balances_are_what_the_ledger_says():
    world = seeded_world(6, start_s=START_S, days=1)
    world.advance(DAY_S)
    for book, lines in world.money.ledger.items():
        assert world.money.balance_units[book] == -sum(line.amount_units for line in lines)
    burst = [line for lines in world.money.ledger.values() for line in lines if line.billing_cycle is not None]
    assert burst
    assert all(line.poll_s % 300 == 0 for line in burst)
    assert in_units(world.accounts[next(iter(world.accounts))].credit_limit) == 0


def test_a_snapshot_is_listed_from_its_creation_until_it_is_gone():
    world = small_world()
    snapshot = taken(world, ready_drive(world))
    ann = account_of(world, "ann@example.com")
    world.delete_snapshots(ann, [snapshot])
    gone_s = world.now_s + world.timing.deleting_s
    world.advance(world.timing.deleting_s - 1)
    assert world.listing(ann, "ZRH") == [snapshot]
    world.advance(1)
    assert world.listing(ann, "ZRH") == []
    assert (snapshot.exists_at(gone_s - 1), snapshot.exists_at(gone_s), snapshot.exists_at(snapshot.created_s - 1)) == (
        True,
        False,
        False,
    )


def test_a_drive_that_is_being_made_or_unmade_takes_no_snapshot():
    world = small_world()
    ann = account_of(world, "ann@example.com")
    fresh = world.create_drive(ann, "ZRH", name="fresh", size=2**30)
    with pytest.raises(Refusal, match="creating"):
        world.create_snapshots(ann, "ZRH", [{"drive": fresh.uuid}])
    with pytest.raises(Refusal, match="creating"):
        world.delete_drive(fresh)
    world.advance(5)
    world.delete_drive(fresh)
    with pytest.raises(Refusal, match="deleting"):
        world.create_snapshots(ann, "ZRH", [{"drive": fresh.uuid}])


def test_deleting_twice_is_deleting_once():
    world = small_world()
    drive = ready_drive(world)
    snapshot = taken(world, drive)
    ann = account_of(world, "ann@example.com")
    world.delete_snapshots(ann, [snapshot, snapshot])
    world.delete_snapshots(ann, [snapshot])
    world.delete_drive(drive)
    world.delete_drive(drive)
    world.advance(world.timing.deleting_s)
    assert (world.snapshots, world.drives) == ({}, {})


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=30), st.sampled_from(STRATEGIES), st.integers(0, 4_000_000_000))
def test_a_clones_clone_has_another_name_unless_names_are_kept(name, strategy, now_s):
    once = clone_name(name, strategy, now_s)
    twice = clone_name(once, strategy, now_s)
    assert once.startswith(name.rpartition("_")[0] if strategy != "NONE" else name)
    assert (len({name, once, twice}) == 3) == (strategy != "NONE")
