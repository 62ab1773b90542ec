"""The blocks of one drive and of its remote snapshots, kept by copy-on-write.

A snapshot is as large as the data that changed on the drive since it was taken. The old content of an overwritten block is kept
once, by the newest snapshot that needs it; when that one is dropped, an older one that needs it takes it over. Source:
PROVIDER.md, "Size".

Snapshots are numbered from 1 in the order they are taken, and a block's content is *born* at a number: it was written after
snapshot `born` and before snapshot `born + 1`. So a content that is overwritten is needed exactly by the snapshots with a number
above its birth, and contents of one birth are alike: only their bytes are counted.
"""

from bisect import bisect_left
from collections.abc import Iterable


class Blocks:
    """A drive of `size` bytes in blocks of `block_bytes`, the last one possibly shorter."""

    def __init__(self, size: int, block_bytes: int) -> None:
        self.size = size
        self.block_bytes = block_bytes
        self._births: dict[int, int] = {}
        self._taken = 0
        self._kept: list[int] = []
        self._held: dict[int, dict[int, int]] = {}

    @property
    def count(self) -> int:
        """How many blocks the drive has."""
        return -(-self.size // self.block_bytes)

    def take(self) -> int:
        """Take a snapshot: nothing has changed since, so it holds nothing yet. Gives its number."""
        self._taken += 1
        self._kept.append(self._taken)
        self._held[self._taken] = {}
        return self._taken

    def write(self, blocks: Iterable[int]) -> int | None:
        """Overwrite blocks with new data; gives the number of the snapshot that grew, None if none did."""
        newest = self._kept[-1] if self._kept else 0
        held = self._held.get(newest, {})
        births, taken, count, block_bytes = self._births, self._taken, self.count, self.block_bytes
        grown = None
        for block in blocks:
            if not 0 <= block < count:
                raise IndexError(f"the drive has blocks 0 to {count - 1}, not {block}")
            birth = births.get(block, 0)
            if birth < newest:
                held[birth] = held.get(birth, 0) + min(block_bytes, self.size - block * block_bytes)
                grown = newest
            births[block] = taken
        return grown

    def drop(self, number: int) -> int | None:
        """Drop a snapshot; gives the number of the older one that took blocks over, None if none needs any."""
        place = bisect_left(self._kept, number)
        del self._kept[place]
        dropped = self._held.pop(number)
        if place == 0:
            return None
        older = self._kept[place - 1]
        needed = {birth: size for birth, size in dropped.items() if birth < older}
        held = self._held[older]
        for birth, size in needed.items():
            held[birth] = held.get(birth, 0) + size
        return older if needed else None

    def held_bytes(self, number: int) -> int:
        """Give the size of a snapshot."""
        return sum(self._held[number].values())
