"""From the spool into the store: what is durable becomes facts, now or at the next run, once."""

from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from metering.ingest.ingest import ingest
from metering.ingest.spool import Spool
from metering.model.errors import InputError
from metering.store import Store

# So many files are read together; a spool that waited for days is taken in several goes.
_FILES_AT_ONCE = 48


@dataclass(slots=True)
class SpoolOutcome:
    """What came of the files that waited: files and polls taken, polls that were not, and files that cannot be read."""

    files: int = 0
    accepted_polls: int = 0
    rejected: list[str] = field(default_factory=list)
    conflicting_polls: int = 0
    set_aside: list[str] = field(default_factory=list)


def ingest_waiting(store: Store, spool: Spool, now_s: int) -> SpoolOutcome:
    """Take the spool's sealed files into the store, oldest first, and put them among those that are done.

    A file that cannot be read is set aside, so that it does not stop those after it. Killed at any moment and run again, every
    file is in the store once: it leaves `new` after the store has it for good, and a second ingest of it adds nothing.

    Raises:
        StoreError: the store cannot be used just now; the files wait.
    """
    outcome = SpoolOutcome()
    waiting = spool.waiting()
    goes = deque(waiting[start : start + _FILES_AT_ONCE] for start in range(0, len(waiting), _FILES_AT_ONCE))
    while goes:
        paths = goes.popleft()
        try:
            _take(store, spool, paths, now_s, outcome)
        except InputError as error:
            if len(paths) == 1:
                outcome.set_aside.append(f"{spool.set_aside(paths[0])}: {error}")
            else:
                goes.extendleft([path] for path in reversed(paths))
    return outcome


def _take(store: Store, spool: Spool, paths: list[Path], now_s: int, outcome: SpoolOutcome) -> None:
    taken = ingest(store, paths, now_s=now_s, allow_useless=True)
    spool.archive(paths)
    outcome.files += len(paths)
    outcome.accepted_polls += taken.polls.accepted
    outcome.conflicting_polls += taken.polls.conflicting
    outcome.rejected += [rejection.text for rejection in taken.rejections]
