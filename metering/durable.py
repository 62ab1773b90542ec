"""Files that are whole and on disk before anybody sees them under their name, and those that are gone when nobody needs them."""

import contextlib
import errno
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from metering.model.errors import InputError

_SCRATCH = "metering-"
# A folder's file that its process holds locked as long as it lives: a lock goes with its process, whatever ends it.
_OWNER = ".owner-of-this-scratch-folder"
_COMMITS: list[None] = []


def commit_begins() -> None:
    """Note that a transaction is about to be committed: from here on it may stand, whatever ends the program."""
    _COMMITS.append(None)


def commits_begun() -> int:
    """Give how many transactions this program began to commit so far."""
    return len(_COMMITS)


@contextlib.contextmanager
def replaced(path: Path, *, shown: Path | None = None) -> Iterator[Path]:
    """Give a place to write to that becomes `path` once it is whole and on disk; on any failure `path` stays as it was.

    Only its owner may read it: it holds what customers store and pay. Errors name it as `shown`, where that is given.

    Raises:
        InputError: the directory is not there, may not be written, or the disk is full; or `path` is a device or a pipe.
    """
    with unfinished(path, shown=shown) as place:
        yield place
        sync_file(place)
        place.replace(path)
        sync_folder(path.parent)


@contextlib.contextmanager
def unfinished(path: Path, *, shown: Path | None = None) -> Iterator[Path]:
    """Give an empty file beside `path`, for its owner's eyes only; it is gone at the end unless it was put in its place.

    Where the process is killed, whoever writes beside it next removes it.

    Raises:
        InputError: the directory is not there, may not be written, or the disk is full; or `path` is a device or a pipe.
    """
    assert_replaceable(path)
    try:
        folder = ScratchFolder(beside=path)
    except OSError as error:
        raise InputError(f"{shown or path} cannot be written ({error.strerror}); name another place, or mend this one") from None
    with folder:
        # Its name says nothing: what writes it may take the name of a file for its form, or for a pattern.
        place = Path(folder.name) / "unfinished"
        try:
            place.touch(mode=0o600)
            yield place
        except OSError as error:
            raise InputError(f"{shown or path} cannot be written ({error.strerror}): it stays as it was") from None


def assert_replaceable(path: Path) -> None:
    """Fail where a file would take the place of what is none: whoever reads the pipe, or uses the device, would lose it.

    Raises:
        InputError: `path` is a device, a pipe or a socket.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        raise InputError(f"{path} is no file, but a device or a pipe, and would be replaced: name a file")


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


def put_new(place: Path, path: Path) -> None:
    """Give a file that is whole and on disk the name `path`, unless it is taken; at `place` it may be gone then.

    Of several that do so at once, the first counts, and nobody ever sees less than a whole file under the name.

    Raises:
        FileExistsError: the name is taken; whatever has it stays as it is.
    """
    try:
        path.hardlink_to(place)
    except FileExistsError:
        raise
    except OSError:
        # Of a stick or a share, whose files have one name only, or what is wrong there: then to rename it fails for that too.
        with _turn_in(path.parent):
            if os.path.lexists(path):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
            place.rename(path)
    sync_folder(path.parent)


@contextlib.contextmanager
def _turn_in(folder: Path) -> Iterator[None]:
    """Let one process after the other look for a name in a folder and take it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def file_at(path: Path) -> tuple[int, int] | None:
    """Tell which file it is that has a name at this moment; None where none has it."""
    with contextlib.suppress(OSError):
        status = path.stat()
        return status.st_dev, status.st_ino
    return None


class ScratchFolder(tempfile.TemporaryDirectory[str]):
    """A temporary folder, for its owner's eyes only; where its process is killed, whoever makes the next one removes it.

    What customers store may lie in it, unpacked or spilled.
    """

    def __init__(self, *, beside: Path | None = None) -> None:
        """Make one among the system's temporary folders, or beside what is to take the place of a file there."""
        # Beside a file it is hidden, so that it is none of the facts where somebody reads the folder.
        parent, prefix = (Path(tempfile.gettempdir()), _SCRATCH) if beside is None else (beside.parent, f".{_SCRATCH}")
        _remove_abandoned(parent, prefix)
        super().__init__(prefix=prefix, dir=parent, ignore_cleanup_errors=True)
        try:
            self._owner = _owned(Path(self.name))
        except BaseException:
            # Who is told to end at this moment has no `with` around it yet, and what has no owner nobody removes.
            super().cleanup()
            raise

    def cleanup(self) -> None:
        """Remove the folder."""
        super().cleanup()
        if self._owner is not None:
            self._owner.close()


def _owned(folder: Path) -> IO[str] | None:
    """Lock a folder for this process; None where the disk cannot, and then nobody else will remove it."""
    unlocked = folder / f"{_OWNER}.new"
    with contextlib.suppress(OSError):
        owner = unlocked.open("w", encoding="utf-8")
        try:
            fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Under its name it is locked from the beginning: who finds it unlocked knows that its process is gone.
            unlocked.rename(folder / _OWNER)
        except OSError:
            owner.close()
            raise
        return owner
    return None


def _remove_abandoned(parent: Path, prefix: str) -> None:
    """Remove our temporary folders whose processes are gone."""
    for folder in parent.glob(f"{prefix}*"):
        with contextlib.suppress(OSError):  # held, without an owner, somebody else's, or removed by another at this moment
            status = folder.lstat()
            if stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid():
                with (folder / _OWNER).open("r+", encoding="utf-8") as owner:
                    fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(folder)
