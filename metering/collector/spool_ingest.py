"""From the spool into the store: what is durable becomes facts, now or at the next run, once."""

import errno
import stat
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from metering.collector.delivery import assert_store_kept, remember_delivery
from metering.collector.spool import Spool
from metering.ingest.ingest import ingest
from metering.model.errors import InputError, StoreMemoryError
from metering.store import Store

# So many files are read together; a spool that waited for days is taken in several goes.
_FILES_AT_ONCE = 48
# Where so many are too large by themselves, and none was not, it is not for their size.
_TOO_LARGE = 3
# What a machine lacks for the moment; no file is to blame for it.
_PASSING = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EINTR)


@dataclass(slots=True)
class SpoolOutcome:
    """What came of the files that waited: how many were taken, rows newly rejected, which were set aside, or wait on."""

    files: int = 0
    rejected: list[str] = field(default_factory=list)
    conflicting_polls: int = 0
    set_aside: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


def ingest_waiting(store: Store, spool: Spool, now_s: int) -> SpoolOutcome:
    """Take the spool's sealed files into the store, oldest first, and put them among those that are done.

    A file that cannot be read, or is none, is set aside, so that it does not stop those after it. What needs too much memory is
    taken in smaller portions; a file that does so by itself waits on, and those after it go first. Killed at any moment and run
    again, every file is in the store once: it leaves `new` after the store has it for good, and a second ingest adds nothing.

    Raises:
        StoreError: the store cannot be used just now, or is not the one that the spool was taken into before; the files wait.
    """
    outcome = SpoolOutcome()
    waiting = spool.waiting()
    if not waiting:
        return outcome
    assert_store_kept(store, spool)
    waiting = [path for path in waiting if _is_file(spool, path, outcome)]
    goes = deque(waiting[start : start + _FILES_AT_ONCE] for start in range(0, len(waiting), _FILES_AT_ONCE))
    while goes:
        paths = goes.popleft()
        try:
            _take(store, spool, paths, now_s, outcome)
        except InputError as error:
            if len(paths) == 1:
                _set_aside(spool, paths[0], str(error), outcome)
            else:
                goes.extendleft([path] for path in reversed(paths))
        except (StoreMemoryError, MemoryError) as error:
            half = len(paths) // 2
            if half:
                goes.extendleft((paths[half:], paths[:half]))
            else:
                outcome.left.append(f"{paths[0]}: {str(error) or 'the machine has no memory left'}")
                if len(outcome.left) >= _TOO_LARGE and not outcome.files:
                    break
    if outcome.files:
        remember_delivery(store, spool)
    return outcome


def _is_file(spool: Spool, path: Path, outcome: SpoolOutcome) -> bool:
    """Tell whether a sealed file is one; a folder, a link or a pipe in its place is set aside, for to open it may never end."""
    is_file = stat.S_ISREG(path.lstat().st_mode)
    if not is_file:
        _set_aside(spool, path, "it is no file", outcome)
    return is_file


def _is_readable(path: Path) -> bool:
    """Tell whether a file can be read to its end, or would be if the machine had what it lacks."""
    try:
        with path.open("rb") as file:
            while file.read(2**20):
                pass
    except OSError as error:
        return error.errno in _PASSING
    return True


def _set_aside(spool: Spool, path: Path, why: str, outcome: SpoolOutcome) -> None:
    try:
        outcome.set_aside.append(f"{spool.set_aside(path)}: {why}")
    except OSError as error:
        outcome.left.append(f"{path}: {why}; it cannot be set aside: {error.strerror}")


def _take(store: Store, spool: Spool, paths: list[Path], now_s: int, outcome: SpoolOutcome) -> None:
    try:
        taken = ingest(store, paths, now_s=now_s, allow_useless=True)
    except OSError as error:
        # A disk that is full, say, is the fault of no file.
        if all(map(_is_readable, paths)):
            raise
        raise InputError(error.strerror or type(error).__name__) from None
    spool.archive(paths)
    outcome.files += len(paths)
    outcome.conflicting_polls += taken.polls.conflicting
    # A list that has a row wrong has it in each cycle: it is told when it comes, and bills tell it as long as it is so.
    outcome.rejected += [rejection.text for rejection in taken.recorded]
