"""The spool: every response is durable here before anything else is done with it, and stays here as evidence.

    spool/lease            held by the one collector that runs here
    spool/new/*.gz         sealed, not in the store yet
    spool/done/DAY/*.gz    in the store
    spool/done/DAY-N/*.gz  a day that is being put together
    spool/done/DAY-N.*.gz  a day that is over, as one file of each kind
    spool/bad/*.gz         cannot be read as a file any more
    spool/delivered.json   a poll that is in the store, so that a store that was lost is found (delivery.py)

Lines are written to a hidden file; it is *sealed* by fsync, a rename and an fsync of the folder. What was not sealed when a
crash came does not exist. A file is in the store before it leaves `new`, and ingest adds nothing the second time: so a crash
between the two loses nothing and doubles nothing. The lease is a lock of the kernel, and ends with its holder however it ends.
"""

import contextlib
import errno
import fcntl
import gzip
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Literal

from metering.collector.client import now_us
from metering.ingest.strict_json import loads_object
from metering.model.errors import InputError, StoreError
from metering.model.limits import DEFAULT_LIMITS

Kind = Literal["capture", "answer"]
KINDS: tuple[Kind, ...] = ("capture", "answer")
# Folders of days, as they are filled, and as they are put aside to be made one file of each kind; others are somebody else's.
# Earlier versions hid those that were put aside, and a crash may have left some.
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_PUT_ASIDE = re.compile(rf"\.?{_DAY.pattern}-\d+", re.ASCII)

# Level 6 packs a listing twentyfold at some 80 MB a second; raw evidence is kept for years.
_GZIP_LEVEL = 6


class Spool:
    """A folder of sealed files; only the holder of its lease writes to it."""

    def __init__(self, folder: str | Path, *, clock: Callable[[], int] = now_us) -> None:
        self.folder = Path(folder)
        self.new, self.done, self.bad = (self.folder / name for name in ("new", "done", "bad"))
        self._clock = clock
        self._count = 0

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lease; folders are made, and what a crash left unsealed is removed.

        Raises:
            StoreError: another collector holds it.
            InputError: the folder cannot be made or written.
        """
        try:
            # Raw answers name customers and what they keep: they are for their collector's eyes.
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in (self.new, self.done, self.bad):
                folder.mkdir(exist_ok=True)
            for folder in (self.folder, self.new, self.done, self.bad):
                if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
                    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            lease = (self.folder / "lease").open("a+", encoding="utf-8")
        except OSError as error:
            raise InputError(f"the spool {self.folder} cannot be written: {error.strerror}; name another in [collect]") from None
        with lease:
            try:
                fcntl.flock(lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lease.seek(0)
                holder = lease.read(20).strip() or "another"
                raise StoreError(
                    f"process {holder} collects into {self.folder} already: one collector a spool; stop it, or name another spool"
                ) from None
            lease.truncate(0)
            lease.write(f"{os.getpid()}\n")
            lease.flush()
            self._tidy()
            yield

    def _tidy(self) -> None:
        for path in (*self.new.glob(".*.tmp"), *self.done.glob(".*.tmp")):
            path.unlink()

    def batch(self) -> "Batch":
        """Begin a batch of lines."""
        self._count += 1
        stamp = datetime.fromtimestamp(self._clock() / 1_000_000, UTC).strftime("%Y%m%dT%H%M%S%f")
        return Batch(self.new, f"{stamp}-{os.getpid()}-{self._count:06d}")

    def read_state(self) -> dict[str, int]:
        """Give what was last asked when, in whole seconds; nothing where that is not known (then it is asked again)."""
        return {name: value for name, value in self.read_document("asked").items() if type(value) is int}

    def write_state(self, asked_s: dict[str, int]) -> None:
        """Remember what was last asked when."""
        self.write_document("asked", asked_s)

    def document(self, name: str) -> Path:
        """Name the file in which something is remembered."""
        return self.folder / f"{name}.json"

    def read_document(self, name: str) -> dict[str, Any]:
        """Give what is remembered under a name; nothing where it cannot be read."""
        try:
            return loads_object(self.document(name).read_text(encoding="utf-8"), DEFAULT_LIMITS.depth)
        except (OSError, ValueError):
            return {}

    def write_document(self, name: str, document: Mapping[str, str | int]) -> None:
        """Remember something under a name, in place of what was.

        Raises:
            OSError: it cannot be written.
        """
        partial = self.folder / f".{name}.json.tmp"
        partial.write_text(json.dumps(document), encoding="utf-8")
        partial.rename(self.document(name))

    def waiting(self) -> list[Path]:
        """Give the sealed files that are not in the store yet, oldest first.

        Raises:
            InputError: the folder was removed; the lease went with it, so to go on would let two collect into one spool.
            OSError: it cannot be read just now.
        """
        try:
            paths = list(self.new.iterdir())
        except (FileNotFoundError, NotADirectoryError) as error:
            raise InputError(
                f"the spool {self.folder} is gone ({error.strerror}): somebody removed it while it was in use, and what waited "
                "in it; start the collector again, which makes it anew"
            ) from None
        return sorted(path for path in paths if path.name.endswith(".ndjson.gz") and not path.name.startswith("."))

    def archive(self, paths: list[Path]) -> None:
        """Put files that are in the store among those that are done, by the day of their writing."""
        for path in paths:
            day = self.done / f"{path.name[:4]}-{path.name[4:6]}-{path.name[6:8]}"
            day.mkdir(exist_ok=True)
            path.rename(day / path.name)

    def set_aside(self, path: Path) -> Path:
        """Put a file that cannot be read aside, so that it does not stop those after it; give its new place."""
        return path.rename(self.bad / path.name)

    def compact(self) -> list[Path]:
        """Make one file of each kind of every day that is over; give the files made.

        The folder of the day is first put aside under the name of what is to be made of it; so after a crash at any moment it
        is plain what was to be done, and no line is ever in two files of those that are done for good. Its files stay in sight
        until the whole ones are there: whoever takes the spool in again meanwhile misses none of them.
        """
        today = datetime.fromtimestamp(self._clock() / 1_000_000, UTC).strftime("%Y-%m-%d")
        made = []
        for folder in sorted(path for path in self.done.iterdir() if path.is_dir() and not path.is_symlink()):
            if _PUT_ASIDE.fullmatch(folder.name):
                made += self._merge(folder)
            elif _DAY.fullmatch(folder.name) and folder.name < today:
                number = 1
                while any(self.done.glob(f"{folder.name}-{number}*")) or (self.done / f".{folder.name}-{number}").exists():
                    number += 1
                made += self._merge(folder.rename(self.done / f"{folder.name}-{number}"))
        return made

    def _merge(self, folder: Path) -> list[Path]:
        made, merged = [], []
        for kind in KINDS:
            whole = self.done / f"{folder.name.removeprefix('.')}.{kind}.ndjson.gz"
            parts = sorted(path for path in folder.glob(f"*.{kind}.ndjson.gz") if path.is_file())
            merged += parts
            # Parts are removed only once every kind is whole: if a whole is there, it is all of them.
            if not parts or whole.exists():
                continue
            partial = self.done / f".{whole.name}.tmp"
            with partial.open("wb") as target:
                for part in parts:
                    with part.open("rb") as source:
                        # Packed files one after the other are a packed file of all their lines.
                        shutil.copyfileobj(source, target)
                _sync(target)
            partial.rename(whole)
            made.append(whole)
        _sync_folder(self.done)
        for part in merged:
            part.unlink()
        # What somebody else put there is not ours to remove; it keeps the folder.
        with contextlib.suppress(OSError):
            folder.rmdir()
        return made


class Batch:
    """Lines that become durable together: written to hidden files, and sealed at once."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name
        self._files: dict[Kind, tuple[Path, BinaryIO, gzip.GzipFile]] = {}
        self.size = 0

    def append(self, kind: Kind, line: str) -> None:
        """Add a line; it is packed at once, so a batch needs no memory.

        Raises:
            OSError: it cannot be written, such as for a full disk; the batch is then to be dropped.
        """
        if kind not in self._files:
            path = self._folder / f".{self._name}.{kind}.tmp"
            raw = path.open("wb")
            self._files[kind] = (path, raw, gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=_GZIP_LEVEL, mtime=0))
        packed = line.encode("utf-8") + b"\n"
        self._files[kind][2].write(packed)
        self.size += len(packed)

    def seal(self) -> list[Path]:
        """Make all lines durable: fsync, rename, fsync of the folder; give the files.

        Raises:
            OSError: they cannot be made durable; nothing of the batch is there then.
        """
        sealed = []
        try:
            for _, raw, packed in self._files.values():
                packed.close()
                _sync(raw)
                raw.close()
            for kind, (path, _, _) in self._files.items():
                sealed.append(path.rename(self._folder / f"{self._name}.{kind}.ndjson.gz"))
            _sync_folder(self._folder)
        except OSError:
            for path in sealed:
                path.unlink(missing_ok=True)
            self.drop()
            raise
        self._files = {}
        return sealed

    def drop(self) -> None:
        """Forget the batch."""
        for path, raw, packed in self._files.values():
            with contextlib.suppress(OSError, ValueError):
                packed.close()
            with contextlib.suppress(OSError, ValueError):
                raw.close()
            path.unlink(missing_ok=True)
        self._files = {}


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
