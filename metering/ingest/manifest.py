"""The manifest of an exported facts directory: which files it holds, so that a copy that lost or changed one is found.

`metering export facts` writes one that tells of no end first, and the manifest itself last: what a killed export leaves is told
apart from facts, and from what is another's. Row counts tell how much there is without reading it; a SHA-256 tells that a file is
what was written.
"""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from metering.model.errors import InputError

MANIFEST = "manifest.json"
_OTHERWISE = "copy or export the facts again, or remove the manifest to take the files as they are"
_MARK = "metering_facts"
_UNFINISHED = "unfinished"


class ManifestFile(BaseModel):
    """One file of the export: its path below the directory, its rows, its bytes and their SHA-256."""

    model_config = ConfigDict(frozen=True, strict=True)

    path: Annotated[str, Field(min_length=1)]
    rows: Annotated[int, Field(ge=0)]
    bytes: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Manifest(BaseModel):
    """What `manifest.json` says; `metering_facts` is the version of its shape."""

    model_config = ConfigDict(frozen=True)

    metering_facts: Literal[1] = 1
    files: list[ManifestFile]


def manifest_of(folder: Path, rows: dict[str, int]) -> Manifest:
    """Give the manifest of the files of `folder`, from the rows of each by its path."""
    return Manifest(files=[_described(folder, path, count) for path, count in sorted(rows.items())])


def manifest_text(manifest: Manifest) -> str:
    """Write a manifest as text."""
    return _text(manifest.model_dump())


def unfinished_text(manifest: Manifest) -> str:
    """Write what stands for the manifest as long as files are still to be put in their places, as text."""
    return _text(manifest.model_dump() | {_MARK: _UNFINISHED})


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def left_by(text: str) -> Manifest | None:
    """Read which files an export that did not end had put, or was about to put, in their places; None where it is no such."""
    try:
        found = json.loads(text)
        if found[_MARK] == _UNFINISHED:
            return Manifest(files=found["files"])
    except (ValueError, ValidationError, LookupError, TypeError, RecursionError):
        pass
    return None


def read_manifest(text: str, place: str) -> Manifest | None:
    """Read a manifest; None where the file is another program's.

    Raises:
        InputError: it is a manifest of facts, or was one, and cannot be read; or is that of an export that did not end.
    """
    try:
        found = json.loads(text)
        if isinstance(found, dict) and _MARK not in found:
            return None
        if isinstance(found, dict) and found[_MARK] == _UNFINISHED:
            raise InputError(f"{place} tells that the export did not end: export the facts again, into a new folder")
        return Manifest.model_validate(found)
    except (ValueError, ValidationError, RecursionError):
        raise InputError(f"{place} cannot be read as a manifest of facts: {_OTHERWISE}") from None


def assert_as_exported(folder: Path, paths: list[Path], most_bytes: int) -> None:
    """Hold the fact files of a directory against its manifest, where it has one.

    Args:
        folder: the facts directory.
        paths: its fact files, as they were found.
        most_bytes: how large a manifest may be.

    Raises:
        InputError: a file is missing, was changed, or is none of the manifest's.
    """
    place = folder / MANIFEST
    if not place.is_file():
        return
    if place.stat().st_size > most_bytes:
        raise InputError(f"{place} is larger than any manifest of facts: {_OTHERWISE}")
    manifest = read_manifest(place.read_text(encoding="utf-8", errors="replace"), str(place))
    if manifest is None:
        return
    names = {path.relative_to(folder).as_posix(): path for path in paths}
    assert_complete(manifest, set(names), str(folder))
    for file in manifest.files:
        path = names[file.path]
        assert_unaltered(file, path.stat().st_size, _sha256(path), str(folder))


def assert_complete(manifest: Manifest, names: set[str], shown: str) -> None:
    """Fail unless a directory holds the fact files that its manifest names, and no other.

    Raises:
        InputError: naming the first that is missing or too many.
    """
    meant = {file.path for file in manifest.files}
    for path in sorted(meant - names):
        raise InputError(f"{shown} lacks {path}, which its {MANIFEST} names: {_OTHERWISE}")
    for path in sorted(names - meant):
        raise InputError(f"{shown}/{path} is not in the {MANIFEST} beside it: {_OTHERWISE}")


def assert_unaltered(file: ManifestFile, size: int, sha256: str, shown: str) -> None:
    """Fail unless a file is, to the last byte, what its manifest says.

    Raises:
        InputError: it is not.
    """
    if (size, sha256) != (file.bytes, file.sha256):
        raise InputError(f"{shown}/{file.path} is not what its {MANIFEST} says ({size:,} of {file.bytes:,} bytes): {_OTHERWISE}")


def is_unaltered(file: ManifestFile, path: Path) -> bool:
    """Tell whether a file is, to the last byte, what a manifest says."""
    return path.stat().st_size == file.bytes and _sha256(path) == file.sha256


def _described(folder: Path, path: str, rows: int) -> ManifestFile:
    place = folder / path
    return ManifestFile(path=path, rows=rows, bytes=place.stat().st_size, sha256=_sha256(place))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
