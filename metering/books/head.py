"""The head file: the last closing's number and hash, kept beside the store, so that a store from an old backup is found.

The store knows its own past only; a copy of last month's is as consistent as today's. `<store>.head` is written after every
closing, whole or not at all, and may be kept elsewhere too (`metering verify --head`). One that is behind the store is what a
crash between the two writes leaves: the next closing mends it.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from metering.books.closings import Books, Closing
from metering.durable import replaced
from metering.model.errors import InputError, StoreError


@dataclass(frozen=True, slots=True)
class Head:
    """The last closing that was made, wherever the store may be."""

    closing_seq: int
    hash: str


def head_path(store: Path) -> Path:
    """Give the place of a store's head file."""
    return store.with_name(store.name + ".head")


def read_head(store: Path) -> Head | None:
    """Read the head file, None where there is none.

    Raises:
        StoreError: it is no head file.
    """
    path = head_path(store)
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        return Head(int(said["closing"]), str(said["hash"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        raise StoreError(f"{path} does not tell a closing: restore it, or remove it if the store is trusted") from None


def write_head(store: Path, closing: Closing) -> None:
    """Write the head file: readable by its owner only, on disk before it takes the old one's place.

    Raises:
        StoreError: it cannot be written; the closing itself stands.
    """
    path = head_path(store)
    try:
        with replaced(path) as place:
            place.write_text(json.dumps({"closing": closing.closing_seq, "hash": closing.hash}) + "\n", encoding="utf-8")
    except InputError as error:
        raise StoreError(f"{closing.period.text} is closed, but {error}; mend that and close again") from None


def head_problem(store: Path, head: Head | None, books: Books) -> str | None:
    """Tell what is wrong between a head and the store, None where they agree or the head is merely behind."""
    if head is None:
        return None
    closing = next((closing for closing in books.closings if closing.closing_seq == head.closing_seq), None)
    if closing is None:
        last = books.closings[-1].closing_seq if books.closings else 0
        return (
            f"{head_path(store)} tells of closing {head.closing_seq}, but the store's last is {last}: it was restored from an old "
            "backup, or begun anew; bring the newer store back, or remove the head file if that is meant"
        )
    if closing.hash != head.hash:
        return (
            f"{head_path(store)} and the store tell different hashes of closing {head.closing_seq}: the closing was changed, or "
            "made anew in a store restored from an old backup"
        )
    return None
