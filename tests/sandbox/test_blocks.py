"""Sizes by copy-on-write are those of a model that keeps every snapshot's whole content and compares."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sandbox_help import MIB, ready_drive, small_world, taken

from metering.sandbox.world_blocks import Blocks

BLOCKS = 6
BLOCK_BYTES = 10
# The last block is shorter.
SIZE = BLOCKS * BLOCK_BYTES - 3

writes = st.tuples(st.just("write"), st.lists(st.integers(0, BLOCKS - 1), max_size=BLOCKS))
takes = st.tuples(st.just("take"), st.just(0))
drops = st.tuples(st.just("drop"), st.integers(0, 9))


class WholeCopies:
    """The slow model: a snapshot is a copy of all block contents, each content a number of its own."""

    def __init__(self):
        self.drive = [0] * BLOCKS
        self.copies = {}
        self.last = 0

    def write(self, blocks):
        for block in blocks:
            self.last += 1
            self.drive[block] = self.last

    def size(self, number):
        """Bytes of the contents that the drive has no more, and that no newer snapshot has to keep anyway."""
        copy = self.copies[number]
        newer = [other for taken, other in self.copies.items() if taken > number]
        return sum(
            min(BLOCK_BYTES, SIZE - block * BLOCK_BYTES)
            for block in range(BLOCKS)
            if copy[block] != self.drive[block] and all(other[block] != copy[block] for other in newer)
        )


@settings(max_examples=int(os.environ.get("METERING_EXAMPLES", "150")), deadline=None)
@given(st.lists(st.one_of(writes, takes, drops), max_size=40))
def test_sizes_equal_those_of_whole_copies(steps):
    blocks, model = Blocks(SIZE, BLOCK_BYTES), WholeCopies()
    for step, what in steps:
        before = {number: model.size(number) for number in model.copies}
        changed = None
        if step == "write":
            changed = blocks.write(what)
            model.write(what)
        elif step == "take":
            number = blocks.take()
            model.copies[number] = list(model.drive)
        elif model.copies:
            number = sorted(model.copies)[what % len(model.copies)]
            changed = blocks.drop(number)
            del model.copies[number]
        sizes = {number: model.size(number) for number in model.copies}
        assert {number: blocks.held_bytes(number) for number in model.copies} == sizes
        resized = {number for number in before if number in sizes and sizes[number] != before[number]}
        assert resized <= {changed}


def test_a_snapshot_of_a_drive_that_does_not_change_stays_empty():
    world = small_world()
    drive = ready_drive(world)
    snapshot = taken(world, drive)
    world.advance(86_400)
    assert snapshot.size == 0


def test_an_overwritten_block_is_kept_once_and_passes_to_the_older_snapshot():
    world = small_world()
    drive = ready_drive(world)
    world.write(drive, range(10))
    older = taken(world, drive)
    world.write(drive, range(3))
    world.advance(1_800)
    newer = taken(world, drive)
    world.write(drive, range(5))
    assert (older.size, newer.size) == (3 * MIB, 5 * MIB)
    world.write(drive, range(5))
    assert (older.size, newer.size) == (3 * MIB, 5 * MIB)
    world.delete_snapshots(world.accounts[drive.owner], [newer])
    assert (newer.status, newer.size, older.size) == ("deleting", 5 * MIB, 3 * MIB)
    world.advance(world.timing.deleting_s)
    # Blocks 0 to 2 had been overwritten before the newer one was taken: only 3 and 4 are needed by the older.
    assert older.size == 5 * MIB
    assert world.occupied[drive.owner, "ZRH"] == 5 * MIB


def test_a_snapshot_outlives_its_drive_with_its_size():
    world = small_world()
    drive = ready_drive(world)
    snapshot = taken(world, drive)
    world.write(drive, range(4))
    world.delete_drive(drive)
    world.advance(world.timing.deleting_s)
    assert drive.uuid not in world.drives
    assert (snapshot.drive, snapshot.size, snapshot.drive_meta["src_uuid"]) == (None, 4 * MIB, drive.uuid)
    world.advance(86_400)
    assert world.occupied[drive.owner, "ZRH"] == 4 * MIB


def test_a_block_that_the_drive_does_not_have_cannot_be_written():
    world = small_world()
    drive = ready_drive(world, blocks=8)
    with pytest.raises(IndexError, match="blocks 0 to 7"):
        world.write(drive, [8])
