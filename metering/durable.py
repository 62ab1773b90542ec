"""Files that are whole and on disk before anybody sees them under their name."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from metering.model.errors import InputError


@contextlib.contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Give a place to write to that becomes `path` once it is whole and on disk; on any failure `path` stays as it was.

    Only its owner may read it: it holds what customers store and pay.

    Raises:
        InputError: the directory is not there, may not be written, or the disk is full.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}); name another place, or mend this one") from None
    place = Path(name)
    try:
        os.close(handle)
        yield place
        sync_file(place)
        place.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}): it stays as it was") from None
    finally:
        place.unlink(missing_ok=True)


def sync_file(path: Path) -> None:
    """Put a file's bytes on disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Put the names of a folder's files on disk; the files themselves are not touched."""
    with contextlib.suppress(OSError):  # some file systems cannot sync a folder; the file itself is on disk
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
