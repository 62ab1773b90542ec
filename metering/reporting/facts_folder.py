"""The folder that facts are exported into: new, empty, or what an export of ours left that did not end.

Files are made in a hidden folder below, which is gone with whoever makes the next, and put in their places last, when it takes
a moment; meanwhile the manifest tells that there is no end yet, and which files come. So what a killed export leaves is known to
the last byte, and can be replaced without ever touching what is another's.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from metering.durable import ScratchFolder, replaced, sync_folder
from metering.engine.duckdb import telling_of
from metering.ingest.manifest import MANIFEST, Manifest, is_unaltered, left_by, manifest_of, manifest_text, unfinished_text
from metering.model.errors import InputError
from metering.reporting.files import write_text


@dataclass(frozen=True, slots=True)
class FactsFolder:
    """A folder that facts are exported into, and the place where its files are made."""

    folder: Path
    place: Path

    @contextlib.contextmanager
    def file(self, name: str) -> Iterator[Path]:
        """Give a place to write one of its files to, by the file's path below the folder.

        Raises:
            InputError: it cannot be written.
        """
        with replaced(self.place / name, shown=self.folder / name) as path, telling_of(self.folder / name, path):
            yield path

    def put(self, rows: dict[str, int]) -> None:
        """Put the files that were made in their places, with their manifest; of each, by its path, it tells the rows."""
        manifest = manifest_of(self.place, rows)
        write_text(unfinished_text(manifest), self.folder / MANIFEST)
        for name in sorted({Path(file.path).parts[0] for file in manifest.files}):
            (self.place / name).rename(self.folder / name)
        sync_folder(self.folder)
        write_text(manifest_text(manifest), self.folder / MANIFEST)


@contextlib.contextmanager
def facts_folder(folder: Path) -> Iterator[FactsFolder]:
    """Open a folder to export facts into: it is made, or cleared of an export that did not end.

    Raises:
        InputError: the folder cannot be written, or holds something that no unfinished export left.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with ScratchFolder(beside=folder / MANIFEST) as place:
            _remove_unfinished(folder, Path(place))
            # First, so that what an export leaves that does not end is taken for no facts.
            write_text(unfinished_text(Manifest(files=[])), folder / MANIFEST)
            yield FactsFolder(folder, Path(place))
    except OSError as error:
        raise InputError(f"{folder} cannot be written ({error.strerror}): name another place") from None


def _remove_unfinished(folder: Path, place: Path) -> None:
    """Remove what an export left that did not end, if that is all there is beside `place`.

    Raises:
        InputError: there is something else.
    """
    there = [path for path in folder.rglob("*") if place not in (path, *path.parents)]
    if not there:
        return
    manifest = folder / MANIFEST
    left = left_by(manifest.read_text(encoding="utf-8", errors="replace")) if _is_file(manifest) else None
    files = {} if left is None else {folder / file.path: file for file in left.files}
    folders = {parent for path in files for parent in path.parents}
    for path in there:
        is_left = is_unaltered(files[path], path) if path in files and _is_file(path) else path in folders and not path.is_symlink()
        if left is None or not (is_left or path == manifest):
            raise InputError(f"{folder} is not empty: name a new folder, so that no facts mix")
    # The manifest is last: as long as there is anything, it says what.
    for path in sorted(there, key=lambda path: (path != manifest, path), reverse=True):
        path.unlink() if _is_file(path) else path.rmdir()


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()
